#include "cli/outbound_peers.h"

#include <gtest/gtest.h>

#include <set>

#include "transport/endpoint_pair_test_support.h"

namespace godwit::cli {
namespace {

// The server of the pair listens and connects; the client is the peer, at the second of its addresses.
class OutboundPeersTest : public ::testing::Test {
 protected:
  OutboundPeersTest() : pair_(EndpointPair::chunk_config(), listening()) {
    pair_.server.on_event = [this](Instant now, ConnectionId id, Event& event) {
      const bool heard = !peers_->on_event(now, id, event);
      if (heard && std::holds_alternative<Connected>(event)) heard_.insert(id);
    };
    pair_.server.on_turn = [this](Instant now) { peers_->on_turn(now); };
    pair_.server.next_timeout = [this] { return peers_->next_timeout(); };
  }
  static Config listening() {
    Config config = EndpointPair::chunk_config();
    config.handshake.require_authenticated_peer = true;
    return config;
  }
  void initiate(const PublicKey& key) {
    const std::vector<OutboundPeers::Peer> peers{{.addresses = {nowhere_, pair_.client.address}, .key = key}};
    peers_ = std::make_unique<OutboundPeers>(*pair_.server.endpoint, peers);
  }
  void connect_here() {
    const auto connection =
        pair_.client.endpoint->connect(pair_.now, pair_.server.address, pair_.server.endpoint->public_key());
    ASSERT_TRUE(connection.has_value());
  }
  [[nodiscard]] bool proven() const {
    for (const ConnectionId connection : heard_) {
      const PublicKey* const key = peers_->key_of(connection);
      if (key != nullptr && *key == pair_.client.endpoint->public_key()) return true;
    }
    return false;
  }

  const SocketAddress nowhere_ = *SocketAddress::parse("10.0.0.9:1000");
  EndpointPair pair_;
  std::unique_ptr<OutboundPeers> peers_;
  std::set<ConnectionId> heard_;
};

TEST_F(OutboundPeersTest, EveryAddressOfAPeerIsTried) {
  initiate(pair_.client.endpoint->public_key());
  ASSERT_TRUE(pair_.run_until([this] { return proven(); }, 2s));
  EXPECT_EQ(heard_.size(), 1U) << "attempts that lose are nobody else's business";
}

TEST_F(OutboundPeersTest, APeerThatComesLateIsConnectedToWithinSeconds) {
  initiate(pair_.client.endpoint->public_key());
  pair_.loss = 1;
  EXPECT_FALSE(pair_.run_until([this] { return proven(); }, 40s));
  pair_.loss = 0;
  EXPECT_TRUE(pair_.run_until([this] { return proven(); }, 20s));
}

TEST_F(OutboundPeersTest, APeerThatConnectsByItselfFromAnyOfItsAddressesIsConnectedBackTo) {
  initiate(pair_.client.endpoint->public_key());
  for (int again = 0; again < 3; ++again) {
    heard_.clear();
    connect_here();
    ASSERT_TRUE(pair_.run_until([this] { return proven(); }, 20s)) << again;
    EXPECT_EQ(heard_.size(), 1U) << "the connection that proves nothing is not heard";
  }
}

TEST_F(OutboundPeersTest, AnotherKeyAtTheAddressProvesNothing) {
  initiate(pair_.server.endpoint->public_key());  // a key that the client does not have
  for (int again = 0; again < 4; ++again) {
    connect_here();
    EXPECT_FALSE(pair_.run_until([this] { return proven(); }, 17s));
    for (const ConnectionId connection : heard_) EXPECT_EQ(peers_->key_of(connection), nullptr);
  }
}

}  // namespace
}  // namespace godwit::cli
