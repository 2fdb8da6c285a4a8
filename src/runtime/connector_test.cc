#include "runtime/connector.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "transport/memory_network_test_support.h"

namespace godwit {
namespace {

SocketAddress at(const char* text) {
  return *SocketAddress::parse(text);
}

// One client and servers at some addresses, with one key and without a delay; datagrams to other addresses are lost.
class ConnectorTest : public testing::Test, protected test::MemoryNetwork {
 protected:
  ConnectorTest() : MemoryNetwork(7), server_keys_(*KeyPair::generate(random)), client_(add(kClient, config())) {
    direct = true;
    client_.on_turn = [this](Instant at) { connector_->on_turn(at); };
    client_.next_timeout = [this] { return connector_->next_timeout(); };
    client_.on_event = [this](Instant at, ConnectionId connection, Event& event) {
      if (connector_->on_event(at, connection, event)) return;
      if (const auto* connected = std::get_if<Connected>(&event)) heard_.push_back(connected->remote);
    };
  }

  static Config config() {
    Config config;
    config.handshake.connect_timeout = 5s;
    return config;
  }
  Node& serve(const char* address) {
    Node& server = add(at(address));
    server.keys = *KeyPair::from_secret(server_keys_.secret().bytes());
    restart(server);
    return server;
  }
  Connector& connect(std::vector<const char*> addresses) {
    std::vector<SocketAddress> parsed;
    for (const char* address : addresses) parsed.push_back(at(address));
    connector_ = std::make_unique<Connector>(client(), parsed, server_keys_.public_key());
    EXPECT_TRUE(connector_->start(now));
    return *connector_;
  }
  Endpoint& client() { return *client_.endpoint; }

  inline static const SocketAddress kClient = SocketAddress::ipv4({192, 0, 2, 99}, 5);
  KeyPair server_keys_;
  Node& client_;
  std::unique_ptr<Connector> connector_;
  std::vector<SocketAddress> heard_;  // the Connected events that the owner sees
};

TEST_F(ConnectorTest, TriesTheNextAddressAfterAQuarterOfASecondAndReportsTheOneThatAnswers) {
  serve("192.0.2.2:1");
  Connector& connector = connect({"[2001:db8::2]:1", "192.0.2.2:1"});
  run(240ms);
  EXPECT_EQ(connector.attempts(), 1U);
  run(100ms);
  EXPECT_EQ(connector.attempts(), 2U);
  EXPECT_EQ(heard_, std::vector<SocketAddress>{at("192.0.2.2:1")});
  EXPECT_NE(connector.connection(), 0U);
  EXPECT_FALSE(connector.connecting());
  EXPECT_EQ(client().connection_count(), 1U) << "the other attempt is closed";
}

TEST_F(ConnectorTest, LeavesTheOtherAddressesAloneWhenTheFirstAnswers) {
  serve("[2001:db8::2]:1");
  const Node& second = serve("192.0.2.2:1");
  Connector& connector = connect({"[2001:db8::2]:1", "192.0.2.2:1"});
  run(1s);
  EXPECT_EQ(connector.attempts(), 1U);
  EXPECT_EQ(second.endpoint->statistics().datagrams_received, 0U);
}

TEST_F(ConnectorTest, KeepsOneConnectionWhenTwoAddressesAnswer) {
  Connector& connector = connect({"192.0.2.2:1", "192.0.2.3:1"});
  run(260ms);
  serve("192.0.2.2:1");
  serve("192.0.2.3:1");
  run(3s);
  EXPECT_EQ(heard_.size(), 1U);
  EXPECT_EQ(client().connection_count(), 1U);
  EXPECT_EQ(client().remote_address(connector.connection()), heard_.front());
}

TEST_F(ConnectorTest, DoesNotWaitForAnAttemptThatTheKernelCallsHopeless) {
  serve("192.0.2.2:1");
  Connector& connector = connect({"[2001:db8::2]:1", "192.0.2.2:1"});
  run(10ms);
  EXPECT_EQ(connector.attempts(), 1U);
  client().on_path_report(now, {.remote = at("[2001:db8::2]:1"), .problem = PathProblem::kNetworkUnreachable});
  run(20ms);
  EXPECT_EQ(connector.attempts(), 2U);
  EXPECT_EQ(heard_, std::vector<SocketAddress>{at("192.0.2.2:1")});
}

TEST_F(ConnectorTest, NamesEveryAddressWhenNoneAnswers) {
  Connector& connector = connect({"192.0.2.2:1", "192.0.2.3:1"});
  client().on_path_report(now, {.remote = at("192.0.2.2:1"), .problem = PathProblem::kPortUnreachable});
  run(6s);
  ASSERT_TRUE(connector.failure());
  EXPECT_EQ(connector.failure()->message,
            "cannot connect to 192.0.2.2:1: no answer: port unreachable; to 192.0.2.3:1: no answer (nothing listens "
            "there, a firewall drops UDP, or the key is not this peer's)");
  EXPECT_EQ(client().connection_count(), 0U);
  EXPECT_TRUE(heard_.empty());
}

TEST_F(ConnectorTest, GivesUpWithinSecondsWhereNobodyListensAtAnyAddress) {
  client_.config.handshake.connect_timeout = 60s;
  restart(client_);
  Connector& connector = connect({"192.0.2.2:1", "192.0.2.3:1"});
  const auto refuse = [this](const char* address) {
    client().on_path_report(now, {.remote = at(address), .problem = PathProblem::kPortUnreachable});
  };
  refuse("192.0.2.2:1");
  run(1s);
  run(6s);
  EXPECT_FALSE(connector.failure()) << "the second one may answer yet";
  refuse("192.0.2.3:1");
  run(1s);
  ASSERT_TRUE(connector.failure());
  EXPECT_EQ(connector.failure()->message,
            "cannot connect to 192.0.2.2:1: no answer: port unreachable; to 192.0.2.3:1: no answer: port unreachable");
  EXPECT_EQ(client().connection_count(), 0U);
  EXPECT_TRUE(connector.finished());
}

TEST_F(ConnectorTest, WaitsForAPeerThatOpensItsPortALittleLater) {
  Connector& connector = connect({"192.0.2.2:1"});
  client().on_path_report(now, {.remote = at("192.0.2.2:1"), .problem = PathProblem::kPortUnreachable});
  run(3s);
  EXPECT_FALSE(connector.failure());
  serve("192.0.2.2:1");
  run(1500ms);
  EXPECT_NE(connector.connection(), 0U);
}

TEST_F(ConnectorTest, GoesPastAnAddressThatCannotBeConnectedTo) {
  serve("192.0.2.2:1");
  Connector& connector = connect({"[fe80::1]:1", "192.0.2.2:1"});
  run(100ms);
  EXPECT_NE(connector.connection(), 0U) << "without a delay";
  Connector refused(client(), {at("[fe80::1]:1")}, server_keys_.public_key());
  const Status started = refused.start(now);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ConnectorTest, ConnectsAnewToTheAddressThatHasWon) {
  serve("192.0.2.2:1");
  Connector& connector = connect({"[2001:db8::2]:1", "192.0.2.2:1"});
  run(1s);
  const ConnectionId first = connector.connection();
  ASSERT_TRUE(connector.start(now));
  EXPECT_EQ(connector.connection(), 0U);
  run(2s);
  EXPECT_NE(connector.connection(), 0U);
  EXPECT_NE(connector.connection(), first);
  EXPECT_EQ(connector.attempts(), 1U);
}

TEST(InterleaveFamilies, TakesTurnsFromTheFirstOnAndLeavesDuplicatesOut) {
  const std::vector<SocketAddress> given = {at("[::2]:1"), at("[::3]:1"), at("192.0.2.1:1"),
                                            at("[::2]:1"), at("[::4]:1"), at("192.0.2.2:1")};
  const std::vector<SocketAddress> expected = {at("[::2]:1"), at("192.0.2.1:1"), at("[::3]:1"), at("192.0.2.2:1"),
                                               at("[::4]:1")};
  EXPECT_EQ(interleave_families(given), expected);
  EXPECT_TRUE(interleave_families({}).empty());
}

}  // namespace
}  // namespace godwit
