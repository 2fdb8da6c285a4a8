// The order in which a lone datagram is worked off: its answer can leave before the accounts of what it acknowledges.

#include <gtest/gtest.h>

#include <vector>

#include "transport/connection.h"
#include "transport/endpoint_pair_test_support.h"

namespace godwit::reply_first_test {
namespace {

const std::vector<std::uint8_t> kWord = {'w', 'o', 'r', 'd'};

// The client has sent a word, and the server's answer, which acknowledges it, is in the hands of the test.
class ReplyFirst : public testing::TestWithParam<ExtendedPolicy> {
 protected:
  void SetUp() override {
    connection_ = pair_.connect(pair_.client, pair_.server);
    ASSERT_TRUE(
        pair_.run_until([this] { return pair_.client.count<Connected>() + pair_.server.count<Connected>() == 2; }));
    pair_.run(3s);  // the first pings are over
    pair_.server.on_event = [this](Instant now, ConnectionId connection, Event& event) {
      if (!std::holds_alternative<MessageReceived>(event)) return;
      EXPECT_TRUE(pair_.server.endpoint->send(now, connection, Body::owned(std::vector(kWord))));
    };
    pair_.on_path = [this](test::Flight& flight) {
      if (flight.to != pair_.client.address) return true;
      if (caught_.empty()) caught_.assign(flight.bytes.begin(), flight.bytes.end());
      return false;
    };
    answer();
    ASSERT_TRUE(pair_.run_until([this] { return !caught_.empty(); }));
    ASSERT_EQ(confirmed(), 0U);
    ASSERT_GT(in_flight(), 0U);
  }
  static Config config() {
    Config config = EndpointPair::chunk_config();
    config.handshake.extended = GetParam();
    return config;
  }
  [[nodiscard]] Endpoint& client() { return *pair_.client.endpoint; }
  [[nodiscard]] std::uint64_t in_flight() { return client().inspect(connection_)->statistics().bytes_in_flight; }
  [[nodiscard]] std::size_t confirmed() {
    pair_.collect(pair_.client);
    return pair_.client.count<MessageConfirmed>();
  }
  void receive(Endpoint::Accounts accounts) {
    client().receive(pair_.now,
                     {.local = pair_.client.address,
                      .remote = pair_.server.address,
                      .bytes = caught_,
                      .segment_size = caught_.size()},
                     accounts);
  }
  void answer() { ASSERT_TRUE(client().send(pair_.now, connection_, Body::owned(std::vector(kWord)))); }

  EndpointPair pair_{config(), config()};
  ConnectionId connection_ = 0;
  std::vector<std::uint8_t> caught_;
  TransmitBuffer buffer_;
};

INSTANTIATE_TEST_SUITE_P(Form, ReplyFirst, testing::Values(ExtendedPolicy::kOff, ExtendedPolicy::kRequire),
                         [](const auto& each) { return each.param == ExtendedPolicy::kOff ? "deployed" : "extended"; });

TEST_P(ReplyFirst, TheAnswerLeavesBeforeTheAccounts) {
  receive(Endpoint::Accounts::kAfterReply);
  EXPECT_EQ(confirmed(), 0U);
  EXPECT_EQ(pair_.client.count<MessageReceived>(), 1U);
  answer();
  const auto reply = client().poll_reply(pair_.now, buffer_);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->remote, pair_.server.address);
  EXPECT_EQ(confirmed(), 0U) << "the accounts were made before the answer";
  client().settle();
  EXPECT_EQ(confirmed(), 1U);
  EXPECT_FALSE(client().poll_transmit(pair_.now, buffer_)) << "the answer was all that there was to send";
}

TEST_P(ReplyFirst, WithoutBeingAskedForThatTheAccountsComeFirst) {
  receive(Endpoint::Accounts::kAtOnce);
  EXPECT_EQ(confirmed(), 1U);
  answer();
  EXPECT_FALSE(client().poll_reply(pair_.now, buffer_));
  EXPECT_TRUE(client().poll_transmit(pair_.now, buffer_));
}

TEST_P(ReplyFirst, WhoeverNeedsTheAccountsMakesThem) {
  receive(Endpoint::Accounts::kAfterReply);
  EXPECT_FALSE(client().poll_reply(pair_.now, buffer_)) << "nothing was answered";
  EXPECT_EQ(confirmed(), 0U);
  static_cast<void>(client().poll_transmit(pair_.now, buffer_));
  EXPECT_EQ(confirmed(), 1U);
}

TEST_P(ReplyFirst, AnotherUseOfTheConnectionMakesTheAccounts) {
  receive(Endpoint::Accounts::kAfterReply);
  EXPECT_TRUE(client().ping(pair_.now, connection_));
  EXPECT_EQ(confirmed(), 1U);
}

TEST_P(ReplyFirst, TimersSeeTheAccounts) {
  receive(Endpoint::Accounts::kAfterReply);
  client().handle_timeout(pair_.now);
  EXPECT_EQ(confirmed(), 1U);
}

TEST_P(ReplyFirst, AStreamWaitsForTheAccounts) {
  receive(Endpoint::Accounts::kAfterReply);
  const std::vector<std::uint8_t> bytes(5000);
  ASSERT_TRUE(client().send(pair_.now, connection_, Body::borrowed(bytes), {.as = SendAs::kStream}));
  EXPECT_FALSE(client().poll_reply(pair_.now, buffer_));
  EXPECT_TRUE(client().poll_transmit(pair_.now, buffer_));
  EXPECT_EQ(confirmed(), 1U);
}

TEST_P(ReplyFirst, AClosedConnectionOwesNothing) {
  receive(Endpoint::Accounts::kAfterReply);
  client().close(pair_.now, connection_);
  EXPECT_FALSE(client().poll_reply(pair_.now, buffer_));
  client().settle();
  EXPECT_TRUE(client().poll_transmit(pair_.now, buffer_)) << "the close packet";
}

TEST_P(ReplyFirst, TheNextDatagramMakesTheAccountsOfTheFormer) {
  receive(Endpoint::Accounts::kAfterReply);
  receive(Endpoint::Accounts::kAfterReply);  // a copy
  EXPECT_EQ(confirmed(), 1U);
  EXPECT_EQ(pair_.client.count<MessageReceived>(), 1U);
}

// Whoever asks for timers once a turn sends the first ping in the turn that ends the handshake.
TEST(ReplyFirstHandshake, SetsItsTimerBeforeItIsAskedFor) {
  EndpointPair pair;
  std::vector<std::uint8_t> caught;
  pair.on_path = [&](test::Flight& flight) {
    if (flight.to != pair.client.address) return true;
    if (caught.empty()) caught.assign(flight.bytes.begin(), flight.bytes.end());
    return false;
  };
  static_cast<void>(pair.connect(pair.client, pair.server));
  ASSERT_TRUE(pair.run_until([&] { return !caught.empty(); }));
  Endpoint& client = *pair.client.endpoint;
  ASSERT_FALSE(client.timer_is_due(pair.now));
  client.receive(
      pair.now,
      {.local = pair.client.address, .remote = pair.server.address, .bytes = caught, .segment_size = caught.size()},
      Endpoint::Accounts::kAfterReply);
  EXPECT_TRUE(client.timer_is_due(pair.now));
}

}  // namespace
}  // namespace godwit::reply_first_test
