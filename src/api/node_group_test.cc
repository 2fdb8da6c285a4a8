// Groups of Nodes on one port: what they make of options, and how they end.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "godwit/godwit.h"

namespace godwit::node_group_test {
namespace {

using namespace std::chrono_literals;
namespace gw = godwit::v1;

class Group : public ::testing::Test {
 protected:
  void open(gw::NodeGroupOptions options) {
    options.shards = 2;
    options.node.bind = "127.0.0.1:0";
    auto opened = gw::NodeGroup::open(options, key_);
    ASSERT_TRUE(opened) << opened.error().message;
    group_ = std::move(*opened);
  }
  void run() {
    loop_ = std::thread([this] {
      group_->run([this](gw::Node& shard, const gw::Event& event) {
        if (event.kind == gw::Event::Kind::kMessage) static_cast<void>(shard.send(event.connection, event.bytes));
        if (event.kind == gw::Event::Kind::kConnected) ++connected_;
      });
    });
  }
  // So many clients have an answer each, or have been closed.
  void talk(std::size_t clients) {
    gw::NodeOptions options;
    options.bind = "127.0.0.1:0";
    for (std::size_t i = 0; i < clients; ++i) {
      auto node = gw::Node::open(options, *gw::SecretKey::generate());
      ASSERT_TRUE(node);
      const auto connection = (*node)->connect(group_->local_address(), group_->public_key());
      ASSERT_TRUE(connection && (*node)->send(*connection, std::vector<std::uint8_t>{1, 2, 3}));
      nodes_.push_back(std::move(*node));
    }
    turn_until([&] { return answered_ + closed_ >= clients; });
  }
  template <typename Condition>
  void turn_until(Condition condition) {
    const gw::Node::Handler count = [&](gw::Node&, const gw::Event& event) {
      if (event.kind == gw::Event::Kind::kMessage) ++answered_;
      if (event.kind != gw::Event::Kind::kClosed) return;
      ++closed_;
      words_ = event.text;
    };
    for (int turn = 0; turn < 20'000 && !condition(); ++turn) {
      for (const auto& node : nodes_) node->turn(count, 100us);
    }
    EXPECT_TRUE(condition());
  }
  void TearDown() override {
    if (!loop_.joinable()) return;
    group_->stop();
    loop_.join();
  }

  const gw::SecretKey key_ = *gw::SecretKey::generate();
  std::unique_ptr<gw::NodeGroup> group_;
  std::thread loop_;
  std::vector<std::unique_ptr<gw::Node>> nodes_;
  std::atomic<std::size_t> connected_ = 0;
  std::size_t answered_ = 0;
  std::size_t closed_ = 0;
  std::string words_;
};

TEST_F(Group, EachShardHasATraceOfItsOwnOnItsThread) {
  struct Shard {
    std::vector<std::string> records;
    std::vector<std::thread::id> threads;
  };
  std::mutex mutex;
  std::vector<Shard> shards(2);
  gw::NodeGroupOptions options;
  options.trace = [&](std::size_t shard, std::string_view record) {
    const std::lock_guard lock(mutex);
    shards.at(shard).records.emplace_back(record);
    shards[shard].threads.push_back(std::this_thread::get_id());
  };
  open(options);
  run();
  talk(12);
  group_->stop();
  loop_.join();
  std::size_t established = 0;
  for (const Shard& shard : shards) {
    ASSERT_FALSE(shard.records.empty());
    EXPECT_NE(shard.records[0].find("qlog_version"), std::string::npos) << "each begins with its header";
    EXPECT_EQ(shard.threads[0], std::this_thread::get_id());
    for (std::size_t i = 1; i < shard.records.size(); ++i) {
      EXPECT_EQ(shard.threads[i], shard.threads[1]) << "one thread drives a shard";
      EXPECT_EQ(shard.records[i].find("qlog_version"), std::string::npos);
      if (shard.records[i].find("\"new\":\"established\"") != std::string::npos) ++established;
    }
  }
  EXPECT_EQ(established, 12U);
}

TEST_F(Group, AnOptionThatWouldBeIgnoredIsAnError) {
  gw::NodeGroupOptions options{.shards = 2};
  options.node.bind = "127.0.0.1:0";
  options.node.transport.trace = [](std::string_view) {};
  const auto refused = gw::NodeGroup::open(options, key_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, gw::ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("NodeGroupOptions::trace"), std::string::npos) << refused.error().message;
}

TEST_F(Group, TellsItsPeersBeforeItEnds) {
  open({});
  run();
  talk(6);
  ASSERT_EQ(answered_, 6U);
  ASSERT_TRUE(group_->shut_down(30s, "good night"));
  turn_until([&] { return closed_ == 6; });
  loop_.join();
  EXPECT_EQ(words_, "good night");
}

TEST_F(Group, APeerOfAnotherShardIsRefusedByEveryWayToConnect) {
  open({});
  run();
  // An address of each shard.
  std::vector<std::string> addresses(2);
  for (int port = 20'000; addresses[0].empty() || addresses[1].empty(); ++port) {
    const std::string address = "127.0.0.1:" + std::to_string(port);
    addresses[*group_->shard_of(address)] = address;
  }
  std::atomic<int> done = 0;
  ASSERT_TRUE(group_->post(0, [&](gw::Node& shard) {
    const std::string key = shard.public_key();
    const auto never = [](gw::Node&, const gw::Result<gw::ConnectionId>&) { ADD_FAILURE(); };
    EXPECT_EQ(shard.connect(addresses[1], key).error().code, gw::ErrorCode::kInvalidArgument);
    EXPECT_EQ(shard.connect(addresses, key, never).error().code, gw::ErrorCode::kInvalidArgument);
    gw::Ticket ticket{.public_key = key, .addresses = {addresses[1]}, .hosts = {}, .rendezvous = {}};
    EXPECT_EQ(shard.connect(ticket, never).error().code, gw::ErrorCode::kInvalidArgument);
    ticket = {.public_key = key, .addresses = {}, .hosts = {}, .rendezvous = {{addresses[0], key}}};
    EXPECT_EQ(shard.connect(ticket, never).error().code, gw::ErrorCode::kUnsupported);
    EXPECT_EQ(shard.register_at(ticket.rendezvous[0]).error().code, gw::ErrorCode::kUnsupported);
    ++done;
  }));
  for (int wait = 0; wait < 20'000 && done == 0; ++wait) std::this_thread::sleep_for(100us);
  EXPECT_EQ(done, 1);
}

TEST_F(Group, AsksOneFilterOnAllShards) {
  std::atomic<int> asked = 0;
  gw::NodeGroupOptions options;
  options.node.transport.admit_key = [&](std::string_view) {
    ++asked;
    return false;
  };
  open(options);
  run();
  talk(6);
  EXPECT_EQ(closed_, 6U);
  EXPECT_EQ(words_, "the peer is not admitted");
  EXPECT_EQ(connected_, 0U);
  group_->stop();
  loop_.join();
  EXPECT_EQ(asked, 6);
  group_->collect([](const gw::GroupStatistics& sum) {
    EXPECT_EQ(sum.unadmitted_peers, 6U);
    EXPECT_EQ(sum.connections_opened, 0U);
  });
}

}  // namespace
}  // namespace godwit::node_group_test
