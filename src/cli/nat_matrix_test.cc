// Every pair of hosts and kinds of address translation through a rendezvous, in virtual time: the whole logic of the
// program (RendezvousServer, RendezvousClient, PeerSearch, the search for paths in the session), with the simulator's
// translations in place of a kernel's. GODWIT_NAT_SEEDS and GODWIT_NAT_FIRST ask for more runs than the tests make
// (scripts/run_simulation.sh nat).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rendezvous/peer_search.h"
#include "rendezvous/rendezvous_client.h"
#include "rendezvous/rendezvous_server.h"
#include "sim/nat.h"
#include "transport/memory_network_test_support.h"

namespace godwit::nat_matrix_test {
namespace {

enum class Kind : std::uint8_t { kOpen, kFullCone, kPortRestricted, kSymmetric };
constexpr std::array<const char*, 4> kNames = {"open", "full cone", "port-restricted", "symmetric"};
constexpr std::size_t kCells = 32;

const SocketAddress kMeeting = SocketAddress::ipv4({203, 0, 113, 1}, 7000);

sim::NatSpec spec_of(Kind kind, bool answers) {
  using Rule = sim::NatRule;
  sim::NatSpec spec;
  spec.mapping = kind == Kind::kSymmetric ? Rule::kAddressAndPortDependent : Rule::kEndpointIndependent;
  spec.filtering = kind == Kind::kFullCone ? Rule::kEndpointIndependent : Rule::kAddressAndPortDependent;
  spec.answers_unasked = answers;
  return spec;
}

// The relay as the program has it: each side at the last port of its host.
class MemoryRelay final : public RelayPorts {
 public:
  std::optional<Pair> open(Instant, const SocketAddress& asker, const SocketAddress& peer) override {
    const auto port = static_cast<std::uint16_t>(8000 + sides_.size());
    const Pair pair{.for_asker = kMeeting.with_port(port),
                    .for_peer = kMeeting.with_port(static_cast<std::uint16_t>(port + 1))};
    sides_[pair.for_asker] = {.remote = asker, .other = pair.for_peer};
    sides_[pair.for_peer] = {.remote = peer, .other = pair.for_asker};
    return pair;
  }
  [[nodiscard]] std::optional<SocketAddress> heard_from(const SocketAddress&) const override { return std::nullopt; }
  // False when it is not passed on.
  bool pass(SocketAddress& from, SocketAddress& to) {
    const auto own = sides_.find(to);
    if (own == sides_.end() || own->second.remote.with_port(0) != from.with_port(0)) return false;
    own->second.remote = from;
    from = own->second.other;
    to = sides_.at(own->second.other).remote;
    return true;
  }
  [[nodiscard]] bool has(const SocketAddress& port) const { return sides_.contains(port); }

 private:
  struct Side {
    SocketAddress remote;
    SocketAddress other;
  };
  std::map<SocketAddress, Side> sides_;
};

// One site: a host, and what is in front of it.
struct Site {
  Site(Kind kind, bool answers, std::uint8_t number, RandomSource& random)
      : spec(spec_of(kind, answers)),
        outside(SocketAddress::ipv4({198, 51, 100, number}, 0)),
        inside(kind == Kind::kOpen ? outside.with_port(1000) : SocketAddress::ipv4({10, number, 0, 2}, 1000)) {
    if (kind != Kind::kOpen) nat.emplace(spec, outside, random);
  }
  sim::NatSpec spec;
  SocketAddress outside;
  SocketAddress inside;
  std::optional<sim::Nat> nat;
};

class Internet : public test::MemoryNetwork {
 public:
  Internet(std::uint64_t seed, Kind listener, Kind asker, bool answers)
      : MemoryNetwork(seed), listening_(listener, answers, 1, random), asking_(asker, answers, 2, random) {
    split = true;
    // Up to 160 ms from one to the other, and a loss of up to one in a hundred.
    for (Duration& way : ways_) way = 1ms + Duration(static_cast<Duration::rep>(random.below(Duration(79ms).count())));
    loss = random.unit() * 0.01;
    Config config;
    config.handshake.extended = ExtendedPolicy::kAuto;
    meeting_ = &add(kMeeting, config);
    listener_ = &add(listening_.inside, config);
    asker_ = &add(asking_.inside, config);
    on_path = [this](test::Flight& flight) { return pass(flight); };
    server_.emplace(*meeting_->endpoint, &relay_, RendezvousLimits{});
    meeting_->on_event = [this](Instant at, ConnectionId connection, Event& event) {
      server_->on_event(at, connection, event);
    };
    client_.emplace(*listener_->endpoint, place(), Candidates{listening_.inside});
    listener_->on_event = [this](Instant at, ConnectionId connection, Event& event) {
      if (!client_->on_event(at, connection, event) && std::holds_alternative<Connected>(event)) met_ = connection;
    };
    listener_->on_turn = [this](Instant at) { client_->on_turn(at); };
    listener_->next_timeout = [this] { return client_->next_timeout(); };
  }

  // Whether the two have found each other.
  bool meet() {
    if (!run(10s, [this] { return client_->observed().has_value(); })) return false;
    search_.emplace(*asker_->endpoint, PeerPlace{.key = listener_->key(), .addresses = {}, .rendezvous = {place()}},
                    Candidates{asking_.inside});
    asker_->on_event = [this](Instant at, ConnectionId connection, Event& event) {
      static_cast<void>(search_->on_event(at, connection, event));
    };
    asker_->on_turn = [this](Instant at) { search_->on_turn(at); };
    asker_->next_timeout = [this] { return search_->next_timeout(); };
    if (!search_->start(now)) return false;
    return run(15s, [this] { return search_->connection() != 0 && met_ != 0; });
  }
  bool becomes_direct(Duration within) {
    return run(within, [this] {
      const auto remote = asker_->endpoint->remote_address(search_->connection());
      return remote && !relay_.has(*remote);
    });
  }
  // Datagrams of both hosts, to the rendezvous as well.
  [[nodiscard]] std::uint64_t packets() const { return listener_->datagrams_sent + asker_->datagrams_sent; }
  [[nodiscard]] std::string why() const { return search_->failure() ? search_->failure()->message : "no answer"; }

 private:
  RendezvousPlace place() { return {.key = meeting_->key(), .addresses = {kMeeting}}; }

  bool pass(test::Flight& flight) {
    Site* const source = site_at(flight.from);
    flight.due = now + way_of(source);
    if (source != nullptr && source->nat) flight.from = source->nat->outbound(now, flight.from, flight.to);
    // It has passed the translations of its own side, and comes no further.
    if (flight.hop_limit > 0 && flight.to != kMeeting && !relay_.has(flight.to)) return false;
    if (relay_.has(flight.to) && !relay_.pass(flight.from, flight.to)) return false;
    if (flight.to == kMeeting) return true;
    for (Site* const site : {&listening_, &asking_}) {
      if (flight.to.with_port(0) != site->outside) continue;
      flight.due += way_of(site);
      if (!site->nat) return true;
      const auto inside = site->nat->inbound(now, flight.to, flight.from);
      if (!inside) return false;
      flight.to = *inside;
      return true;
    }
    return false;  // an address of another private network
  }
  Site* site_at(const SocketAddress& inside) {
    if (inside == listening_.inside) return &listening_;
    return inside == asking_.inside ? &asking_ : nullptr;
  }
  Duration way_of(const Site* site) const {
    if (site == nullptr) return Duration::zero();
    return ways_[site == &listening_ ? 0 : 1];
  }

  Site listening_;
  Site asking_;
  std::array<Duration, 2> ways_{};  // from the host to the middle of the network
  MemoryRelay relay_;
  Node* meeting_ = nullptr;
  Node* listener_ = nullptr;
  Node* asker_ = nullptr;
  std::optional<RendezvousServer> server_;
  std::optional<RendezvousClient> client_;
  std::optional<PeerSearch> search_;
  ConnectionId met_ = 0;
};

bool punchable(Kind one, Kind other) {
  const auto easy = [](Kind kind) { return kind == Kind::kOpen || kind == Kind::kFullCone; };
  const bool symmetric = one == Kind::kSymmetric || other == Kind::kSymmetric;
  return !symmetric || easy(one) || easy(other);
}

struct Count {
  std::uint64_t runs = 0;
  std::uint64_t connected = 0;
  std::uint64_t direct = 0;
  std::uint64_t packets = 0;
};

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(NatMatrix, EveryPairConnectsAndThosePunchableAreDirectAtTheFirstTry) {
  const std::uint64_t count = number_of("GODWIT_NAT_SEEDS", 320);
  const std::uint64_t first = number_of("GODWIT_NAT_FIRST", 1);
  std::array<Count, kCells> cells{};
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const std::size_t cell = seed % kCells;
    const Kind listener = static_cast<Kind>(cell / 4 % 4);
    const Kind asker = static_cast<Kind>(cell % 4);
    Internet internet(seed, listener, asker, cell >= kCells / 2);
    Count& counted = cells[cell];
    ++counted.runs;
    const bool met = internet.meet();
    EXPECT_TRUE(met) << "seed " << seed << ", " << kNames[cell / 4 % 4] << " and " << kNames[cell % 4] << ": "
                     << internet.why();
    if (!met) continue;
    ++counted.connected;
    if (internet.becomes_direct(5s)) ++counted.direct;
    counted.packets += internet.packets();
  }
  Count easy;
  for (std::size_t cell = 0; cell < kCells; ++cell) {
    const Count& counted = cells[cell];
    if (counted.runs == 0) continue;
    const bool direct = punchable(static_cast<Kind>(cell / 4 % 4), static_cast<Kind>(cell % 4));
    if (direct) {
      easy.runs += counted.runs;
      easy.direct += counted.direct;
    }
    fmt::print("{} | {} | {} | connected {} of {} | direct {} | packets {:.0f}{}\n", kNames[cell / 4 % 4],
               kNames[cell % 4], cell < kCells / 2 ? "dropped" : "answered", counted.connected, counted.runs,
               counted.direct, static_cast<double>(counted.packets) / static_cast<double>(counted.runs),
               direct ? "" : " | not punchable");
  }
  fmt::print("punchable: direct {} of {}\n", easy.direct, easy.runs);
  EXPECT_GE(static_cast<double>(easy.direct), 0.97 * static_cast<double>(easy.runs));
}

}  // namespace
}  // namespace godwit::nat_matrix_test
