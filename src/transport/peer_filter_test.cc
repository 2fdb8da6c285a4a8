// Who may connect, where the application decides that (transport/peer_filter.h).
#include "transport/peer_filter.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "transport/memory_network_test_support.h"

namespace godwit::peer_filter_test {
namespace {

const SocketAddress kServer = SocketAddress::ipv4({192, 0, 2, 2}, 31'337);
const SocketAddress kClient = SocketAddress::ipv4({192, 0, 2, 1}, 40'000);

struct Filter final : PeerFilter {
  bool admits_address(const SocketAddress& remote) override {
    ++asked_about_addresses;
    return !refused_addresses.contains(remote.to_string());
  }
  bool admits_key(const std::optional<PublicKey>& key) override {
    keys.push_back(key);
    return key && allowed_keys.contains(key->to_hex());
  }

  std::set<std::string> refused_addresses;
  std::set<std::string> allowed_keys;
  std::size_t asked_about_addresses = 0;
  std::vector<std::optional<PublicKey>> keys;
};

class PeerFilterTest : public testing::Test, public test::MemoryNetwork {
 protected:
  void start(ExtendedPolicy policy) {
    Config config;
    config.handshake.extended = policy;
    client_ = &add(kClient, config);
    config.filter = filter_;
    server_ = &add(kServer, config);
    on_path = [this](test::Flight& flight) {
      if (flight.from == kServer) ++datagrams_of_server_;
      return true;
    };
  }
  [[nodiscard]] std::uint64_t dropped() const {
    return server_->endpoint->statistics().drops.of(trace::DropReason::kRefusedAddress);
  }

  std::shared_ptr<Filter> filter_ = std::make_shared<Filter>();
  Node* client_ = nullptr;
  Node* server_ = nullptr;
  std::size_t datagrams_of_server_ = 0;
};

TEST_F(PeerFilterTest, ARefusedAddressGetsSilence) {
  start(ExtendedPolicy::kAuto);
  filter_->refused_addresses = {kClient.to_string()};
  static_cast<void>(connect(*client_, *server_));
  run(30s);
  EXPECT_EQ(client_->count<Closed>(), 1U);
  // Neither do packets of a session that it might have had get a reset.
  std::vector<std::uint8_t> packet(200, 7);
  packet[0] = 2;
  inject(kClient, kServer, packet);
  run(1s);
  EXPECT_EQ(datagrams_of_server_, 0U);
  EXPECT_GE(dropped(), 2U);
  EXPECT_EQ(server_->endpoint->statistics().handshakes_started, 0U);
  EXPECT_EQ(server_->endpoint->statistics().resets_sent, 0U);
  EXPECT_TRUE(filter_->keys.empty()) << "nothing was decrypted";
}

TEST_F(PeerFilterTest, AnAddressIsAskedAboutOnceUntilItHasAConnection) {
  start(ExtendedPolicy::kAuto);
  filter_->allowed_keys = {client_->key().to_hex()};
  const ConnectionId connection = connect(*client_, *server_);
  run(2s);
  EXPECT_EQ(server_->count<Connected>(), 1U);
  const std::vector<std::uint8_t> message(100'000, 7);
  ASSERT_TRUE(client_->endpoint->send(now, connection, Body::owned(message)));
  run(2s);
  EXPECT_EQ(filter_->asked_about_addresses, 1U);
  ASSERT_EQ(filter_->keys.size(), 1U);
  EXPECT_EQ(filter_->keys[0], client_->key());
}

TEST_F(PeerFilterTest, ARefusedKeyIsClosedAndTheApplicationHearsNothing) {
  start(ExtendedPolicy::kAuto);
  const ConnectionId connection = connect(*client_, *server_);
  const std::vector<std::uint8_t> message(100, 7);
  ASSERT_TRUE(client_->endpoint->send(now, connection, Body::owned(message)));
  run(5s);
  ASSERT_EQ(client_->count<Closed>(), 1U);
  EXPECT_EQ(client_->last<Closed>()->reason, CloseReason::kRemote);
  EXPECT_EQ(client_->last<Closed>()->text, "the peer is not admitted");
  EXPECT_EQ(server_->count<Connected>(), 0U);
  EXPECT_EQ(server_->count<Closed>(), 0U);
  EXPECT_EQ(server_->count<MessageReceived>(), 0U);
  const EndpointStatistics counted = server_->endpoint->statistics();
  EXPECT_EQ(counted.peers_refused, 1U);
  EXPECT_EQ(counted.connections_opened, 0U);
  EXPECT_EQ(counted.connections_closed.total(), 0U);
  EXPECT_EQ(counted.handshakes_started, counted.handshakes_succeeded);
  EXPECT_EQ(server_->endpoint->connection_count(), 0U) << "its place is free";

  // It may be let in later.
  filter_->allowed_keys = {client_->key().to_hex()};
  static_cast<void>(connect(*client_, *server_));
  run(5s);
  EXPECT_EQ(server_->count<Connected>(), 1U);
}

TEST_F(PeerFilterTest, APeerOfTheDeployedFormProvesNoKey) {
  start(ExtendedPolicy::kOff);
  filter_->allowed_keys = {client_->key().to_hex()};
  static_cast<void>(connect(*client_, *server_));
  run(5s);
  ASSERT_GE(filter_->keys.size(), 1U);
  EXPECT_FALSE(filter_->keys[0]);
  EXPECT_EQ(server_->count<Connected>(), 0U);
  ASSERT_EQ(client_->count<Closed>(), 1U);
  EXPECT_EQ(client_->last<Closed>()->reason, CloseReason::kRemote);
}

TEST_F(PeerFilterTest, WhomThisSideConnectsToIsNotAskedAbout) {
  for (const ExtendedPolicy policy : {ExtendedPolicy::kAuto, ExtendedPolicy::kOff}) {
    start(policy);
    filter_->refused_addresses = {kClient.to_string()};
    static_cast<void>(connect(*server_, *client_));
    run(5s);
    EXPECT_EQ(server_->count<Connected>(), 1U);
    EXPECT_EQ(client_->count<Connected>(), 1U);
    // It closes as ever: the answer to the close packet is heard.
    server_->endpoint->close(now, server_->events.connected(), "done");
    run(100ms);
    EXPECT_EQ(client_->count<Closed>(), 1U);
    EXPECT_EQ(server_->endpoint->closing_count(), 0U);
    EXPECT_TRUE(filter_->keys.empty());
    remove(*client_);
    remove(*server_);
  }
}

}  // namespace
}  // namespace godwit::peer_filter_test
