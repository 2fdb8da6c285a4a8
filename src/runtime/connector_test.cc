#include "runtime/connector.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/random.h"

namespace godwit {
namespace {

SocketAddress at(const char* text) {
  return *SocketAddress::parse(text);
}

// One client and servers at some addresses, in virtual time; datagrams to other addresses are lost.
class ConnectorTest : public testing::Test {
 protected:
  ConnectorTest()
      : server_keys_(*KeyPair::generate(random_)),
        client_(std::make_unique<Endpoint>(config(), *KeyPair::generate(random_), random_)) {}

  static Config config() {
    Config config;
    config.handshake.connect_timeout = 5s;
    return config;
  }
  void serve(const char* address) {
    servers_[at(address)] =
        std::make_unique<Endpoint>(Config{}, *KeyPair::from_secret(server_keys_.secret().bytes()), random_);
  }
  Connector& connect(std::vector<const char*> addresses) {
    std::vector<SocketAddress> parsed;
    for (const char* address : addresses) parsed.push_back(at(address));
    connector_ = std::make_unique<Connector>(*client_, parsed, server_keys_.public_key());
    EXPECT_TRUE(connector_->start(now_));
    return *connector_;
  }
  void run_for(Duration time) {
    for (const Instant end = now_ + time; now_ < end; now_ += 1ms) {
      client_->handle_timeout(now_);
      deliver_events();
      connector_->on_turn(now_);
      deliver_events();
      while (const auto run = poll(*client_)) {
        const auto server = servers_.find(run->remote);
        if (server == servers_.end()) continue;
        deliver(*server->second, kClient, *run);
        while (server->second->poll_event() != nullptr) {
        }
      }
      for (const auto& [address, server] : servers_) {
        server->handle_timeout(now_);
        while (const auto run = poll(*server)) deliver(*client_, address, *run);
      }
      deliver_events();
    }
  }
  std::optional<DatagramRun> poll(Endpoint& from) {
    buffer_.reset();
    return from.poll_transmit(now_, buffer_);
  }
  void deliver(Endpoint& to, const SocketAddress& from, const DatagramRun& run) {
    std::vector<std::uint8_t> copy(run.bytes.begin(), run.bytes.end());
    to.receive(now_, {.local = {}, .remote = from, .bytes = copy, .segment_size = run.segment_size});
    if (&to == client_.get()) deliver_events();
  }
  void deliver_events() {
    while (EndpointEvent* event = client_->poll_event()) {
      const ConnectionId connection = event->connection;
      if (connector_->on_event(now_, connection, event->event)) continue;
      if (const auto* connected = std::get_if<Connected>(&event->event)) heard_.push_back(connected->remote);
    }
  }

  inline static const SocketAddress kClient = SocketAddress::ipv4({192, 0, 2, 99}, 5);
  DeterministicRandom random_{7};
  KeyPair server_keys_;
  std::unique_ptr<Endpoint> client_;
  std::map<SocketAddress, std::unique_ptr<Endpoint>> servers_;
  std::unique_ptr<Connector> connector_;
  TransmitBuffer buffer_{128 * 1024};
  Instant now_{100s};
  std::vector<SocketAddress> heard_;  // the Connected events that the owner sees
};

TEST_F(ConnectorTest, TriesTheNextAddressAfterAQuarterOfASecondAndReportsTheOneThatAnswers) {
  serve("192.0.2.2:1");
  Connector& connector = connect({"[2001:db8::2]:1", "192.0.2.2:1"});
  run_for(240ms);
  EXPECT_EQ(connector.attempts(), 1U);
  run_for(100ms);
  EXPECT_EQ(connector.attempts(), 2U);
  EXPECT_EQ(heard_, std::vector<SocketAddress>{at("192.0.2.2:1")});
  EXPECT_NE(connector.connection(), 0U);
  EXPECT_FALSE(connector.connecting());
  EXPECT_EQ(client_->connection_count(), 1U) << "the other attempt is closed";
}

TEST_F(ConnectorTest, LeavesTheOtherAddressesAloneWhenTheFirstAnswers) {
  serve("[2001:db8::2]:1");
  serve("192.0.2.2:1");
  Connector& connector = connect({"[2001:db8::2]:1", "192.0.2.2:1"});
  run_for(1s);
  EXPECT_EQ(connector.attempts(), 1U);
  EXPECT_EQ(servers_[at("192.0.2.2:1")]->statistics().datagrams_received, 0U);
}

TEST_F(ConnectorTest, KeepsOneConnectionWhenTwoAddressesAnswer) {
  Connector& connector = connect({"192.0.2.2:1", "192.0.2.3:1"});
  run_for(260ms);
  serve("192.0.2.2:1");
  serve("192.0.2.3:1");
  run_for(3s);
  EXPECT_EQ(heard_.size(), 1U);
  EXPECT_EQ(client_->connection_count(), 1U);
  EXPECT_EQ(client_->remote_address(connector.connection()), heard_.front());
}

TEST_F(ConnectorTest, DoesNotWaitForAnAttemptThatTheKernelCallsHopeless) {
  serve("192.0.2.2:1");
  Connector& connector = connect({"[2001:db8::2]:1", "192.0.2.2:1"});
  run_for(10ms);
  EXPECT_EQ(connector.attempts(), 1U);
  client_->on_path_report(now_, {.remote = at("[2001:db8::2]:1"), .problem = PathProblem::kNetworkUnreachable});
  run_for(20ms);
  EXPECT_EQ(connector.attempts(), 2U);
  EXPECT_EQ(heard_, std::vector<SocketAddress>{at("192.0.2.2:1")});
}

TEST_F(ConnectorTest, NamesEveryAddressWhenNoneAnswers) {
  Connector& connector = connect({"192.0.2.2:1", "192.0.2.3:1"});
  client_->on_path_report(now_, {.remote = at("192.0.2.2:1"), .problem = PathProblem::kPortUnreachable});
  run_for(6s);
  ASSERT_TRUE(connector.failure());
  EXPECT_EQ(connector.failure()->message,
            "cannot connect to 192.0.2.2:1: no answer: port unreachable; to 192.0.2.3:1: no answer");
  EXPECT_EQ(client_->connection_count(), 0U);
  EXPECT_TRUE(heard_.empty());
}

TEST_F(ConnectorTest, GoesPastAnAddressThatCannotBeConnectedTo) {
  serve("192.0.2.2:1");
  Connector& connector = connect({"[fe80::1]:1", "192.0.2.2:1"});
  run_for(100ms);
  EXPECT_NE(connector.connection(), 0U) << "without a delay";
  Connector refused(*client_, {at("[fe80::1]:1")}, server_keys_.public_key());
  const Status started = refused.start(now_);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ConnectorTest, ConnectsAnewToTheAddressThatHasWon) {
  serve("192.0.2.2:1");
  Connector& connector = connect({"[2001:db8::2]:1", "192.0.2.2:1"});
  run_for(1s);
  const ConnectionId first = connector.connection();
  ASSERT_TRUE(connector.start(now_));
  EXPECT_EQ(connector.connection(), 0U);
  run_for(2s);
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
