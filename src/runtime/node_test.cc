#include "runtime/node.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "runtime/clock.h"

namespace godwit::node_test {
namespace {

KeyPair make_keys() {
  SystemRandom random;
  return std::move(*KeyPair::generate(random));
}

// Echoes, and notes what was answered.
struct Talker final : Node::Handler {
  void on_event(Node& node, ConnectionId connection, Event& event) override {
    if (std::holds_alternative<Connected>(event)) connected = connection;
    if (const auto* message = std::get_if<MessageReceived>(&event)) {
      received.emplace_back(message->payload.begin(), message->payload.end());
      if (echo) static_cast<void>(node.send(connection, Body::owned(received.back())));
    }
  }
  void on_turn(Node& node) override {
    if (wakes_itself) node.wake_at(node.now() + 1h);
    ++turns;
  }
  bool echo = false;
  bool wakes_itself = false;
  ConnectionId connected = 0;
  int turns = 0;
  std::vector<std::vector<std::uint8_t>> received;
};

// Two nodes on loopback, turned by hand on one thread.
class EachIdleStrategy : public testing::TestWithParam<IdleStrategy> {
 protected:
  void SetUp() override {
    server_ = open();
    client_ = open();
    ASSERT_TRUE(server_ && client_);
    server_talker_.echo = true;
    ASSERT_TRUE(client_->connect(server_->local_address(), server_keys_));
    turn_until([this] { return client_talker_.connected != 0 && server_talker_.connected != 0; });
    ASSERT_NE(client_talker_.connected, 0U);
  }
  std::unique_ptr<Node> open() {
    NodeConfig config;
    config.socket.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
    config.idle = GetParam();
    config.spin_for = 1h;  // a pause on this machine, however busy, is polled through
    KeyPair keys = make_keys();
    if (!server_) server_keys_ = keys.public_key();
    auto node = Node::open(config, std::move(keys));
    return node ? std::move(*node) : nullptr;
  }
  template <typename Condition>
  void turn_until(Condition condition) {
    const Instant deadline = boot_time_now() + 20s;
    while (!condition() && boot_time_now() < deadline) {
      client_->turn(client_talker_, 1ms);
      server_->turn(server_talker_, 1ms);
    }
  }

  std::unique_ptr<Node> server_;
  std::unique_ptr<Node> client_;
  PublicKey server_keys_;
  Talker server_talker_;
  Talker client_talker_;
};

std::string name_of(const testing::TestParamInfo<IdleStrategy>& parameter) {
  switch (parameter.param) {
    case IdleStrategy::kBlock: return "block";
    case IdleStrategy::kSpinBlock: return "spin_block";
    case IdleStrategy::kSpin: break;
  }
  return "spin";
}

INSTANTIATE_TEST_SUITE_P(Node, EachIdleStrategy,
                         testing::Values(IdleStrategy::kBlock, IdleStrategy::kSpinBlock, IdleStrategy::kSpin), name_of);

TEST_P(EachIdleStrategy, AnswersEveryMessageInItsOrder) {
  constexpr std::size_t kMessages = 200;
  for (std::size_t i = 0; i < kMessages; ++i) {
    // Singly and in bursts, with turns in vain between them.
    ASSERT_TRUE(client_->send(client_talker_.connected, Body::owned({static_cast<std::uint8_t>(i)})));
    if (i % 7 == 0) turn_until([&] { return client_talker_.received.size() == i + 1; });
  }
  turn_until([this] { return client_talker_.received.size() == kMessages; });
  ASSERT_EQ(client_talker_.received.size(), kMessages);
  for (std::size_t i = 0; i < kMessages; ++i)
    EXPECT_EQ(server_talker_.received[i].front(), static_cast<std::uint8_t>(i));
}

TEST_P(EachIdleStrategy, SleepsOnlyWhereItMay) {
  for (int i = 0; i < 50; ++i) client_->turn(client_talker_, 100us);
  if (GetParam() == IdleStrategy::kSpin) {
    EXPECT_EQ(client_->statistics().waits, 0U);
  } else if (GetParam() == IdleStrategy::kBlock) {
    EXPECT_GT(client_->statistics().waits, 40U);
  }
}

TEST_P(EachIdleStrategy, TurnsWithoutWorkMakeTheKeysOfHandshakesToCome) {
  for (int i = 0; i < 20; ++i) client_->turn(client_talker_, Duration::zero());
  const EndpointStatistics before = client_->endpoint().statistics();
  EXPECT_GE(before.keys_taken, 1U);
  client_talker_.connected = 0;
  ASSERT_TRUE(client_->connect(server_->local_address(), server_keys_));
  turn_until([this] { return client_talker_.connected != 0; });
  const EndpointStatistics after = client_->endpoint().statistics();
  EXPECT_EQ(after.keys_taken, before.keys_taken + 1);
  EXPECT_EQ(after.keys_taken_ready, before.keys_taken_ready + 1);
}

TEST_P(EachIdleStrategy, ATurnThatMayNotWaitDoesNotPoll) {
  client_->turn(client_talker_, Duration::zero());
  const std::uint64_t before = client_->backend().statistics().receive_calls;
  for (int i = 0; i < 10; ++i) client_->turn(client_talker_, Duration::zero());
  EXPECT_EQ(client_->backend().statistics().receive_calls - before, 10U) << "one look a turn";
}

TEST_P(EachIdleStrategy, AnAnswerTakesOneReceiveCallAndOneSendCallAndGoesFirst) {
  constexpr std::uint64_t kMessages = 50;
  const NodeStatistics before = server_->statistics();
  const BackendStatistics calls = server_->backend().statistics();
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(client_->send(client_talker_.connected, Body::owned({1})));
    client_->turn(client_talker_, Duration::zero());
    server_->turn(server_talker_, Duration::zero());
    client_->turn(client_talker_, Duration::zero());
  }
  EXPECT_EQ(client_talker_.received.size(), kMessages);
  EXPECT_EQ(server_->backend().statistics().receive_calls - calls.receive_calls, kMessages);
  // A ping may travel with a message, or alone.
  EXPECT_LE(server_->backend().statistics().send_calls - calls.send_calls, kMessages + 5);
  // Where the machine is slow, pings come with the client's messages, and the answer to two datagrams waits for both.
  EXPECT_GE(server_->statistics().replies - before.replies, kMessages / 4);
}

TEST_P(EachIdleStrategy, RunsPostedCallsInItsNextTurnAndEndsWhenStopped) {
  bool called = false;
  ASSERT_TRUE(client_->post([&called](Node& node) {
    called = true;
    node.stop();
  }));
  client_->run(client_talker_);
  EXPECT_TRUE(called);
  EXPECT_FALSE(client_->stopping()) << "run() may be called again";
  client_->stop();
  client_->run(client_talker_);  // returns at once, for it was stopped before
}

TEST(Node, PollsTheSocketAloneBetweenWholeTurns) {
  NodeConfig config;
  config.socket.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  config.idle = IdleStrategy::kSpin;
  auto node = Node::open(config, make_keys());
  ASSERT_TRUE(node);
  Talker talker;
  talker.wakes_itself = true;  // far away: no reason not to poll
  for (int i = 0; i < 10; ++i) (*node)->turn(talker);
  EXPECT_EQ(talker.turns, 10);
  EXPECT_GT((*node)->backend().statistics().receive_calls, 50U);
  EXPECT_EQ((*node)->statistics().waits, 0U);
}

// Relations, not figures: what the clock says when it is used, against what it said when a turn began.
class NodeTime : public testing::Test {
 protected:
  static std::unique_ptr<Node> open(KeyPair keys, Duration connect_timeout = 15s) {
    NodeConfig config;
    config.socket.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
    config.idle = IdleStrategy::kBlock;
    config.endpoint.handshake.connect_timeout = connect_timeout;
    auto node = Node::open(config, std::move(keys));
    return node ? std::move(*node) : nullptr;
  }
  template <typename Condition>
  static void turn_until(Node& one, Node::Handler& of_one, Node& other, Node::Handler& of_other, Condition condition) {
    const Instant deadline = boot_time_now() + 20s;
    while (!condition() && boot_time_now() < deadline) {
      one.turn(of_one, 1ms);
      other.turn(of_other, 1ms);
    }
  }
};

TEST_F(NodeTime, AConnectAfterAPauseHasItsWholeTime) {
  KeyPair server_keys = make_keys();
  const PublicKey key = server_keys.public_key();
  const auto server = open(std::move(server_keys));
  // Shorter than the pause: an attempt that is timed from the opening is over before it begins.
  const auto client = open(make_keys(), 400ms);
  ASSERT_TRUE(server && client);
  std::this_thread::sleep_for(600ms);
  Talker server_talker;
  Talker client_talker;
  ASSERT_TRUE(client->connect(server->local_address(), key));
  turn_until(*client, client_talker, *server, server_talker, [&] { return client_talker.connected != 0; });
  EXPECT_NE(client_talker.connected, 0U);
}

// Works for a while whenever it hears something, before it answers and after.
struct BusyTalker final : Node::Handler {
  static constexpr Duration kWork = 150ms;
  void on_event(Node& node, ConnectionId connection, Event& event) override {
    if (std::holds_alternative<Connected>(event)) connected = connection;
    if (!std::holds_alternative<MessageReceived>(event)) return;
    std::this_thread::sleep_for(kWork);
    times_advance = times_advance && node.now() - last_turn >= kWork;
    static_cast<void>(node.send(connection, Body::owned({1})));
    ++answered;
  }
  void on_turn(Node& node) override { last_turn = node.last_reading(); }
  ConnectionId connected = 0;
  Instant last_turn{};
  bool times_advance = true;
  int answered = 0;
};

TEST_F(NodeTime, TheWorkOfAHandlerIsNobodysRoundTrip) {
  KeyPair server_keys = make_keys();
  const PublicKey key = server_keys.public_key();
  const auto server = open(std::move(server_keys));
  const auto client = open(make_keys());
  ASSERT_TRUE(server && client);
  BusyTalker busy;
  Talker client_talker;
  ASSERT_TRUE(client->connect(server->local_address(), key));
  turn_until(*client, client_talker, *server, busy,
             [&] { return client_talker.connected != 0 && busy.connected != 0; });
  for (std::size_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(client->send(client_talker.connected, Body::owned({7})));
    turn_until(*client, client_talker, *server, busy, [&] { return client_talker.received.size() == i; });
  }
  // The last answer's acknowledgement.
  turn_until(*client, client_talker, *server, busy,
             [&] { return server->endpoint().statistics(busy.connected)->bytes_in_flight == 0; });
  ASSERT_EQ(busy.answered, 3);
  EXPECT_TRUE(busy.times_advance);
  const auto statistics = server->endpoint().statistics(busy.connected);
  ASSERT_TRUE(statistics);
  EXPECT_GT(statistics->latest_round_trip, Duration::zero());
  EXPECT_LT(statistics->latest_round_trip, BusyTalker::kWork) << "the answer left when it was sent";
}

TEST(Node, RefusesTimesThatNothingCouldWorkWith) {
  for (const Duration time : {Duration::zero(), Duration(-1), Duration::max(), Duration::min()}) {
    NodeConfig config;
    config.socket.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
    config.endpoint.keepalive.idle_timeout = time;
    const auto node = Node::open(config, make_keys());
    ASSERT_FALSE(node);
    EXPECT_EQ(node.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(node.error().message.find("idle time-out"), std::string::npos) << node.error().message;
  }
}

TEST(Node, ConnectsToTheAddressThatAListenerIsBoundTo) {
  NodeConfig config;
  config.socket.bind = SocketAddress::ipv4({}, 0);
  KeyPair server_keys = make_keys();
  const PublicKey key = server_keys.public_key();
  const auto server = Node::open(config, std::move(server_keys));
  const auto client = Node::open(config, make_keys());
  ASSERT_TRUE(server && client);
  ASSERT_TRUE((*server)->local_address().is_wildcard());
  Talker server_talker;
  Talker client_talker;
  ASSERT_TRUE((*client)->connect((*server)->local_address(), key));
  const Instant deadline = boot_time_now() + 20s;
  while (client_talker.connected == 0 && boot_time_now() < deadline) {
    (*client)->turn(client_talker, 1ms);
    (*server)->turn(server_talker, 1ms);
  }
  EXPECT_NE(client_talker.connected, 0U);
}

}  // namespace
}  // namespace godwit::node_test
