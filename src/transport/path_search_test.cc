// Sessions that begin at a relay, find a direct way, lose it, and return: two endpoints behind addresses that a network
// in memory translates, with a relay between them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "transport/memory_network_test_support.h"

namespace godwit::path_search_test {
namespace {

SocketAddress at(std::uint8_t network, std::uint8_t host, std::uint16_t port) {
  return SocketAddress::ipv4({192, 0, network, host}, port);
}
const SocketAddress kOneInside = at(1, 1, 1000);
const SocketAddress kOther = at(1, 2, 2000);
const SocketAddress kOneOutside = at(2, 1, 1111);
const SocketAddress kOtherOutside = at(2, 2, 2222);
// Where the first one reaches the other through the relay, and the other the first.
const SocketAddress kRelayOfOne = at(3, 3, 31);
const SocketAddress kRelayOfOther = at(3, 3, 32);

class Relayed : public test::MemoryNetwork {
 public:
  explicit Relayed(std::uint64_t capabilities_of_other = wire::kOwnCapabilities) : MemoryNetwork(5) {
    split = true;
    Config config;
    config.handshake.extended = ExtendedPolicy::kAuto;
    config.further_ports = true;
    one = &add(kOneInside, config);
    config.handshake.capabilities = capabilities_of_other;
    other = &add(kOther, config);
    on_path = [this](test::Flight& flight) { return pass(flight); };
    other->on_event = [this](Instant, ConnectionId, Event& event) {
      const auto* const message = std::get_if<StreamMessage>(&event);
      if (message == nullptr) return;
      received = message->payload;
    };
    session = *one->endpoint->connect(now, kRelayOfOne, other->key());
    run(1s, [this] { return one->count<Connected>() > 0 && other->count<Connected>() > 0; });
  }

  [[nodiscard]] PeerPaths paths_of_one() const {
    return {.direct = {kOtherOutside}, .relay = kRelayOfOne, .pause = pause, .opens_relay = false};
  }
  [[nodiscard]] PeerPaths paths_of_other() const {
    return {.direct = {kOneOutside}, .relay = kRelayOfOther, .pause = pause, .opens_relay = true};
  }
  void tell_both() {
    one->endpoint->know_paths(now, other->key(), paths_of_one());
    other->endpoint->know_paths(now, one->key(), paths_of_other());
  }
  void send(std::size_t bytes) {
    payload.resize(bytes);
    for (std::size_t i = 0; i < bytes; ++i) payload[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
    ASSERT_TRUE(one->endpoint->send(now, session, Body::owned(std::vector<std::uint8_t>(payload))));
  }
  [[nodiscard]] SocketAddress address_of_other() const { return *one->endpoint->remote_address(session); }
  [[nodiscard]] SocketAddress address_of_one() const {
    return *other->endpoint->remote_address(other->events.connected());
  }
  bool both_direct() {
    return run(10s, [this] { return address_of_other() == direct_of_other && address_of_one() == kOneOutside; });
  }
  bool both_relayed() {
    return run(10s, [this] { return address_of_other() == kRelayOfOne && address_of_one() == kRelayOfOther; });
  }
  bool arrived() {
    return run(60s, [this] { return received.size() == payload.size(); }) && received == payload;
  }
  [[nodiscard]] PathState state() const { return *one->endpoint->path_state(session); }

  Node* one = nullptr;
  Node* other = nullptr;
  ConnectionId session = 0;
  Duration pause{};
  bool direct_open = true;
  bool relay_open = true;
  // Another port than the one that is told: its translation has one for each destination.
  SocketAddress direct_of_other = kOtherOutside;
  std::uint64_t direct_datagrams = 0;
  std::uint64_t relayed_datagrams = 0;
  std::uint64_t openers = 0;
  std::vector<std::uint8_t> payload;
  std::vector<std::uint8_t> received;

 private:
  bool pass(test::Flight& flight) {
    const bool from_one = flight.from == kOneInside;
    if (flight.bytes.size() == 1) {
      ++openers;
      return false;
    }
    if (flight.to == kRelayOfOne || flight.to == kRelayOfOther) {
      ++relayed_datagrams;
      flight.from = from_one ? kRelayOfOther : kRelayOfOne;
      flight.to = from_one ? kOther : kOneInside;
      return relay_open;
    }
    ++direct_datagrams;
    // What comes to the port that was told finds nobody where the translation has another one for this peer.
    if (from_one && flight.to != direct_of_other) return false;
    flight.from = from_one ? kOneOutside : direct_of_other;
    flight.to = from_one ? kOther : kOneInside;
    return direct_open;
  }
};

TEST(PathSearch, ASessionThatBeginsAtTheRelayMovesWithoutLosingAByte) {
  Relayed pair;
  pair.send(4'000'000);
  pair.run(12ms);
  EXPECT_GT(pair.relayed_datagrams, 10U) << "data goes over the relay at once";
  pair.tell_both();
  ASSERT_TRUE(pair.both_direct());
  ASSERT_TRUE(pair.arrived());
  EXPECT_GT(pair.direct_datagrams, 300U);  // of up to 8900 bytes
  EXPECT_EQ(pair.one->count<Closed>() + pair.other->count<Closed>(), 0U);
  EXPECT_EQ(pair.state().moves, 1U);
  EXPECT_FALSE(pair.state().relayed);
}

TEST(PathSearch, APeerThatKnowsNoOtherPathsFollows) {
  Relayed pair;
  pair.one->endpoint->know_paths(pair.now, pair.other->key(), pair.paths_of_one());
  pair.send(1'000'000);
  ASSERT_TRUE(pair.both_direct());
  ASSERT_TRUE(pair.arrived());
}

TEST(PathSearch, PathsThatWereKnownBeforeTheSessionAreSearchedTooAndOpened) {
  Relayed pair;
  pair.pause = 200ms;
  pair.one->endpoint->close(pair.now, pair.session);
  pair.run(1s);
  pair.tell_both();
  pair.session = *pair.one->endpoint->connect(pair.now, kRelayOfOne, pair.other->key());
  const std::uint64_t before = pair.direct_datagrams;
  pair.run(150ms);
  EXPECT_EQ(pair.direct_datagrams, before) << "nothing but openers goes out before the pause is over";
  EXPECT_EQ(pair.openers, 3U) << "one of each side to the other's address, and one to the relay";
  EXPECT_TRUE(pair.both_direct());
}

TEST(PathSearch, ReturnsToTheRelayWhenTheDirectWayFallsSilentAndGoesBackWhenItAnswers) {
  Relayed pair;
  pair.tell_both();
  ASSERT_TRUE(pair.both_direct());
  pair.send(4'000'000);
  pair.run(20ms);
  pair.direct_open = false;
  ASSERT_TRUE(pair.both_relayed());
  ASSERT_TRUE(pair.arrived());
  EXPECT_EQ(pair.state().returns, 1U);
  pair.direct_open = true;
  ASSERT_TRUE(pair.both_direct());
  EXPECT_EQ(pair.one->count<Closed>() + pair.other->count<Closed>(), 0U);
}

TEST(PathSearch, AnIdleSessionNoticesTooThatTheDirectWayIsGone) {
  Relayed pair;
  pair.tell_both();
  ASSERT_TRUE(pair.both_direct());
  pair.run(3min);
  EXPECT_EQ(pair.address_of_other(), kOtherOutside);
  pair.direct_open = false;
  pair.run(30s);
  EXPECT_EQ(pair.address_of_other(), kRelayOfOne);
  EXPECT_EQ(pair.address_of_one(), kRelayOfOther);
}

TEST(PathSearch, TheRelayIsNotNeededAfterTheMove) {
  Relayed pair;
  pair.tell_both();
  ASSERT_TRUE(pair.both_direct());
  pair.relay_open = false;
  pair.run(3min);
  const std::uint64_t before = pair.relayed_datagrams;
  pair.send(1'000'000);
  ASSERT_TRUE(pair.arrived());
  EXPECT_EQ(pair.address_of_other(), kOtherOutside);
  EXPECT_EQ(pair.relayed_datagrams, before) << "a relay that does not answer is asked no more";
}

TEST(PathSearch, APortThatThePeersTranslationHasForThisSideAloneIsFound) {
  Relayed pair;
  pair.direct_of_other = kOtherOutside.with_port(7777);
  pair.tell_both();
  ASSERT_TRUE(pair.both_direct());
  EXPECT_TRUE(pair.state().peer_port_changes);
}

TEST(PathSearch, StaysAtTheRelayWhereThereIsNoOtherWayAndAsksForOneABoundedNumberOfTimes) {
  Relayed pair;
  pair.direct_open = false;
  pair.tell_both();
  pair.run(5s);
  EXPECT_TRUE(pair.state().relayed);
  EXPECT_TRUE(pair.state().exhausted);
  EXPECT_FALSE(pair.state().heard_direct);
  EXPECT_EQ(pair.state().reason(), PathReason::kNoAnswer);
  // The rendezvous knows more, and tells one side, which tells the other.
  pair.other->endpoint->note_ports(pair.other->events.connected(), {.changes = true}, {});
  pair.run(1s);
  EXPECT_EQ(pair.state().reason(), PathReason::kPeerPortChanges);
  EXPECT_EQ(pair.other->endpoint->path_state(pair.other->events.connected())->reason(), PathReason::kOwnPortChanges);
  pair.run(1h);
  EXPECT_EQ(pair.state().challenges, PathSearch::kMostChallenges);
  EXPECT_EQ(pair.direct_datagrams, 2 * PathSearch::kMostChallenges);
  pair.send(1'000'000);
  EXPECT_TRUE(pair.arrived());
}

TEST(PathSearch, PortsAreAskedOnlyWhenThePeerHasOpenedThemAndABoundedNumberOfTimes) {
  Relayed pair;
  pair.direct_open = false;
  pair.tell_both();
  pair.run(5s);
  // What a rendezvous says is not enough.
  pair.one->endpoint->note_ports(pair.session, {}, {.changes = true, .in_sequence = false, .latest = 2300});
  pair.run(1s);
  EXPECT_EQ(pair.one->endpoint->statistics().ports_asked, 0U);
  ASSERT_TRUE(pair.other->endpoint->wants_ports());
  std::vector<SocketAddress> ports;
  for (std::uint16_t i = 0; i < PortSearch::kPorts; ++i) ports.push_back(kOther.with_port(3000 + i));
  pair.other->endpoint->give_ports(pair.now, ports);
  EXPECT_FALSE(pair.other->endpoint->wants_ports());
  pair.run(5s);
  EXPECT_EQ(pair.state().reason(), PathReason::kSearching);
  const auto in_use = pair.other->endpoint->ports_in_use();
  EXPECT_TRUE(std::ranges::binary_search(in_use, std::uint16_t{3000}));
  pair.run(1h);
  EXPECT_EQ(pair.one->endpoint->statistics().ports_asked, PortSearch::kMostGuesses);
  EXPECT_EQ(pair.other->endpoint->statistics().port_openers_sent, PortSearch::kPorts);
  EXPECT_EQ(pair.state().reason(), PathReason::kPeerPortChanges);
  EXPECT_FALSE(std::ranges::binary_search(pair.other->endpoint->ports_in_use(), std::uint16_t{3000})) << "given back";
}

TEST(PathSearch, APeerThatCannotSearchPortsIsNotAskedTo) {
  Relayed pair(wire::kOwnCapabilities & ~wire::capability::kPortSearch);
  pair.direct_open = false;
  pair.tell_both();
  pair.run(5s);
  pair.one->endpoint->note_ports(pair.session, {.changes = true}, {});
  pair.run(5s);
  EXPECT_FALSE(pair.one->endpoint->wants_ports());
  EXPECT_EQ(pair.state().reason(), PathReason::kOwnPortChanges);
}

TEST(PathSearch, APeerWithoutTheCapabilityStaysWhereItIs) {
  Relayed pair(wire::kOwnCapabilities & ~wire::capability::kPathProbing);
  pair.tell_both();
  pair.send(1'000'000);
  ASSERT_TRUE(pair.arrived());
  EXPECT_EQ(pair.address_of_other(), kRelayOfOne);
  EXPECT_EQ(pair.direct_datagrams, 0U);
  EXPECT_EQ(pair.state().reason(), PathReason::kNoCapability);
}

TEST(PathSearch, LossDoesNotMatter) {
  Relayed pair;
  pair.loss = 0.05;
  pair.tell_both();
  pair.send(2'000'000);
  ASSERT_TRUE(pair.both_direct());
  ASSERT_TRUE(pair.arrived());
}

}  // namespace
}  // namespace godwit::path_search_test
