// A rendezvous that names addresses of its choice, to have them flooded by those who ask it: what a stranger's host
// gets to feel of that is few small datagrams, one at a time at each address, whatever the rendezvous says.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "rendezvous/peer_search.h"
#include "rendezvous/rendezvous_client.h"
#include "rendezvous/rendezvous_codec.h"
#include "transport/memory_network_test_support.h"

namespace godwit::lying_rendezvous_test {
namespace {

const SocketAddress kLiar = SocketAddress::ipv4({203, 0, 113, 1}, 7000);
const SocketAddress kHonest = SocketAddress::ipv4({192, 0, 2, 7}, 4000);
const SocketAddress kVictim = SocketAddress::ipv4({198, 51, 100, 66}, 53);
const SocketAddress kOtherVictim = SocketAddress::ipv4({198, 51, 100, 67}, 53);

class LyingRendezvous : public test::MemoryNetwork, public testing::Test {
 protected:
  LyingRendezvous() {
    split = true;
    Config config;
    config.handshake.extended = ExtendedPolicy::kAuto;
    config.further_ports = true;
    liar_ = &add(kLiar, config);
    honest_ = &add(kHonest, config);
    liar_->on_event = [this](Instant at, ConnectionId connection, Event& event) {
      const auto* const message = std::get_if<MessageReceived>(&event);
      if (message == nullptr) return;
      const auto decoded = decode_rendezvous(message->payload);
      if (decoded) answer(at, connection, *decoded);
    };
    on_path = [this](test::Flight& flight) {
      note(flight);
      return true;
    };
  }

  // Eight ports of one host, which is as many as a message holds, and one host more in place of the last.
  static Candidates lies() {
    Candidates all;
    for (std::uint16_t i = 0; i < 7; ++i) all.push_back(kVictim.with_port(static_cast<std::uint16_t>(53 + i)));
    all.push_back(kOtherVictim);
    return all;
  }
  void say(Instant at, ConnectionId connection, const RendezvousMessage& message) {
    static_cast<void>(liar_->endpoint->send(at, connection, Body::owned(encode_rendezvous(message))));
  }
  virtual void answer(Instant at, ConnectionId connection, const RendezvousMessage& message) {
    if (const auto* const find = std::get_if<RendezvousFind>(&message)) {
      say(at, connection,
          RendezvousFound{.request = find->request, .code = RendezvousCode::kDone, .candidates = lies(), .relay = {}});
    } else if (std::holds_alternative<RendezvousRegister>(message)) {
      registered_ = connection;
      say(at, connection, RendezvousRegistered{.code = RendezvousCode::kDone, .observed = kHonest});
    }
  }
  // The honest side's part in it: a client or a search, which outlives the run.
  template <typename Part>
  void let_run(Part& part) {
    honest_->on_event = [&part](Instant at, ConnectionId connection, Event& event) {
      static_cast<void>(part.on_event(at, connection, event));
    };
    honest_->on_turn = [&part](Instant at) { part.on_turn(at); };
    honest_->next_timeout = [&part] { return part.next_timeout(); };
  }
  RendezvousPlace place() { return {.key = liar_->key(), .addresses = {kLiar}}; }

  struct Felt {
    std::uint64_t datagrams = 0;
    std::uint64_t bytes = 0;
    std::size_t largest = 0;
    std::optional<Instant> latest;
    std::optional<Duration> shortest_pause;
  };
  void note(const test::Flight& flight) {
    if (!flight.from.is_same_host(kHonest) || flight.to == kLiar) return;
    Felt& felt = felt_[flight.to];
    ++felt.datagrams;
    felt.bytes += flight.bytes.size();
    felt.largest = std::max(felt.largest, flight.bytes.size());
    if (felt.latest) felt.shortest_pause = std::min(felt.shortest_pause.value_or(Duration::max()), now - *felt.latest);
    felt.latest = now;
  }
  [[nodiscard]] std::uint64_t datagrams() const {
    std::uint64_t sum = 0;
    for (const auto& [to, felt] : felt_) sum += felt.datagrams;
    return sum;
  }

  [[nodiscard]] std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [to, felt] : felt_) sum += felt.bytes;
    return sum;
  }

  Node* liar_ = nullptr;
  Node* honest_ = nullptr;
  ConnectionId registered_ = 0;
  std::map<SocketAddress, Felt> felt_;
};

// All that an attempt may send to an address that has proven nothing: an opener, and what a handshake that nobody
// answers repeats.
constexpr std::uint64_t kMostToAnAddress = 64;
constexpr std::size_t kSmall = 400;
constexpr Duration kLeastPause = 50ms;

TEST_F(LyingRendezvous, WhoeverAsksItSendsFewSmallDatagramsOneAtATime) {
  PublicKey nobody;
  DeterministicRandom other(99);
  nobody = KeyPair::generate(other)->public_key();
  PeerSearch search(*honest_->endpoint, {.key = nobody, .addresses = {}, .rendezvous = {place()}}, {kHonest});
  let_run(search);
  ASSERT_TRUE(search.start(now));
  run(120s);
  ASSERT_TRUE(search.failure()) << "it has given up";
  EXPECT_FALSE(felt_.contains(kOtherVictim)) << "no address of the host that was named first";
  EXPECT_EQ(felt_.size(), 3U) << "those of the one host, and not all of them";
  for (const auto& [to, felt] : felt_) {
    EXPECT_LE(felt.datagrams, kMostToAnAddress) << to.to_string();
    EXPECT_LE(felt.largest, kSmall) << to.to_string();
    EXPECT_GE(felt.shortest_pause.value_or(kLeastPause), kLeastPause) << to.to_string();
  }
  const std::uint64_t all = datagrams();
  run(1h);
  EXPECT_EQ(datagrams(), all) << "nothing more";
}

TEST_F(LyingRendezvous, WhoeverIsRegisteredThereFollowsABoundedNumberOfItsIntroductions) {
  RendezvousClient client(*honest_->endpoint, place(), {kHonest});
  let_run(client);
  ASSERT_TRUE(run(10s, [&] { return client.observed().has_value(); }));
  // A hundred each second for a minute, each with a key and ports of its own.
  constexpr std::uint16_t kIntroductions = 6000;
  for (std::uint16_t i = 0; i < kIntroductions; ++i) {
    std::array<std::uint8_t, kPublicKeySize> key{};
    random.fill(key);
    Candidates lies;
    for (std::uint16_t k = 0; k < 8; ++k)
      lies.push_back(kVictim.with_port(static_cast<std::uint16_t>(1024 + 8 * i + k)));
    say(now, registered_, RendezvousIntroduced{.key = PublicKey(key), .candidates = lies, .relay = {}});
    run(10ms);
  }
  run(120s);
  const std::uint64_t all = datagrams();
  for (const auto& [to, felt] : felt_) {
    EXPECT_LE(felt.datagrams, kMostToAnAddress) << to.to_string();
    EXPECT_LE(felt.largest, kSmall) << to.to_string();
  }
  // Of 6000 introductions those are followed that find a place: sixteen, and four once 32 have come to nothing, each
  // with three addresses for eight seconds.
  EXPECT_LE(felt_.size(), 3U * (3 * 16 + 4 * (60 / 8 + 1)));
  EXPECT_LE(bytes(), 30'000U * 60) << "a second, on average";
  run(1h);
  EXPECT_EQ(datagrams(), all) << "nothing more";
}

// It needs a peer that asks for a search for ports as well, and the addresses of that peer.
TEST_F(LyingRendezvous, NoPortsAreAskedOnItsWordAlone) {
  RendezvousClient client(*honest_->endpoint, place(), {kHonest});
  let_run(client);
  ASSERT_TRUE(run(10s, [&] { return client.observed().has_value(); }));
  for (int i = 0; i < 100; ++i) {
    say(now, registered_,
        RendezvousSeen{
            .port = kVictim, .observed = kVictim, .changes = PortChanges{.own = true, .peers = true, .peers_port = 9}});
    run(100ms);
  }
  EXPECT_EQ(honest_->endpoint->statistics().ports_asked, 0U);
  EXPECT_EQ(honest_->endpoint->statistics().port_openers_sent, 0U);
  EXPECT_TRUE(felt_.empty());
}

}  // namespace
}  // namespace godwit::lying_rendezvous_test
