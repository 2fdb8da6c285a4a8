// Channels between two endpoints joined in memory.
#include "channel/channel_mux.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "transport/endpoint_pair_test_support.h"

namespace godwit {
namespace {

constexpr std::uint64_t kWindow = 256 * 1024;

Config channel_config() {
  Config config = EndpointPair::chunk_config();
  config.handshake.extended = ExtendedPolicy::kRequire;
  config.handshake.flow = {.stream = kWindow, .connection = 4 * kWindow, .by_hand = true};
  config.send_queue.max_open_stream_bytes = kWindow;
  return config;
}

// One side: writes down what it hears, and passes bytes on unless it `holds` them.
struct Side final : ChannelMux::Observer {
  Side(EndpointPair::Side& side, std::size_t max_channels) : mux(*side.endpoint, *this, max_channels) {
    side.on_event = [this](Instant now, ConnectionId connection, Event& event) {
      if (std::holds_alternative<Connected>(event)) connection_ = connection;
      static_cast<void>(mux.on_event(now, connection, event));
    };
    side.on_turn = [this](Instant now) {
      mux.on_turn(now);
      turn(now);
    };
  }
  void on_channel(Instant now, const ChannelRequest& request) override {
    requests.push_back(request.channel);
    kinds.push_back(request.kind);
    texts.emplace_back(request.text);
    if (refuse_with) {
      mux.refuse(now, request.channel, *refuse_with, "as the test says");
    } else if (accepts) {
      EXPECT_TRUE(mux.accept(now, request.channel));
    }
  }
  void on_accepted(Instant, ChannelId channel) override { accepted.push_back(channel); }
  void on_bytes(Instant, ChannelId channel, ByteView bytes) override {
    received[channel].append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!holds) mux.consume(channel, bytes.size());
  }
  void on_end(Instant now, ChannelId channel) override {
    ended.push_back(channel);
    if (!holds) mux.delivered(now, channel);
  }
  void on_channel_closed(Instant, ChannelId channel, const ChannelEnd& end) override { closed[channel] = end; }
  void on_writable(Instant, ConnectionId) override { ++writable; }
  void on_listen_request(Instant, ConnectionId, const ListenRequest& request) override {
    listens.emplace_back(request.text);
  }
  void on_listen_answer(Instant, ConnectionId, const ListenAnswer& answer) override {
    listen_answers.push_back(answer.code);
  }

  // Appends all of `text` as it goes, and finishes.
  void write(ChannelId channel, std::string text) { outgoing[channel] = std::move(text); }
  void turn(Instant) {
    for (auto entry = outgoing.begin(); entry != outgoing.end();) {
      auto& [channel, text] = *entry;
      while (!text.empty()) {
        const std::string part = text.substr(0, 10'000);
        if (!mux.append(channel, as_bytes(part))) break;
        text.erase(0, part.size());
      }
      if (!text.empty()) {
        ++entry;
        continue;
      }
      mux.finish(channel);
      entry = outgoing.erase(entry);
    }
  }

  ChannelMux mux;
  ConnectionId connection_ = 0;
  bool accepts = true;
  bool holds = false;
  std::optional<ChannelCode> refuse_with;
  std::vector<ChannelId> requests;
  std::vector<ChannelKind> kinds;
  std::vector<std::string> texts;
  std::vector<ChannelId> accepted;
  std::map<ChannelId, std::string> received;
  std::vector<ChannelId> ended;
  std::map<ChannelId, ChannelEnd> closed;
  std::map<ChannelId, std::string> outgoing;
  std::vector<std::string> listens;
  std::vector<ChannelCode> listen_answers;
  int writable = 0;
};

class ChannelMuxTest : public testing::Test {
 protected:
  explicit ChannelMuxTest(std::size_t max_channels = 8)
      : pair_(channel_config(), channel_config()),
        here_(pair_.client, max_channels),
        there_(pair_.server, max_channels) {
    EXPECT_TRUE(pair_.client.endpoint->connect(pair_.now, pair_.server.address, pair_.server.endpoint->public_key()));
    EXPECT_TRUE(pair_.run_until([this] { return here_.connection_ != 0 && there_.connection_ != 0; }));
  }
  ChannelId open(std::string_view text = "host:22") {
    const auto channel = here_.mux.open(pair_.now, here_.connection_, ChannelKind::kTarget, text);
    EXPECT_TRUE(channel);
    return channel.value_or(0);
  }
  static std::string text_of(std::size_t size, char seed) {
    std::string text(size, seed);
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(seed + static_cast<char>(i % 61));
    return text;
  }

  EndpointPair pair_;
  Side here_;
  Side there_;
};

TEST_F(ChannelMuxTest, BytesOfBothDirectionsArriveAndBothSidesHearThatAllIsDone) {
  const ChannelId channel = open();
  const std::string up = text_of(1'000'000, 'A');
  const std::string down = text_of(700'000, 'a');
  here_.write(channel, up);
  ASSERT_TRUE(pair_.run_until([this] { return !there_.requests.empty(); }));
  EXPECT_EQ(there_.kinds.front(), ChannelKind::kTarget);
  EXPECT_EQ(there_.texts.front(), "host:22");
  const ChannelId other = there_.requests.front();
  there_.write(other, down);
  ASSERT_TRUE(pair_.run_until([&] { return here_.closed.contains(channel) && there_.closed.contains(other); }));
  EXPECT_TRUE(here_.closed[channel].complete);
  EXPECT_TRUE(there_.closed[other].complete);
  EXPECT_EQ(there_.received[other], up);
  EXPECT_EQ(here_.received[channel], down);
  EXPECT_EQ(here_.mux.open_channels(), 0U);
  EXPECT_EQ(there_.mux.open_channels(), 0U);
}

TEST_F(ChannelMuxTest, LossDoesNotMatter) {
  pair_.loss = 0.05;
  const ChannelId channel = open();
  const std::string up = text_of(300'000, 'A');
  here_.write(channel, up);
  ASSERT_TRUE(pair_.run_until([this] { return !there_.requests.empty(); }));
  there_.write(there_.requests.front(), "short");
  ASSERT_TRUE(pair_.run_until([&] { return here_.closed.contains(channel); }));
  EXPECT_TRUE(here_.closed[channel].complete);
  EXPECT_EQ(there_.received.begin()->second, up);
}

TEST_F(ChannelMuxTest, OneDirectionEndsWhileTheOtherGoesOn) {
  const ChannelId channel = open();
  here_.write(channel, "question");
  ASSERT_TRUE(pair_.run_until([this] { return !there_.ended.empty(); }));
  EXPECT_FALSE(here_.closed.contains(channel));
  const std::string down = text_of(500'000, 'a');
  there_.write(there_.requests.front(), down);
  ASSERT_TRUE(pair_.run_until([&] { return here_.closed.contains(channel); }));
  EXPECT_TRUE(here_.closed[channel].complete);
  EXPECT_EQ(here_.received[channel], down);
}

TEST_F(ChannelMuxTest, AReaderThatDoesNotReadHoldsNoMoreThanItsWindowAndNobodyElseUp) {
  there_.holds = true;
  const ChannelId stuck = open();
  here_.write(stuck, text_of(3'000'000, 'A'));
  EXPECT_FALSE(pair_.run_until([this] { return !there_.ended.empty(); }, 5s));
  EXPECT_LE(there_.received[there_.requests.front()].size(), kWindow);
  EXPECT_GE(there_.received[there_.requests.front()].size(), kWindow / 2);
  there_.holds = false;
  const ChannelId other = open();
  here_.write(other, "quick");
  ASSERT_TRUE(pair_.run_until([this] { return there_.ended.size() == 1; }));
  EXPECT_EQ(there_.received[there_.requests.back()], "quick");
  // It goes on where it stood.
  there_.mux.consume(there_.requests.front(), there_.received[there_.requests.front()].size());
  ASSERT_TRUE(pair_.run_until([this] { return there_.ended.size() == 2; }));
  EXPECT_EQ(there_.received[there_.requests.front()], text_of(3'000'000, 'A'));
}

TEST_F(ChannelMuxTest, ARefusalIsHeardWithItsReason) {
  there_.refuse_with = ChannelCode::kNotAllowed;
  const ChannelId channel = open();
  here_.write(channel, "never read");
  ASSERT_TRUE(pair_.run_until([&] { return here_.closed.contains(channel); }));
  EXPECT_FALSE(here_.closed[channel].complete);
  EXPECT_EQ(here_.closed[channel].code, ChannelCode::kNotAllowed);
  EXPECT_EQ(here_.closed[channel].text, "not allowed: as the test says");
  EXPECT_EQ(there_.mux.open_channels(), 0U);
  EXPECT_FALSE(there_.closed.contains(there_.requests.front())) << "who refuses knows";
}

TEST_F(ChannelMuxTest, AResetReachesTheOtherSideWithItsCode) {
  const ChannelId channel = open();
  ASSERT_TRUE(pair_.run_until([&] { return !here_.accepted.empty(); }));
  there_.mux.reset(pair_.now, there_.requests.front(), ChannelCode::kReset);
  ASSERT_TRUE(pair_.run_until([&] { return here_.closed.contains(channel); }));
  EXPECT_EQ(here_.closed[channel].code, ChannelCode::kReset);
  EXPECT_EQ(here_.mux.open_channels() + there_.mux.open_channels(), 0U);
}

TEST_F(ChannelMuxTest, WhatIsResetUnreadDoesNotEatTheCreditOfTheConnection) {
  there_.holds = true;
  // Many times the window of the connection, whole streams that nobody reads among them.
  for (std::size_t i = 0; i < 40; ++i) {
    const ChannelId channel = open();
    const bool whole = i % 2 == 0;
    here_.write(channel, text_of(whole ? kWindow / 2 : kWindow * 2, 'A'));
    const std::size_t goal = whole ? kWindow / 2 : kWindow / 2 + 1;
    ASSERT_TRUE(pair_.run_until([&] {
      return there_.requests.size() > i && there_.received[there_.requests.back()].size() >= goal;
    })) << i;
    there_.mux.reset(pair_.now, there_.requests.back(), ChannelCode::kReset);
    ASSERT_TRUE(pair_.run_until([&] { return here_.closed.contains(channel); })) << i;
    here_.outgoing.clear();
    there_.received.clear();
  }
  there_.holds = false;
  const ChannelId last = open();
  const std::string text = text_of(8 * kWindow, 'A');
  here_.write(last, text);
  ASSERT_TRUE(
      pair_.run_until([this] { return !there_.ended.empty() && there_.ended.back() == there_.requests.back(); }));
  EXPECT_EQ(there_.received[there_.requests.back()], text);
}

TEST_F(ChannelMuxTest, TooManyChannelsAreRefusedOnEitherSide) {
  for (int i = 0; i < 8; ++i) open();
  EXPECT_FALSE(here_.mux.open(pair_.now, here_.connection_, ChannelKind::kPipe, {}));
  ASSERT_TRUE(pair_.run_until([this] { return here_.accepted.size() == 8; }));
  const auto one_more = there_.mux.open(pair_.now, there_.connection_, ChannelKind::kArrival, "127.0.0.1:80");
  EXPECT_FALSE(one_more);
  EXPECT_EQ(one_more.error().code, ErrorCode::kTooLarge);
}

TEST_F(ChannelMuxTest, AnAnswerThatDoesNotComeIsNotWaitedForForEver) {
  there_.accepts = false;
  const ChannelId channel = open();
  here_.write(channel, "hello");
  ASSERT_TRUE(pair_.run_until([&] { return here_.closed.contains(channel); }, 2 * ChannelMux::kAnswerPatience));
  EXPECT_EQ(here_.closed[channel].code, ChannelCode::kTimeout);
  EXPECT_EQ(here_.mux.open_channels(), 0U);
  EXPECT_FALSE(here_.mux.next_timeout());
}

TEST_F(ChannelMuxTest, TheEndOfTheConnectionEndsItsChannels) {
  const ChannelId channel = open();
  ASSERT_TRUE(pair_.run_until([&] { return !here_.accepted.empty(); }));
  pair_.server.endpoint->close_all(pair_.now, "the test ends it");
  ASSERT_TRUE(pair_.run_until([&] { return here_.closed.contains(channel); }));
  EXPECT_FALSE(here_.closed[channel].complete);
  EXPECT_NE(here_.closed[channel].text.find("the test ends it"), std::string::npos) << here_.closed[channel].text;
  EXPECT_EQ(here_.mux.open_channels(), 0U);
}

TEST_F(ChannelMuxTest, AStreamThatIsNoChannelIsStopped) {
  const auto message =
      pair_.client.endpoint->send(pair_.now, here_.connection_, Body::owned(std::vector<std::uint8_t>(5000, 1)));
  ASSERT_TRUE(message);
  ASSERT_TRUE(pair_.run_until([this] { return there_.mux.statistics().foreign_streams == 1; }));
  EXPECT_EQ(there_.mux.open_channels(), 0U);
}

TEST_F(ChannelMuxTest, ListeningForTheOtherSideIsAskedForAndAnswered) {
  here_.mux.send_listen_request(pair_.now, here_.connection_, {.request = 1, .text = "127.0.0.1:80"});
  ASSERT_TRUE(pair_.run_until([this] { return !there_.listens.empty(); }));
  EXPECT_EQ(there_.listens.front(), "127.0.0.1:80");
  there_.mux.send_listen_answer(pair_.now, there_.connection_,
                                {.request = 1, .code = ChannelCode::kNotAllowed, .text = {}});
  ASSERT_TRUE(pair_.run_until([this] { return !here_.listen_answers.empty(); }));
  EXPECT_EQ(here_.listen_answers.front(), ChannelCode::kNotAllowed);
  // And the side that was asked opens channels.
  const auto arrival = there_.mux.open(pair_.now, there_.connection_, ChannelKind::kArrival, "127.0.0.1:80");
  ASSERT_TRUE(arrival);
  ASSERT_TRUE(pair_.run_until([this] { return !there_.accepted.empty(); }));
  EXPECT_EQ(here_.kinds.front(), ChannelKind::kArrival);
}

}  // namespace
}  // namespace godwit
