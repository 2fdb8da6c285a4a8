// The public API, used as an application uses it: standard types in, standard types out.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "godwit/godwit.h"

namespace {

using namespace std::chrono_literals;
namespace gw = godwit::v1;

TEST(PublicNode, SendsAMessageToAnotherNode) {
  const auto key_a = gw::SecretKey::generate();
  const auto key_b = gw::SecretKey::generate();
  ASSERT_TRUE(key_a && key_b);
  gw::NodeOptions options;
  options.bind = "127.0.0.1:0";
  const auto a = gw::Node::open(options, *key_a);
  const auto b = gw::Node::open(options, *key_b);
  ASSERT_TRUE(a && b);
  EXPECT_EQ((*b)->public_key(), key_b->public_key());

  std::vector<std::uint8_t> received;
  const gw::Node::Handler listen = [&](gw::Node&, const gw::Event& event) {
    if (event.kind == gw::Event::Kind::kMessage) received.assign(event.bytes.begin(), event.bytes.end());
  };
  bool acknowledged = false;
  bool authenticated = false;
  const gw::Node::Handler connecting = [&](gw::Node&, const gw::Event& event) {
    if (event.kind == gw::Event::Kind::kConnected) authenticated = event.authenticated;
    if (event.kind == gw::Event::Kind::kAcknowledged) acknowledged = true;
  };
  const auto connection = (*a)->connect((*b)->local_address(), (*b)->public_key());
  ASSERT_TRUE(connection) << connection.error().message;
  const std::vector<std::uint8_t> message(100'000, 7);
  ASSERT_TRUE((*a)->send_borrowed(*connection, message));
  for (int turn = 0; turn < 20'000 && !acknowledged; ++turn) {
    (*a)->turn(connecting, 1ms);
    (*b)->turn(listen, 1ms);
  }
  EXPECT_TRUE(acknowledged);
  EXPECT_TRUE(authenticated);
  EXPECT_EQ(received, message);
  EXPECT_GT((*a)->statistics(*connection)->packets_sent, 11U);
}

TEST(PublicNode, SaysWhatIsWrongWithItsOptions) {
  const auto key = gw::SecretKey::generate();
  gw::NodeOptions options;
  options.bind = "nowhere";
  EXPECT_EQ(gw::Node::open(options, *key).error().code, gw::ErrorCode::kInvalidArgument);
  options.bind = "127.0.0.1:0";
  options.backend = "pigeon";
  EXPECT_EQ(gw::Node::open(options, *key).error().code, gw::ErrorCode::kInvalidArgument);
  options.backend = "auto";
  options.transport.congestion = "hope";
  EXPECT_EQ(gw::Node::open(options, *key).error().message, "no congestion controller 'hope'");
  options.transport.congestion = "bbr";
  const auto node = gw::Node::open(options, *key);
  ASSERT_TRUE(node);
  EXPECT_EQ((*node)->connect("127.0.0.1:1", "zz").error().code, gw::ErrorCode::kInvalidArgument);
  EXPECT_EQ((*node)->send(12345, std::vector<std::uint8_t>{1}).error().code, gw::ErrorCode::kNotFound);
}

TEST(PublicNode, NamesTheTimeThatNothingCouldWorkWith) {
  const auto key = gw::SecretKey::generate();
  for (const gw::Duration time : {gw::Duration::zero(), gw::Duration(-5s), gw::Duration::max(), gw::Duration::min()}) {
    gw::NodeOptions options;
    options.bind = "127.0.0.1:0";
    options.transport.idle_timeout = time;
    const auto node = gw::Node::open(options, *key);
    ASSERT_FALSE(node);
    EXPECT_EQ(node.error().code, gw::ErrorCode::kInvalidArgument);
    EXPECT_NE(node.error().message.find("idle time-out"), std::string::npos) << node.error().message;
    options.transport.idle_timeout = 120s;
    options.transport.connect_timeout = time;
    const auto endpoint = gw::Endpoint::make(options.transport, *key);
    ASSERT_FALSE(endpoint);
    EXPECT_NE(endpoint.error().message.find("connect time-out"), std::string::npos) << endpoint.error().message;
  }
  gw::NodeOptions options;
  options.bind = "127.0.0.1:0";
  options.receive_buffer_bytes = 0;
  EXPECT_EQ(gw::Node::open(options, *key).error().code, gw::ErrorCode::kInvalidArgument);
  options.receive_buffer_bytes = 1 << 20;
  options.transport.max_connections = 0;
  EXPECT_EQ(gw::Node::open(options, *key).error().code, gw::ErrorCode::kInvalidArgument);
  options.transport.max_connections = 10;
  for (const std::uint32_t handshakes : {0U, 100'001U}) {
    options.transport.stranger_handshakes_per_second = handshakes;
    EXPECT_EQ(gw::Node::open(options, *key).error().code, gw::ErrorCode::kInvalidArgument);
  }
  options.transport.stranger_handshakes_per_second = 8000;
  EXPECT_TRUE(gw::Node::open(options, *key));
  options.threads = 65;
  EXPECT_EQ(gw::Node::open(options, *key).error().code, gw::ErrorCode::kInvalidArgument);
  options.threads = 3;
  EXPECT_TRUE(gw::Node::open(options, *key));
}

TEST(PublicNode, LeavesTheBytesOfARefusedMessageWithTheCaller) {
  const auto key = gw::SecretKey::generate();
  gw::NodeOptions options;
  options.bind = "127.0.0.1:0";
  const auto node = gw::Node::open(options, *key);
  ASSERT_TRUE(node);
  std::vector<std::uint8_t> bytes(5000, 9);
  const std::vector<std::uint8_t> original = bytes;
  ASSERT_FALSE((*node)->send(12345, std::move(bytes)));
  EXPECT_EQ(bytes, original);
  // A queue that is full refuses as well; nobody answers here, so nothing leaves it.
  const auto connection = (*node)->connect("127.0.0.1:9", key->public_key());
  ASSERT_TRUE(connection);
  bool refused = false;
  for (int i = 0; i < 100'000 && !refused; ++i) {
    bytes.assign(1000, 9);
    const auto sent = (*node)->send(*connection, std::move(bytes));
    refused = !sent;
    if (!refused) continue;
    EXPECT_EQ(sent.error().code, gw::ErrorCode::kWouldBlock);
    EXPECT_EQ(bytes, std::vector<std::uint8_t>(1000, 9));
  }
  EXPECT_TRUE(refused);

  auto endpoint = gw::Endpoint::make({}, *key);
  ASSERT_TRUE(endpoint);
  bytes = original;
  ASSERT_FALSE((*endpoint)->send(1h, 12345, std::move(bytes)));
  EXPECT_EQ(bytes, original);
}

TEST(PublicEndpoint, KeepsTheScopeOfALinkLocalAddress) {
  const auto address = gw::Address::parse("[fe80::1%3]:41001");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->scope_id, 3U);
  EXPECT_EQ(address->to_string(), "[fe80::1%3]:41001");
  const auto key = gw::SecretKey::generate();
  const auto endpoint = gw::Endpoint::make({}, *key);
  ASSERT_TRUE(endpoint);
  ASSERT_TRUE((*endpoint)->connect(1h, *address, key->public_key()));
  const gw::Transmit* const transmit = (*endpoint)->poll_transmit(1h);
  ASSERT_NE(transmit, nullptr);
  EXPECT_EQ(transmit->remote.scope_id, 3U);
  const auto without = gw::Address::parse("[fe80::1]:41001");
  EXPECT_EQ((*endpoint)->connect(1h, *without, key->public_key()).error().code, gw::ErrorCode::kInvalidArgument);
}

TEST(PublicNodeGroup, EchoesOnEveryShard) {
  const auto key = gw::SecretKey::generate();
  gw::NodeGroupOptions options{.shards = 2};
  options.node.bind = "127.0.0.1:0";
  const auto group = gw::NodeGroup::open(options, *key);
  ASSERT_TRUE(group) << group.error().message;
  EXPECT_EQ((*group)->size(), 2U);
  std::thread loop([&] {
    (*group)->run([](gw::Node& shard, const gw::Event& event) {
      if (event.kind == gw::Event::Kind::kMessage) static_cast<void>(shard.send(event.connection, event.bytes));
    });
  });
  gw::NodeOptions client;
  client.bind = "127.0.0.1:0";
  int answered = 0;
  const gw::Node::Handler count = [&](gw::Node&, const gw::Event& event) {
    if (event.kind == gw::Event::Kind::kMessage) ++answered;
  };
  std::vector<std::unique_ptr<gw::Node>> nodes;
  for (int i = 0; i < 6; ++i) {
    auto node = gw::Node::open(client, *gw::SecretKey::generate());
    ASSERT_TRUE(node);
    EXPECT_LT((*group)->shard_of((*node)->local_address()).value(), 2U);
    const auto connection = (*node)->connect((*group)->local_address(), (*group)->public_key());
    ASSERT_TRUE(connection && (*node)->send(*connection, std::vector<std::uint8_t>{1, 2, 3}));
    nodes.push_back(std::move(*node));
  }
  for (int turn = 0; turn < 20'000 && answered < 6; ++turn) {
    for (const auto& node : nodes) node->turn(count, 100us);
  }
  EXPECT_EQ(answered, 6);

  // A connection attempt of the group leaves from the shard that the peer belongs to.
  std::atomic<int> started = 0;
  const auto listener = gw::Node::open(client, *gw::SecretKey::generate());
  ASSERT_TRUE((*group)->connect((*listener)->local_address(), (*listener)->public_key(),
                                [&](gw::Node& shard, gw::Result<gw::ConnectionId> connection) {
                                  EXPECT_TRUE(connection);
                                  EXPECT_TRUE(shard.send(*connection, std::vector<std::uint8_t>{4}));
                                  ++started;
                                }));
  for (int turn = 0; turn < 20'000 && answered < 7; ++turn) (*listener)->turn(count, 100us);
  EXPECT_EQ(answered, 7);
  EXPECT_EQ(started, 1);
  EXPECT_EQ((*group)->connect("nowhere", "", {}).error().code, gw::ErrorCode::kInvalidArgument);

  (*group)->stop();
  loop.join();
  (*group)->collect([](const gw::GroupStatistics& sum) {
    EXPECT_EQ(sum.connections_opened, 7U) << "six accepted, one of its own";
    EXPECT_EQ(sum.connections.size(), 2U);
    EXPECT_EQ(sum.refused_datagrams, 0U);
  });
  std::string metrics;
  (*group)->collect_metrics([&](std::string text) { metrics = std::move(text); });
  EXPECT_NE(metrics.find("\ngodwit_endpoint_connections_opened_total 7\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("\ngodwit_shard_refused_datagrams_total 0\n"), std::string::npos);
}

TEST(PublicEndpoint, RunsWithoutASocketOrAClock) {
  const auto key_a = gw::SecretKey::generate();
  const auto key_b = gw::SecretKey::generate();
  auto a = gw::Endpoint::make({}, *key_a);
  auto b = gw::Endpoint::make({}, *key_b);
  ASSERT_TRUE(a && b);
  const auto address_a = gw::Address::parse("192.0.2.1:1");
  const auto address_b = gw::Address::parse("[2001:db8::2]:2");
  ASSERT_TRUE(address_a && address_b);
  EXPECT_EQ(address_b->to_string(), "[2001:db8::2]:2");

  gw::Duration now = 1h;
  const auto connection = (*a)->connect(now, *address_b, key_b->public_key());
  ASSERT_TRUE(connection);
  ASSERT_TRUE((*a)->send(now, *connection, std::vector<std::uint8_t>{'h', 'i'}));
  std::string received;
  const auto carry = [&](gw::Endpoint& from, gw::Endpoint& to, const gw::Address& sender) {
    while (const gw::Transmit* transmit = from.poll_transmit(now)) {
      std::vector<std::uint8_t> bytes(transmit->bytes.begin(), transmit->bytes.end());
      to.receive(now, sender, bytes, transmit->segment_size);
      while (const gw::Event* event = to.poll_event()) {
        if (event->kind == gw::Event::Kind::kMessage) received.assign(event->bytes.begin(), event->bytes.end());
      }
    }
  };
  for (int round = 0; round < 200 && received.empty(); ++round) {
    now += 10ms;
    (*a)->handle_timeout(now);
    (*b)->handle_timeout(now);
    carry(**a, **b, *address_a);
    carry(**b, **a, *address_b);
  }
  EXPECT_EQ(received, "hi");
  EXPECT_TRUE((*a)->next_timeout());
  // One handshake, so that one is prepared.
  EXPECT_TRUE((*a)->prepare_handshakes());
  EXPECT_FALSE((*a)->prepare_handshakes());
}

TEST(PublicSecretKey, RefusesWhatIsNoKey) {
  EXPECT_FALSE(gw::SecretKey::from_bytes(std::vector<std::uint8_t>(31)));
  const std::vector<std::uint8_t> bytes(32, 0x42);
  const auto key = gw::SecretKey::from_bytes(bytes);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->public_key(), "132c442be010fbd57e72603328aa76e71fccc1503aae219327d14d9c9993f472");
}

}  // namespace
