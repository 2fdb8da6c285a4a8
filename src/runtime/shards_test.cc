#include "runtime/shards.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

namespace godwit::shards_test {
namespace {

KeyPair make_keys() {
  SystemRandom random;
  return std::move(*KeyPair::generate(random));
}

NodeConfig loopback_config() {
  NodeConfig config;
  config.socket.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  config.socket.receive_buffer_bytes = std::size_t{1} << 20;
  config.backend = BackendKind::kGso;
  config.idle = IdleStrategy::kBlock;
  return config;
}

// Counts what happens; answers each message with one of its own.
struct Counter final : Node::Handler {
  void on_event(Node& node, ConnectionId connection, Event& event) override {
    if (std::holds_alternative<Connected>(event)) ++connected;
    if (const auto* ended = std::get_if<Closed>(&event)) {
      ++closed;
      why = ended->text;
    }
    if (const auto* whole = std::get_if<StreamMessage>(&event)) stream_bytes += whole->payload.size();
    if (std::holds_alternative<MessageReceived>(event)) {
      ++messages;
      if (echo) static_cast<void>(node.send(connection, Body::owned({1, 2, 3})));
    }
  }
  bool echo = false;
  int connected = 0;
  int closed = 0;
  int messages = 0;
  std::size_t stream_bytes = 0;
  std::string why;
};

// A group and the peers that connect to it, turned by hand on one thread.
class ShardsTest : public testing::Test {
 protected:
  void open(std::size_t count, std::size_t clients, const NodeConfig& config = loopback_config()) {
    auto opened = Shards::open(config, keys_, {.count = count});
    ASSERT_TRUE(opened) << opened.error().message;
    group_ = std::move(*opened);
    ASSERT_TRUE(group_->steering_error()) << group_->steering_error().error().message;
    servers_.resize(count);
    for (Counter& server : servers_) server.echo = true;
    for (std::size_t i = 0; i < clients; ++i) {
      auto node = Node::open(loopback_config(), make_keys());
      ASSERT_TRUE(node);
      clients_.push_back({.node = std::move(*node)});
    }
  }
  struct Client {
    std::unique_ptr<Node> node;
    Counter counter = {};
    ConnectionId connection = 0;
    [[nodiscard]] const SocketAddress& address() const { return node->local_address(); }
  };

  void initiate(Client& client) {
    const auto connection = client.node->connect(group_->local_address(), keys_.public_key());
    ASSERT_TRUE(connection);
    client.connection = *connection;
  }
  void initiate_all() {
    for (Client& client : clients_) initiate(client);
    turn_until([&] { return established() == clients_.size() && opened() == clients_.size(); });
  }
  void send_from_all() {
    for (Client& client : clients_) ASSERT_TRUE(client.node->send(client.connection, Body::owned({7})));
  }
  template <typename Condition>
  void turn_until(const Condition& condition) {
    for (int round = 0; round < 20'000 && !condition(); ++round) {
      for (std::size_t i = 0; i < group_->size(); ++i) {
        if (Node* node = group_->node(i)) node->turn(servers_[i], Duration::zero());
      }
      for (Client& client : clients_) client.node->turn(client.counter, Duration{1000});
    }
    ASSERT_TRUE(condition());
  }
  [[nodiscard]] std::size_t established() const {
    std::size_t sum = 0;
    for (const Client& client : clients_) sum += static_cast<std::size_t>(client.counter.connected);
    return sum;
  }
  [[nodiscard]] std::size_t opened() const { return group_->statistics().endpoint.connections_opened; }
  [[nodiscard]] int echoes() const {
    int sum = 0;
    for (const Client& client : clients_) sum += client.counter.messages;
    return sum;
  }
  // Whether every shard has exactly the connections of its own peers.
  void expect_each_at_its_shard() {
    for (std::size_t i = 0; i < group_->size(); ++i) {
      if (group_->node(i) == nullptr) continue;
      const Endpoint& endpoint = group_->node(i)->endpoint();
      std::size_t own = 0;
      for (const Client& client : clients_) own += group_->shard_of(client.address()) == i ? 1U : 0U;
      EXPECT_EQ(endpoint.connection_count(), own);
      for (const ConnectionId connection : endpoint.connections()) {
        EXPECT_EQ(group_->shard_of(*endpoint.remote_address(connection)), i);
      }
    }
  }

  KeyPair keys_ = make_keys();
  std::unique_ptr<Shards> group_;
  std::vector<Counter> servers_;
  std::vector<Client> clients_;
};

TEST_F(ShardsTest, ConnectionsSpreadAndEachStaysWithItsShard) {
  open(4, 32);
  initiate_all();
  expect_each_at_its_shard();
  std::size_t used = 0;
  for (const std::size_t count : group_->statistics().connections) used += count > 0 ? 1U : 0U;
  EXPECT_GE(used, 3U);  // one shard of four stays empty once in 2500 runs
  for (int round = 1; round <= 3; ++round) {
    send_from_all();
    turn_until([&] { return echoes() == round * 32; });
  }
  expect_each_at_its_shard();
  EXPECT_EQ(group_->statistics().link.forwarded_batches, 0U);
}

// The bound on inbound memory is one for all shards: what one of them needs beyond its part the others lend.
TEST_F(ShardsTest, AMessageMayUseMoreThanTheShareOfItsShard) {
  NodeConfig config = loopback_config();
  config.endpoint.reassembly_bytes = std::uint64_t{12} << 20;
  open(4, 1, config);
  initiate_all();
  constexpr std::size_t kBytes = std::size_t{5} << 20;
  ASSERT_TRUE(clients_[0].node->send(clients_[0].connection, Body::owned(std::vector<std::uint8_t>(kBytes))));
  turn_until([&] {
    std::size_t bytes = 0;
    for (const Counter& server : servers_) bytes += server.stream_bytes;
    return bytes == kBytes;
  });
  EXPECT_EQ(group_->statistics().endpoint.reassembly_refused, 0U);
}

TEST_F(ShardsTest, APeersOwnShardConnectsToItAndTheOthersRefuse) {
  open(3, 6);
  for (Client& client : clients_) {
    const std::size_t own = group_->shard_of(client.address());
    for (std::size_t i = 0; i < 3; ++i) {
      const auto started = group_->node(i)->connect(client.address(), client.node->endpoint().public_key());
      EXPECT_EQ(started.has_value(), i == own);
    }
  }
  turn_until([&] {
    int started = 0;
    for (const Counter& server : servers_) started += server.connected;
    return started == 6 && established() == 6;
  });
  expect_each_at_its_shard();
  EXPECT_EQ(group_->statistics().link.forwarded_batches, 0U);
}

TEST_F(ShardsTest, ASimultaneousOpenMeetsOnOneShard) {
  open(3, 8);
  for (Client& client : clients_) {
    Node& own = *group_->node(group_->shard_of(client.address()));
    ASSERT_TRUE(own.connect(client.address(), client.node->endpoint().public_key()));
    initiate(client);
  }
  turn_until([&] { return established() >= 8 && group_->statistics().open_connections() == 8; });
  send_from_all();
  turn_until([&] { return echoes() == 8; });
  expect_each_at_its_shard();
}

TEST_F(ShardsTest, APeerThatComesAgainFindsItsShardAgain) {
  open(4, 8);
  initiate_all();
  for (Client& client : clients_) client.node->close(client.connection);
  turn_until([&] { return group_->statistics().endpoint.connections_closed.total() == 8; });
  for (Client& client : clients_) initiate(client);
  turn_until([&] { return established() == 16 && opened() == 16; });
  expect_each_at_its_shard();
}

TEST_F(ShardsTest, WhatReachesTheWrongSocketIsForwarded) {
  open(4, 16);
  // As a kernel that does not steer: everything goes to the first socket.
  const std::vector<std::size_t> first(4, 0);
  ASSERT_TRUE(PortSteering(1, 4).attach(group_->node(0)->backend().socket(), first));
  initiate_all();
  send_from_all();
  turn_until([&] { return echoes() == 16; });
  expect_each_at_its_shard();
  const ShardLinkStatistics link = group_->statistics().link;
  EXPECT_GT(link.forwarded_batches, 0U);
  EXPECT_EQ(link.received_batches, link.forwarded_batches);
  EXPECT_EQ(link.refused_datagrams, 0U);
}

TEST_F(ShardsTest, OneShardClosesAndTheOthersTakeItsPeers) {
  open(3, 24);
  initiate_all();
  std::set<const Client*> orphans;
  for (const Client& client : clients_) {
    if (group_->shard_of(client.address()) == 1) orphans.insert(&client);
  }
  ASSERT_TRUE(group_->retire(1, "maintenance"));
  EXPECT_FALSE(group_->retire(1, "twice"));
  turn_until([&] { return group_->finish_retirement(1, false); });
  EXPECT_EQ(group_->node(1), nullptr);
  turn_until([&] {
    std::size_t closed = 0;
    for (const Client& client : clients_) closed += static_cast<std::size_t>(client.counter.closed);
    return closed == orphans.size();
  });
  for (Client& client : clients_) {
    const bool orphan = orphans.contains(&client);
    EXPECT_EQ(client.counter.closed, orphan ? 1 : 0);
    if (!orphan) continue;
    EXPECT_EQ(client.counter.why, "maintenance");
    initiate(client);
  }
  turn_until([&] { return established() == 24 + orphans.size() && opened() == 24 + orphans.size(); });
  send_from_all();
  turn_until([&] { return echoes() == 24; });
  expect_each_at_its_shard();
  EXPECT_TRUE(group_->retire(0, ""));
  EXPECT_FALSE(group_->retire(2, "")) << "the last one stays";
}

TEST_F(ShardsTest, StatisticsAreSummedOverShardsThatHaveEnded) {
  open(2, 8);
  initiate_all();
  const auto before = group_->statistics();
  EXPECT_EQ(before.endpoint.connections_opened, 8U);
  EXPECT_EQ(before.open_connections(), 8U);
  ASSERT_TRUE(group_->retire(0, ""));
  turn_until([&] { return group_->finish_retirement(0, false); });
  const auto after = group_->statistics();
  EXPECT_EQ(after.endpoint.connections_opened, 8U);
  EXPECT_GE(after.backend.datagrams_received, before.backend.datagrams_received);
  EXPECT_EQ(after.connections[0], 0U);
}

TEST_F(ShardsTest, AMailboxIsBounded) {
  ShardMailbox mailbox;
  std::vector<std::uint8_t> bytes(100);
  const DatagramBatch batch{.local = {}, .remote = {}, .bytes = bytes, .segment_size = 100};
  for (std::size_t i = 0; i < ShardMailbox::kMaxBatches; ++i) EXPECT_TRUE(mailbox.put(batch));
  EXPECT_FALSE(mailbox.put(batch));
  std::vector<ShardMailbox::Parcel> parcels;
  mailbox.take(parcels);
  EXPECT_EQ(parcels.size(), ShardMailbox::kMaxBatches);
  EXPECT_EQ(parcels.front().batch.bytes.data(), parcels.front().bytes.data());
  EXPECT_TRUE(mailbox.put(batch));
  mailbox.close();
  EXPECT_FALSE(mailbox.put(batch));
}

TEST_F(ShardsTest, EachShardRunsOnItsOwnThread) {
  open(2, 8);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  struct Server final : Node::Handler {
    Server(std::mutex& guard, std::set<std::thread::id>& seen) : mutex_(guard), threads_(seen) {}
    void on_event(Node& node, ConnectionId connection, Event& event) override {
      if (!std::holds_alternative<MessageReceived>(event)) return;
      static_cast<void>(node.send(connection, Body::owned({9})));
      const std::lock_guard lock(mutex_);
      threads_.insert(std::this_thread::get_id());
    }
    std::mutex& mutex_;
    std::set<std::thread::id>& threads_;
  };
  std::thread loop([&] { group_->run([&](std::size_t) { return std::make_unique<Server>(mutex, threads); }); });
  for (Client& client : clients_) initiate(client);
  send_from_all();
  for (int round = 0; round < 20'000 && echoes() < 8; ++round) {
    for (Client& client : clients_) client.node->turn(client.counter, Duration{100'000});
  }
  EXPECT_EQ(echoes(), 8);
  std::atomic<std::uint64_t> counted{0};
  group_->collect([&](const ShardsStatistics& sum) { counted = sum.endpoint.connections_opened; });
  for (int round = 0; round < 20'000 && counted == 0; ++round) {
    clients_.front().node->turn(clients_.front().counter, Duration{100'000});
  }
  EXPECT_EQ(counted, 8U);
  group_->stop();
  loop.join();
  std::set<std::size_t> used;
  for (const Client& client : clients_) used.insert(group_->shard_of(client.address()));
  EXPECT_EQ(threads.size(), used.size());
  EXPECT_EQ(group_->statistics().open_connections(), 8U);
}

TEST(Shards, OneAloneIsAnOrdinaryNode) {
  const auto group = Shards::open(loopback_config(), make_keys(), {.count = 1});
  ASSERT_TRUE(group);
  EXPECT_EQ((*group)->size(), 1U);
  EXPECT_FALSE((*group)->retire(0, ""));
}

TEST(Shards, RefusesAPortThatOthersHold) {
  const auto holder = Shards::open(loopback_config(), make_keys(), {.count = 2});
  ASSERT_TRUE(holder);
  NodeConfig config = loopback_config();
  config.socket.bind = (*holder)->local_address();
  const auto group = Shards::open(config, make_keys(), {.count = 2});
  ASSERT_FALSE(group);
  EXPECT_NE(group.error().message.find("cannot bind"), std::string::npos);
}

}  // namespace
}  // namespace godwit::shards_test
