// Peers of extended sessions that change their address, and attackers who pretend that they do.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <vector>

#include "transport/connection.h"
#include "transport/memory_network_test_support.h"

namespace godwit::endpoint_roaming_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

SocketAddress at(std::uint8_t host, std::uint16_t port) {
  return SocketAddress::ipv4({192, 0, 2, host}, port);
}
const SocketAddress kServer = at(1, 31337);
const SocketAddress kInside = at(9, 9);  // the client's own address
const SocketAddress kAttacker = at(66, 6666);

// A client behind an address translation and a server.
class TranslatedPair : public test::MemoryNetwork {
 public:
  explicit TranslatedPair(ExtendedPolicy policy = ExtendedPolicy::kAuto) : MemoryNetwork(77) {
    split = true;
    Config config;
    config.handshake.extended = policy;
    client_ = &add(kInside, config);
    server_ = &add(kServer, config);
    client_->on_event = [this](Instant, ConnectionId, Event& event) { keep(event, at_the_client); };
    server_->on_event = [this](Instant, ConnectionId, Event& event) {
      keep(event, at_the_server);
      if (const auto* connected = std::get_if<Connected>(&event)) connected_key = connected->peer->key;
      if (const auto* moved = std::get_if<PeerMoved>(&event)) moves.push_back(moved->remote);
    };
    on_path = [this](test::Flight& flight) {
      if (flight.from == kServer) {
        to_[flight.to] += flight.bytes.size();
        if (flight.to == outside_) flight.to = kInside;
      } else {
        if (overhear) overhear({flight.bytes.begin(), flight.bytes.end()});
        flight.from = outside_;
      }
      return true;
    };
    connection_ = connect(*client_, *server_);
    run(1s);
  }

  Endpoint& client() { return *client_->endpoint; }
  Endpoint& server() { return *server_->endpoint; }
  [[nodiscard]] ConnectionId at_client() const { return connection_; }
  [[nodiscard]] ConnectionId at_server() const { return server_->events.connected(); }
  [[nodiscard]] const PublicKey& client_key() const { return client_->key(); }
  // What the server sees from now on; the old address reaches nobody.
  void rebind(const SocketAddress& outside) { outside_ = outside; }
  [[nodiscard]] const SocketAddress& outside() const { return outside_; }

  // Called for each datagram that the client sends, before it arrives.
  std::function<void(const Bytes&)> overhear;
  void inject(const SocketAddress& from, Bytes datagram) { inject_together(from, {std::move(datagram)}); }
  // The same for datagrams of one size that the server's socket hands over in one piece.
  void inject_together(const SocketAddress& from, const std::vector<Bytes>& datagrams) {
    Bytes bytes;
    for (const Bytes& datagram : datagrams) bytes.insert(bytes.end(), datagram.begin(), datagram.end());
    from_[from] += bytes.size();
    MemoryNetwork::inject(from, kServer, std::move(bytes), datagrams.front().size());
  }

  std::vector<Bytes> at_the_server;  // messages received there
  std::vector<Bytes> at_the_client;
  std::vector<SocketAddress> moves;  // that the server was told of
  std::optional<PublicKey> connected_key;
  std::map<SocketAddress, std::size_t> from_;  // bytes that were injected from there
  std::map<SocketAddress, std::size_t> to_;    // bytes that the server sent there

 private:
  static void keep(Event& event, std::vector<Bytes>& messages) {
    if (auto* whole = std::get_if<StreamMessage>(&event)) messages.push_back(std::move(whole->payload));
  }

  Node* client_ = nullptr;
  Node* server_ = nullptr;
  SocketAddress outside_ = at(5, 40'000);
  ConnectionId connection_ = 0;
};

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 2654435761U >> 11);
  return bytes;
}

TEST(Roaming, ATransferBothWaysGoesOnAtTheNewAddress) {
  TranslatedPair pair;
  ASSERT_EQ(pair.connected_key, pair.client_key());
  const Bytes up = pattern(3'000'000);
  const Bytes down = pattern(2'000'000);
  ASSERT_TRUE(pair.client().send(pair.now, pair.at_client(), Body::owned(Bytes(up))));
  ASSERT_TRUE(pair.server().send(pair.now, pair.at_server(), Body::owned(Bytes(down))));
  std::uint16_t port = 40'000;
  for (int i = 0; i < 5; ++i) {
    pair.run(50ms);
    pair.rebind(at(static_cast<std::uint8_t>(5 + i % 2), ++port));
  }
  EXPECT_TRUE(pair.run(60s, [&] { return pair.at_the_server.size() == 1 && pair.at_the_client.size() == 1; }));
  ASSERT_EQ(pair.at_the_server.size(), 1u);
  ASSERT_EQ(pair.at_the_client.size(), 1u);
  EXPECT_EQ(pair.at_the_server[0], up);
  EXPECT_EQ(pair.at_the_client[0], down);
  // The last change may have come after the last byte: the next keep-alive tells.
  EXPECT_TRUE(pair.run(30s, [&] { return !pair.moves.empty() && pair.moves.back() == pair.outside(); }));
  EXPECT_EQ(pair.server().remote_address(pair.at_server()), pair.outside());
  EXPECT_EQ(pair.server().connection_count(), 1u);
}

TEST(Roaming, AnIdleSessionIsFoundAgainByItsNextPacket) {
  TranslatedPair pair;
  pair.rebind(at(7, 50'000));
  EXPECT_TRUE(pair.run(30s, [&] { return !pair.moves.empty(); })) << "the next keep-alive";
  ASSERT_TRUE(pair.server().send(pair.now, pair.at_server(), Body::owned(pattern(5000))));
  EXPECT_TRUE(pair.run(5s, [&] { return !pair.at_the_client.empty(); }));
}

TEST(Roaming, P9CopiesFromAnotherAddressMoveNothingAndAreAnsweredWithAtMostThreeTimesTheirBytes) {
  TranslatedPair pair;
  const Bytes up = pattern(500'000);
  // Faster than the genuine ones, which then are the replays.
  pair.overhear = [&](const Bytes& datagram) {
    pair.inject(kAttacker, datagram);
    EXPECT_LE(pair.to_[kAttacker], 3 * pair.from_[kAttacker]);
  };
  ASSERT_TRUE(pair.client().send(pair.now, pair.at_client(), Body::owned(Bytes(up))));
  ASSERT_TRUE(pair.server().send(pair.now, pair.at_server(), Body::owned(Bytes(up))));
  EXPECT_TRUE(pair.run(60s, [&] { return pair.at_the_server.size() == 1 && pair.at_the_client.size() == 1; }));
  EXPECT_TRUE(pair.moves.empty());
  EXPECT_GT(pair.to_[kAttacker], 0u);
  EXPECT_LE(pair.to_[kAttacker], 53u * 1000);
  EXPECT_EQ(pair.server().remote_address(pair.at_server()), pair.outside());
}

TEST(Roaming, P6ReplaysFromElsewhereAreNotEvenAsked) {
  TranslatedPair pair;
  std::vector<Bytes> recorded;
  pair.overhear = [&](const Bytes& datagram) { recorded.push_back(datagram); };
  ASSERT_TRUE(pair.client().send(pair.now, pair.at_client(), Body::owned(pattern(100'000))));
  ASSERT_TRUE(pair.run(10s, [&] { return pair.at_the_server.size() == 1; }));
  pair.run(1s);
  ASSERT_GT(recorded.size(), 50u);
  for (const Bytes& datagram : recorded) pair.inject(kAttacker, datagram);
  pair.run(2s);
  EXPECT_EQ(pair.to_[kAttacker], 0u);
  EXPECT_EQ(pair.at_the_server.size(), 1u);
}

// What stands in a batch beside genuine packets takes nothing from them, and each is counted as what it is.
TEST(Roaming, CopiesAndForgeriesAmongABatchAreToldApart) {
  TranslatedPair pair;
  std::vector<Bytes> sent;
  pair.overhear = [&](const Bytes& datagram) { sent.push_back(datagram); };
  const Bytes up = pattern(12'000);
  ASSERT_TRUE(pair.client().send(pair.now, pair.at_client(), Body::owned(Bytes(up))));
  pair.run(Duration::zero());
  std::erase_if(sent, [](const Bytes& datagram) { return datagram.size() != wire::kMaxDatagram; });
  ASSERT_GT(sent.size(), 8u);
  Bytes of_another = sent[2];
  of_another[1] ^= 1;  // the tag
  Bytes forged = sent[3];
  forged.back() ^= 1;
  std::vector<Bytes> batch = {sent[0], sent[1], sent[1], of_another, sent[2], sent[0], forged, sent[3]};
  batch.insert(batch.end(), sent.begin() + 4, sent.end());
  const std::size_t genuine = sent.size();
  pair.inject_together(pair.outside(), batch);
  EXPECT_TRUE(pair.run(5s, [&] { return pair.at_the_server.size() == 1; }));
  EXPECT_EQ(pair.at_the_server.at(0), up);
  pair.run(1s);  // the datagrams that the batch was copied from
  const auto statistics = pair.server().statistics(pair.at_server());
  ASSERT_TRUE(statistics);
  EXPECT_EQ(statistics->drops.of(trace::DropReason::kAuthenticationFailed), 2u);
  EXPECT_EQ(statistics->drops.of(trace::DropReason::kDuplicate), 2 + genuine);
}

TEST(Roaming, AFloodOfAddressChangesIsBoundedAndCounted) {
  TranslatedPair pair;
  std::uint16_t port = 1;
  pair.overhear = [&](const Bytes& datagram) { pair.inject(at(66, ++port), datagram); };
  ASSERT_TRUE(pair.client().send(pair.now, pair.at_client(), Body::owned(pattern(500'000))));
  EXPECT_TRUE(pair.run(60s, [&] { return pair.at_the_server.size() == 1; }));
  const auto statistics = pair.server().statistics(pair.at_server());
  ASSERT_TRUE(statistics);
  EXPECT_GT(statistics->path_changes_refused, 100u);
  EXPECT_EQ(statistics->path_changes, 0u);
}

TEST(Roaming, ASessionOfTheDeployedFormStaysWhereItIs) {
  TranslatedPair pair(ExtendedPolicy::kOff);
  EXPECT_FALSE(pair.connected_key);
  pair.rebind(at(7, 50'000));
  ASSERT_TRUE(pair.client().send(pair.now, pair.at_client(), Body::owned(pattern(5000))));
  EXPECT_FALSE(pair.run(5s, [&] { return !pair.at_the_server.empty(); }));
  EXPECT_TRUE(pair.moves.empty());
}

}  // namespace
}  // namespace godwit::endpoint_roaming_test
