#include "runtime/node.h"

#include <gtest/gtest.h>

#include <vector>

#include "runtime/clock.h"

namespace godwit {
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

TEST_P(EachIdleStrategy, ATurnThatMayNotWaitDoesNotPoll) {
  client_->turn(client_talker_, Duration::zero());
  const std::uint64_t before = client_->backend().statistics().receive_calls;
  for (int i = 0; i < 10; ++i) client_->turn(client_talker_, Duration::zero());
  EXPECT_EQ(client_->backend().statistics().receive_calls - before, 10U) << "one look a turn";
}

TEST_P(EachIdleStrategy, RunsPostedCallsInItsNextTurnAndEndsWhenStopped) {
  bool called = false;
  ASSERT_TRUE(client_->post([&called](Node& node) {
    called = true;
    node.stop();
  }));
  client_->run(client_talker_);
  EXPECT_TRUE(called);
  EXPECT_TRUE(client_->stopping());
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

}  // namespace
}  // namespace godwit
