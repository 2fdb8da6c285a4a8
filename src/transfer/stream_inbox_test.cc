#include "transfer/stream_inbox.h"

#include <gtest/gtest.h>

#include <map>

#include "transfer/control.h"
#include "transport/endpoint_pair_test_support.h"

namespace godwit {
namespace {

// Keeps what it is given; consumes only when told.
class Recorder : public StreamConsumer {
 public:
  std::optional<std::uint64_t> on_stream_begin(Instant, InboundStream& stream) override {
    if (refuse) return std::nullopt;
    stream.tag = this;
    headers[stream.id] = stream.header;
    return window;
  }
  bool on_stream_bytes(Instant now, InboundStream& stream, ByteView bytes) override {
    auto& kept = data[stream.id];
    kept.insert(kept.end(), bytes.begin(), bytes.end());
    if (consumes) inbox->consume(now, stream, bytes.size());
    return true;
  }
  void on_stream_end(Instant, InboundStream& stream) override { ended.push_back(stream.id); }
  void on_stream_aborted(Instant, InboundStream& stream) override { aborted.push_back(stream.id); }
  void on_foreign_bytes(Instant, std::uint32_t id, ByteView bytes, bool finished) override {
    foreign[id].insert(foreign[id].end(), bytes.begin(), bytes.end());
    if (finished) ended.push_back(id);
  }
  void on_control_stream(Instant, ByteView message) override { controls.emplace_back(message.begin(), message.end()); }

  StreamInbox* inbox = nullptr;
  bool refuse = false;
  bool consumes = true;
  std::uint64_t window = 100'000;
  std::map<std::uint32_t, StreamHeader> headers;
  std::map<std::uint32_t, std::vector<std::uint8_t>> data;
  std::map<std::uint32_t, std::vector<std::uint8_t>> foreign;
  std::vector<std::uint32_t> ended;
  std::vector<std::uint32_t> aborted;
  std::vector<std::vector<std::uint8_t>> controls;
};

class StreamInboxTest : public ::testing::Test {
 protected:
  StreamInboxTest() {
    client_ = *pair_.client.endpoint->connect(pair_.now, pair_.server.address, pair_.server.endpoint->public_key());
    pair_.server.on_event = [this](Instant now, ConnectionId id, Event& event) {
      if (std::holds_alternative<Connected>(event)) {
        inbox_ = std::make_unique<StreamInbox>(*pair_.server.endpoint, id, recorder_);
        recorder_.inbox = inbox_.get();
      } else if (const auto* chunk = std::get_if<StreamChunk>(&event)) {
        const StreamChunk copy = *chunk;
        inbox_->on_chunk(now, copy);
      } else if (const auto* aborted = std::get_if<StreamAborted>(&event)) {
        inbox_->on_aborted(now, aborted->stream_id);
      }
    };
    pair_.server.on_turn = [this](Instant now) {
      if (inbox_) inbox_->handle_timeout(now);
    };
    pair_.server.next_timeout = [this] { return inbox_ ? inbox_->next_timeout() : std::nullopt; };
    pair_.client.on_event = [this](Instant now, ConnectionId, Event& event) {
      if (const auto* message = std::get_if<MessageReceived>(&event)) {
        const auto control = decode_control(message->payload);
        const auto* credit = control ? std::get_if<StreamCredit>(&*control) : nullptr;
        if (credit == nullptr) return;
        credits_.push_back(credit->limit);
        if (obeys_credit_) pair_.client.endpoint->extend_send_limit(now, client_, message_, credit->limit);
      } else if (const auto* confirmed = std::get_if<MessageConfirmed>(&event)) {
        confirmed_ = confirmed->message == message_ || confirmed_;
      }
    };
    EXPECT_TRUE(pair_.run_until([this] { return inbox_ != nullptr; }));
  }

  void send(std::vector<std::uint8_t> bytes, std::uint64_t limit = kUnlimited) {
    message_ = *pair_.client.endpoint->send(pair_.now, client_, Body::owned(std::move(bytes)),
                                            {.as = SendAs::kStream, .send_limit = limit});
  }
  std::vector<std::uint8_t> data_stream(std::size_t length) {
    std::vector<std::uint8_t> bytes(kStreamHeaderSize + length);
    pair_.random.fill(bytes);
    write_stream_header({.logical = 1, .transfer = 2, .offset = 3, .length = length},
                        std::span<std::uint8_t, kStreamHeaderSize>(bytes.data(), kStreamHeaderSize));
    return bytes;
  }

  EndpointPair pair_;
  Recorder recorder_;
  std::unique_ptr<StreamInbox> inbox_;
  ConnectionId client_ = 0;
  MessageId message_ = 0;
  bool obeys_credit_ = true;
  bool confirmed_ = false;
  std::vector<std::uint64_t> credits_;
};

TEST_F(StreamInboxTest, HandsOverWhatFollowsTheHeader) {
  const auto bytes = data_stream(300'000);
  send(bytes, recorder_.window);
  ASSERT_TRUE(pair_.run_until([this] { return !recorder_.ended.empty(); }));
  ASSERT_EQ(recorder_.data.size(), 1U);
  const auto& [id, kept] = *recorder_.data.begin();
  EXPECT_TRUE(std::equal(kept.begin(), kept.end(), bytes.begin() + kStreamHeaderSize, bytes.end()));
  EXPECT_EQ(recorder_.headers[id].offset, 3U);
  EXPECT_EQ(inbox_->open_streams(), 0U);
}

TEST_F(StreamInboxTest, GrantsCreditInQuarterWindowsAndNeverBeyondTheEnd) {
  send(data_stream(300'000), recorder_.window);
  ASSERT_TRUE(pair_.run_until([this] { return !recorder_.ended.empty(); }));
  ASSERT_GE(credits_.size(), 4U);
  EXPECT_LE(credits_.size(), 9U);
  for (std::size_t i = 1; i < credits_.size(); ++i) {
    EXPECT_GE(credits_[i], std::min<std::uint64_t>(credits_[i - 1] + recorder_.window / 4, 300'032));
  }
  EXPECT_EQ(credits_.back(), 300'032U);
}

TEST_F(StreamInboxTest, ASenderStopsAtItsCreditAndItsStreamIsKeptAlive) {
  recorder_.consumes = false;
  send(data_stream(300'000), recorder_.window);
  // Far longer than a stream without new bytes lives otherwise.
  EXPECT_FALSE(pair_.run_until([this] { return !recorder_.ended.empty() || !recorder_.aborted.empty(); }, 100s));
  const std::size_t arrived = recorder_.data.begin()->second.size();
  EXPECT_LE(arrived + kStreamHeaderSize, recorder_.window);
  EXPECT_GT(arrived, recorder_.window - 2000);
  recorder_.consumes = true;
  inbox_->consume(pair_.now, recorder_.data.begin()->first, arrived);
  EXPECT_TRUE(pair_.run_until([this] { return !recorder_.ended.empty(); }));
}

TEST_F(StreamInboxTest, AStreamBeyondItsCreditIsRefused) {
  recorder_.consumes = false;
  send(data_stream(300'000));
  ASSERT_TRUE(pair_.run_until([this] { return !recorder_.aborted.empty(); }));
  EXPECT_EQ(inbox_->statistics().refused, 1U);
  EXPECT_EQ(inbox_->open_streams(), 0U);
  // To its sender it looks delivered: other streams are not disturbed.
  EXPECT_TRUE(pair_.run_until([this] { return confirmed_; }));
}

TEST_F(StreamInboxTest, AHeaderThatContradictsTheStreamIsRefused) {
  auto bytes = data_stream(5000);
  store_le<std::uint64_t>(bytes.data() + 24, 4999);
  send(bytes);
  ASSERT_TRUE(pair_.run_until([this] { return confirmed_; }));
  EXPECT_TRUE(recorder_.data.empty());
  EXPECT_EQ(inbox_->statistics().refused, 1U);
}

TEST_F(StreamInboxTest, StreamsOfOthersAreHandedOverWhole) {
  for (const std::size_t length : {1U, 3U, 4U, 31U, 32U, 33U, 5000U}) {
    recorder_.foreign.clear();
    recorder_.ended.clear();
    std::vector<std::uint8_t> bytes(length, 0x47);  // "G", as the magic begins
    send(bytes);
    ASSERT_TRUE(pair_.run_until([this] { return !recorder_.ended.empty(); })) << length;
    EXPECT_EQ(recorder_.foreign.begin()->second, bytes);
    EXPECT_EQ(recorder_.ended.size(), 1U);
  }
}

TEST_F(StreamInboxTest, AMagicWithoutRoomForAHeaderIsRefused) {
  send({kStreamMagic.begin(), kStreamMagic.end()});
  ASSERT_TRUE(pair_.run_until([this] { return confirmed_; }));
  EXPECT_TRUE(recorder_.foreign.empty());
  EXPECT_EQ(inbox_->statistics().refused, 1U);
}

TEST_F(StreamInboxTest, ControlMessagesMayComeAsStreams) {
  const std::string text(3000, 'j');
  const auto bytes = encode_control(PerfDetails{.session = 5, .index = 0, .text = text});
  send(bytes);
  ASSERT_TRUE(pair_.run_until([this] { return !recorder_.controls.empty(); }));
  EXPECT_EQ(recorder_.controls.front(), bytes);
}

TEST_F(StreamInboxTest, AControlStreamBeyondTheBoundIsRefused) {
  std::vector<std::uint8_t> bytes(kMaxControlBytes + 1);
  std::copy(kControlMagic.begin(), kControlMagic.end(), bytes.begin());
  send(bytes);
  ASSERT_TRUE(pair_.run_until([this] { return confirmed_; }));
  EXPECT_TRUE(recorder_.controls.empty());
}

TEST_F(StreamInboxTest, AStreamNobodyWantsIsRefused) {
  recorder_.refuse = true;
  send(data_stream(5000));
  ASSERT_TRUE(pair_.run_until([this] { return confirmed_; }));
  EXPECT_TRUE(recorder_.data.empty());
}

}  // namespace
}  // namespace godwit
