#include "stream/inbound_flow.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "stream/recv_streams.h"
#include "stream/send_queue.h"

namespace godwit::inbound_flow_test {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr Instant kStart{1h};

TEST(InboundCredit, GrantsWhatHasBeenReadAndTellsByQuarters) {
  InboundCredit credit(1000);
  EXPECT_TRUE(credit.admits(1000));
  EXPECT_FALSE(credit.admits(1001));
  credit.receive(800);
  EXPECT_FALSE(credit.admits(201));
  credit.consume(200);
  EXPECT_FALSE(credit.update_due());
  credit.consume(50);
  EXPECT_TRUE(credit.update_due());
  EXPECT_EQ(credit.grant(), 1250u);
  EXPECT_FALSE(credit.update_due());
  EXPECT_TRUE(credit.admits(450));
  EXPECT_FALSE(credit.admits(451));
  credit.consume(10'000);
  EXPECT_EQ(credit.unconsumed(), 0u) << "no more than has come";
  EXPECT_EQ(credit.grant(), 1800u);
}

// Collects what the application is given.
class Sink final : public StreamSink {
 public:
  void on_chunk(const InboundChunk& chunk) override { bytes[chunk.stream_id] += chunk.bytes.size(); }
  void on_message(InboundMessage&& message) override { bytes[message.stream_id] += message.payload.size(); }
  void on_metadata(std::uint32_t, ByteView) override {}
  void on_failure(const InboundFailure& failure) override { failures.push_back(failure); }

  std::map<std::uint32_t, std::uint64_t> bytes;
  std::vector<InboundFailure> failures;
};

// A sender and a receiver with credit between them, and nothing else.
class CreditTest : public testing::Test {
 protected:
  void begin(FlowWindows windows, DeliveryMode delivery = DeliveryMode::kChunks) {
    windows_ = windows;
    receiver_ = std::make_unique<RecvStreams>(RecvStreamsConfig{.delivery = delivery});
    receiver_->use_credit(windows);
    sender_.limit_streams(windows.stream, windows.connection);
  }
  MessageId send(std::size_t bytes) {
    return *sender_.send(kStart, Body::owned(Bytes(bytes)), {.as = SendAs::kStream});
  }
  struct Sent {
    SlotHandle owner;
    std::uint32_t stream_id;
    std::uint32_t number;
    std::uint64_t total;
    Bytes payload;
  };
  // Takes all that may be sent.
  std::vector<Sent> take_all() {
    std::vector<Sent> sent;
    while (const SendItem* item = sender_.peek()) {
      sent.push_back({item->owner,
                      item->stream->id(),
                      item->fragment,
                      item->stream->total(),
                      {item->payload.begin(), item->payload.end()}});
      sender_.take();
    }
    return sent;
  }
  FragmentOutcome deliver(const Sent& sent) {
    return receiver_->on_fragment(
        kStart,
        wire::StreamFragment{
            .stream_id = sent.stream_id, .total_length = sent.total, .number = sent.number, .payload = sent.payload},
        sink_);
  }
  // Tells the sender what there is to tell.
  std::size_t tell() {
    std::size_t updates = 0;
    while (const auto update = receiver_->poll_flow()) {
      ++updates;
      switch (update->kind) {
        case FlowUpdate::Kind::kConnectionCredit: sender_.raise_credit(update->value); break;
        case FlowUpdate::Kind::kStreamCredit: sender_.raise_stream_credit(update->stream_id, update->value); break;
        case FlowUpdate::Kind::kStop: sender_.stop(update->stream_id, update->value); break;
      }
    }
    return updates;
  }
  bool reset_all() {
    bool consistent = true;
    while (const auto reset = sender_.poll_reset()) {
      consistent = receiver_->on_reset(reset->stream_id, reset->sent_bytes, reset->code, sink_) && consistent;
      sender_.on_reset_acknowledged(reset->stream_id);
    }
    return consistent;
  }
  // Everything that is under way arrives, and is told, until nothing moves any more.
  void exchange() {
    while (true) {
      const auto sent = take_all();
      for (const Sent& fragment : sent) ASSERT_NE(deliver(fragment).result, FragmentOutcome::Result::kBeyondCredit);
      const std::size_t updates = tell();
      ASSERT_TRUE(reset_all());
      if (sent.empty() && updates == 0) break;
    }
  }

  FlowWindows windows_;
  SendQueue sender_;
  std::unique_ptr<RecvStreams> receiver_;
  Sink sink_;
};

TEST_F(CreditTest, AStreamOfAnyLengthPassesThroughASmallWindow) {
  for (const DeliveryMode delivery : {DeliveryMode::kChunks, DeliveryMode::kWhole}) {
    sink_.bytes.clear();
    begin({.stream = 8'000, .connection = 10'000}, delivery);
    send(1'000'000);
    exchange();
    ASSERT_EQ(sink_.bytes.size(), 1u);
    EXPECT_EQ(sink_.bytes.begin()->second, 1'000'000u);
    sender_.cancel_all();
  }
}

TEST_F(CreditTest, WhatIsNotReadHoldsItsOwnStreamBackAndNoOther) {
  begin({.stream = 20'000, .connection = 100'000, .by_hand = true});
  send(500'000);
  exchange();
  const std::uint32_t first = sink_.bytes.begin()->first;
  EXPECT_GT(sink_.bytes[first], 20'000u - 1130);
  EXPECT_LE(sink_.bytes[first], 20'000u);
  // Another stream has its own window; read at once, it goes on.
  send(300'000);
  for (int i = 0; i < 200; ++i) {
    exchange();
    for (const auto& [id, bytes] : sink_.bytes) {
      if (id != first) receiver_->consume(id, bytes);
    }
  }
  EXPECT_EQ(sink_.bytes.size(), 2u);
  EXPECT_EQ(sink_.bytes.rbegin()->second, 300'000u);
  EXPECT_LE(sink_.bytes[first], 20'000u);
  for (int i = 0; i < 200; ++i) {
    receiver_->consume(first, 10'000);
    exchange();
  }
  EXPECT_EQ(sink_.bytes[first], 500'000u);
}

TEST_F(CreditTest, TheConnectionsCreditBoundsAllStreamsTogether) {
  begin({.stream = 50'000, .connection = 60'000, .by_hand = true});
  for (int i = 0; i < 4; ++i) send(100'000);
  exchange();
  std::uint64_t sum = 0;
  for (const auto& [id, bytes] : sink_.bytes) sum += bytes;
  EXPECT_LE(sum, 60'000u);
  EXPECT_GT(sum, 60'000u - 2 * 1130);
  EXPECT_TRUE(sender_.blocked());
  EXPECT_TRUE(sender_.idle()) << "nothing that the path could be used for";
  for (int i = 0; i < 100; ++i) {
    for (const auto& [id, bytes] : sink_.bytes) receiver_->consume(id, bytes);
    exchange();
  }
  for (const auto& [id, bytes] : sink_.bytes) EXPECT_EQ(bytes, 100'000u) << id;
}

TEST_F(CreditTest, APausedStreamStopsAfterAWindowAndGoesOn) {
  begin({.stream = 30'000, .connection = 60'000});
  send(200'000);
  const auto first = take_all();
  ASSERT_FALSE(first.empty());
  deliver(first.front());
  ASSERT_TRUE(receiver_->set_paused(first.front().stream_id, true));
  for (std::size_t i = 1; i < first.size(); ++i) deliver(first[i]);
  exchange();
  EXPECT_LE(sink_.bytes[first.front().stream_id], 31'130u);
  EXPECT_TRUE(receiver_->set_paused(first.front().stream_id, false));
  exchange();
  EXPECT_EQ(sink_.bytes[first.front().stream_id], 200'000u);
}

TEST_F(CreditTest, MoreThanWasGrantedIsAViolation) {
  begin({.stream = 5'000, .connection = 50'000});
  sender_.limit_streams(kUnlimited, kUnlimited);  // a peer that does not care
  send(40'000);
  std::size_t accepted = 0;
  FragmentOutcome outcome;
  for (const Sent& sent : take_all()) {
    outcome = deliver({sent.owner, sent.stream_id, sent.number + 1, sent.total, sent.payload});  // none in order
    if (outcome.result == FragmentOutcome::Result::kBeyondCredit) break;
    ++accepted;
  }
  EXPECT_EQ(outcome.result, FragmentOutcome::Result::kBeyondCredit);
  EXPECT_EQ(accepted, 4u);
  EXPECT_FALSE(outcome.must_ack());
}

TEST_F(CreditTest, ACancelledStreamGivesItsCreditBackThoughHalfOfItIsLost) {
  begin({.stream = 20'000, .connection = 30'000});
  for (int round = 0; round < 50; ++round) {
    const MessageId message = send(100'000);
    const auto sent = take_all();
    ASSERT_GT(sent.size(), 10u) << round;
    for (std::size_t i = 0; i < sent.size(); i += 2) deliver(sent[i]);
    EXPECT_TRUE(sender_.cancel(message, 77));
    ASSERT_TRUE(reset_all());
    tell();
    // Late ones change nothing any more.
    for (std::size_t i = 1; i < sent.size(); i += 2) {
      EXPECT_NE(deliver(sent[i]).result, FragmentOutcome::Result::kBeyondCredit);
    }
    while (sender_.poll_failure(kStart)) {
    }
    sender_.handle_timeout(kStart + 1h * (round + 1));
  }
  ASSERT_FALSE(sink_.failures.empty());
  EXPECT_EQ(sink_.failures.back().reason, InboundFailure::Reason::kReset);
  EXPECT_EQ(sink_.failures.back().code, 77u);
  EXPECT_EQ(receiver_->flow()->connection().unconsumed(), 0u);
}

TEST_F(CreditTest, AStreamThatIsNotWantedIsStoppedAndItsCreditComesBack) {
  begin({.stream = 20'000, .connection = 30'000});
  for (int round = 0; round < 50; ++round) {
    send(100'000);
    const auto sent = take_all();
    ASSERT_GT(sent.size(), 10u) << round;
    deliver(sent[0]);
    EXPECT_TRUE(receiver_->refuse(sent[0].stream_id, 9));
    for (std::size_t i = 1; i < 5; ++i) deliver(sent[i]);
    tell();
    const auto failed = sender_.poll_failure(kStart);
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->reason, SendFailure::Reason::kStopped);
    EXPECT_EQ(failed->code, 9u);
    ASSERT_TRUE(reset_all());
    tell();
    sender_.handle_timeout(kStart + 1h * (round + 1));
  }
  EXPECT_EQ(receiver_->flow()->connection().unconsumed(), 0u);
  EXPECT_TRUE(sink_.failures.empty());
}

TEST_F(CreditTest, AResetThatContradictsWhatHasComeIsAViolation) {
  begin({.stream = 20'000, .connection = 30'000});
  send(100'000);
  const auto sent = take_all();
  for (std::size_t i = 0; i < 4; ++i) deliver(sent[i]);
  EXPECT_FALSE(receiver_->on_reset(sent[0].stream_id, 3 * 1130, 0, sink_)) << "less than has come";
  EXPECT_FALSE(receiver_->on_reset(sent[0].stream_id, 100'001, 0, sink_)) << "more than the stream has";
  EXPECT_FALSE(receiver_->on_reset(sent[0].stream_id, 20'001, 0, sink_)) << "more than was granted";
  EXPECT_FALSE(receiver_->on_reset(12'345, 40'000, 0, sink_)) << "of a stream that was not heard of";
  EXPECT_TRUE(receiver_->on_reset(sent[0].stream_id, 6 * 1130, 0, sink_));
  EXPECT_TRUE(receiver_->on_reset(sent[0].stream_id, 6 * 1130, 0, sink_)) << "a copy";
}

// A stream of unknown length under losses that are sent again: appended, sent and acknowledged in any order.
TEST_F(CreditTest, AStreamOfUnknownLengthArrivesWholeWhateverIsLost) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    DeterministicRandom random(seed);
    SendQueue sender;
    std::swap(sender_, sender);
    sink_ = {};
    begin({.stream = 5'000 + random.below(30'000), .connection = 12'000 + random.below(60'000)},
          seed % 2 == 0 ? DeliveryMode::kChunks : DeliveryMode::kWhole);
    sender_.allow_open_streams();
    receiver_->allow_open_streams();
    const auto message = sender_.open_stream(kStart, {});
    ASSERT_TRUE(message);
    const std::uint32_t id = sender_.stream_id(*message);
    std::uint64_t written = 0;
    std::vector<Sent> lost;
    std::optional<MessageId> confirmed;
    bool end_lost = true;
    for (int step = 0; step < 2000 && !confirmed; ++step) {
      if (written < 100'000) {
        const Bytes some(random.below(4000));
        if (sender_.append(*message, some)) written += some.size();
        if (written >= 100'000) {
          EXPECT_TRUE(sender_.finish(*message));
        }
      }
      std::vector<Sent> flight = take_all();
      flight.insert(flight.end(), lost.begin(), lost.end());
      lost.clear();
      for (const Sent& sent : flight) {
        if (random.below(3) == 0) {
          lost.push_back(sent);
          const auto again = sender_.content(SendKind::kFragment, sent.owner, sent.number);
          ASSERT_TRUE(again);
          ASSERT_TRUE(std::ranges::equal(again->payload, sent.payload));
          continue;
        }
        ASSERT_EQ(sent.total, 0u);
        ASSERT_EQ(deliver(sent).result, FragmentOutcome::Result::kAccepted) << seed;
        if (const auto done = sender_.on_acknowledged(SendKind::kFragment, sent.owner, sent.number, 1))
          confirmed = done;
      }
      tell();
      auto end = sender_.poll_end();
      if (!end && end_lost) end = sender_.end_again(id);
      if (end && random.below(2) == 0) {
        end_lost = false;
        ASSERT_TRUE(receiver_->on_end(kStart, end->stream_id, end->total, sink_));
        if (const auto done = sender_.on_end_acknowledged(end->stream_id)) confirmed = done;
      }
    }
    EXPECT_EQ(confirmed, message) << seed;
    EXPECT_EQ(sink_.bytes[id], written) << seed;
    EXPECT_EQ(receiver_->open_streams(), 0u);
    EXPECT_EQ(sender_.open_streams(), 0u);
    EXPECT_EQ(receiver_->flow()->connection().unconsumed(), 0u);
  }
}

TEST_F(CreditTest, AStreamOfUnknownLengthThatFindsNoPlaceIsStoppedAndItsCreditComesBack) {
  begin({.stream = 20'000, .connection = 30'000});
  receiver_ = std::make_unique<RecvStreams>(RecvStreamsConfig{.max_streams = 1});
  receiver_->use_credit(windows_);
  receiver_->allow_open_streams();
  sender_.allow_open_streams();
  const auto keeps_its_place = sender_.open_stream(kStart, {});
  ASSERT_TRUE(sender_.append(*keeps_its_place, Bytes(100)));
  exchange();
  for (int round = 0; round < 20; ++round) {
    const auto refused = sender_.open_stream(kStart, {});
    ASSERT_TRUE(refused) << round;
    ASSERT_TRUE(sender_.append(*refused, Bytes(10'000)));
    exchange();
    const auto failed = sender_.poll_failure(kStart);
    ASSERT_TRUE(failed) << round;
    EXPECT_EQ(failed->message, *refused);
    EXPECT_EQ(failed->reason, SendFailure::Reason::kStopped);
    sender_.handle_timeout(kStart + 1h * (round + 1));
  }
  EXPECT_FALSE(sender_.blocked());
  EXPECT_EQ(receiver_->flow()->connection().unconsumed(), 0u);
}

TEST_F(CreditTest, AnEndThatContradictsItsStreamIsAViolation) {
  begin({.stream = 20'000, .connection = 30'000});
  sender_.allow_open_streams();
  const auto message = sender_.open_stream(kStart, {});
  ASSERT_TRUE(sender_.append(*message, Bytes(5000)));
  const auto sent = take_all();
  EXPECT_EQ(deliver(sent[0]).result, FragmentOutcome::Result::kRefused) << "not agreed on";
  receiver_ = std::make_unique<RecvStreams>(RecvStreamsConfig{.delivery = DeliveryMode::kChunks});
  receiver_->use_credit(windows_);
  receiver_->allow_open_streams();
  for (const Sent& fragment : sent) EXPECT_EQ(deliver(fragment).result, FragmentOutcome::Result::kAccepted);
  const std::uint32_t id = sent[0].stream_id;
  EXPECT_FALSE(receiver_->on_end(kStart, id, 4999, sink_));
  EXPECT_TRUE(receiver_->on_end(kStart, id, 6000, sink_));
  EXPECT_FALSE(receiver_->on_end(kStart, id, 6001, sink_)) << "another length";
  EXPECT_FALSE(receiver_->on_end(kStart, 77, ~std::uint64_t{0}, sink_));
  EXPECT_TRUE(receiver_->on_end(kStart, 78, 0, sink_)) << "an empty stream";
  EXPECT_EQ(sink_.bytes.count(78), 1u);
}

// Streams of all sizes, losses that are sent again, cancellations and refusals in any order: the two sides agree at the
// end, and all credit is back.
TEST_F(CreditTest, BothSidesAgreeUnderRandomUse) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    DeterministicRandom random(seed);
    SendQueue sender;
    std::swap(sender_, sender);
    sink_ = {};
    begin({.stream = 10'000 + random.below(30'000), .connection = 12'000 + random.below(60'000)});
    std::vector<Sent> lost;
    std::vector<MessageId> open;
    Instant now = kStart;
    for (int step = 0; step < 600; ++step) {
      if (open.size() < 6 && random.below(3) == 0) {
        const auto sent = sender_.send(now, Body::owned(Bytes(1 + random.below(60'000))), {.as = SendAs::kStream});
        if (sent) open.push_back(*sent);
      }
      std::vector<Sent> flight = take_all();
      flight.insert(flight.end(), lost.begin(), lost.end());
      lost.clear();
      for (const Sent& sent : flight) {
        if (random.below(4) == 0) {
          lost.push_back(sent);
          continue;
        }
        ASSERT_NE(deliver(sent).result, FragmentOutcome::Result::kBeyondCredit) << seed;
        if (const auto done = sender_.on_acknowledged(SendKind::kFragment, sent.owner, sent.number, 1)) {
          std::erase(open, *done);
        }
      }
      if (random.below(40) == 0 && !open.empty()) sender_.cancel(open[random.below(open.size())], 1);
      if (random.below(40) == 0 && !flight.empty()) receiver_->refuse(flight[0].stream_id, 2);
      tell();
      ASSERT_TRUE(reset_all()) << seed;
      while (const auto failed = sender_.poll_failure(now)) {
        std::erase(open, failed->message);
        std::erase_if(lost, [&](const Sent& sent) { return sent.owner == failed->owner; });
      }
      now += 10s;
      sender_.handle_timeout(now);
    }
    for (const MessageId message : open) sender_.cancel(message);
    for (const Sent& sent : lost) ASSERT_NE(deliver(sent).result, FragmentOutcome::Result::kBeyondCredit);
    ASSERT_TRUE(reset_all());
    tell();
    ASSERT_TRUE(reset_all());
    EXPECT_EQ(receiver_->flow()->connection().unconsumed(), 0u) << seed;
    EXPECT_FALSE(sender_.blocked()) << seed;
  }
}

}  // namespace
}  // namespace godwit::inbound_flow_test
