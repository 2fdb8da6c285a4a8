// Every pair of hosts and kinds of address translation through a rendezvous, in virtual time: the whole logic of the
// program (RendezvousServer, RendezvousClient, PeerSearch, the search for paths in the session), with the simulator's
// translations in place of a kernel's. Each seed has delays, a loss and an order of datagrams of its own, and a relay
// that works, that has no place, or that dies. GODWIT_NAT_SEEDS and GODWIT_NAT_FIRST ask for more runs than the tests
// make, and GODWIT_NAT_OUT for a file with the counts (scripts/run_simulation.sh nat).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
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

enum class Kind : std::uint8_t { kOpen, kFullCone, kPortRestricted, kSymmetric, kInSequence };
constexpr std::array<const char*, 5> kNames = {"open", "full cone", "port-restricted", "symmetric",
                                               "symmetric in sequence"};
constexpr std::size_t kKinds = kNames.size();
constexpr std::size_t kCells = 2 * kKinds * kKinds;
constexpr std::size_t kRelays = 3;

enum class Relay : std::uint8_t { kWorks, kFull, kDies };
constexpr std::array<const char*, kRelays> kRelayNames = {"works", "full", "dies"};

const SocketAddress kMeeting = SocketAddress::ipv4({203, 0, 113, 1}, 7000);

sim::NatSpec spec_of(Kind kind, bool answers) {
  using Rule = sim::NatRule;
  sim::NatSpec spec;
  const bool changes = kind == Kind::kSymmetric || kind == Kind::kInSequence;
  spec.mapping = changes ? Rule::kAddressAndPortDependent : Rule::kEndpointIndependent;
  spec.ports_in_sequence = kind == Kind::kInSequence;
  spec.filtering = kind == Kind::kFullCone ? Rule::kEndpointIndependent : Rule::kAddressAndPortDependent;
  spec.answers_unasked = answers;
  return spec;
}

// The relay as the program has it (cli/relay_ports.h): each side at the last port of its host, once it has been heard.
// What comes before that is lost here, and kept there.
class MemoryRelay final : public RelayPorts {
 public:
  std::optional<Pair> open(Instant now, const SocketAddress& asker, const SocketAddress& peer) override {
    if (state == Relay::kFull) return std::nullopt;
    const auto port = static_cast<std::uint16_t>(8000 + sides_.size());
    const Pair pair{.for_asker = kMeeting.with_port(port),
                    .for_peer = kMeeting.with_port(static_cast<std::uint16_t>(port + 1))};
    opened_at = now;
    sides_[pair.for_asker] = {.remote = asker, .proven = asker, .other = pair.for_peer};
    sides_[pair.for_peer] = {.remote = peer, .proven = peer, .other = pair.for_asker};
    return pair;
  }
  [[nodiscard]] std::optional<SocketAddress> heard_from(const SocketAddress& port) const override {
    const auto side = sides_.find(port);
    return side == sides_.end() || !side->second.heard ? std::nullopt : std::optional(side->second.remote);
  }
  [[nodiscard]] std::optional<PortChanges> port_changes(const SocketAddress& port) const override {
    const auto side = sides_.find(port);
    if (side == sides_.end()) return std::nullopt;
    const Side& own = side->second;
    const Side& other = sides_.at(own.other);
    if (!own.heard || !other.heard) return std::nullopt;
    return PortChanges{
        .own = own.remote != own.proven, .peers = other.remote != other.proven, .peers_port = other.remote.port()};
  }
  // False when it is not passed on.
  bool pass(Instant now, SocketAddress& from, SocketAddress& to, std::size_t bytes) {
    const auto own = sides_.find(to);
    if (own == sides_.end() || !own->second.remote.is_same_host(from)) return false;
    if (dies_at && *dies_at <= now) return false;
    own->second.remote = from;
    own->second.heard = true;
    const Side& goal = sides_.at(own->second.other);
    from = own->second.other;
    to = goal.remote;
    return bytes > 1 && (goal.heard || now >= opened_at + 1s);
  }
  [[nodiscard]] bool has(const SocketAddress& port) const { return sides_.contains(port); }

  Relay state = Relay::kWorks;
  std::optional<Instant> dies_at;
  Instant opened_at{};

 private:
  struct Side {
    SocketAddress remote;
    SocketAddress proven;
    bool heard = false;
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
    if (random.below(2) == 0) jitter_ = Duration(static_cast<Duration::rep>(random.below(Duration(20ms).count())));
    if (const std::uint64_t draw = random.below(8); draw < 2) relay_.state = draw == 0 ? Relay::kFull : Relay::kDies;
    Config config;
    config.handshake.extended = ExtendedPolicy::kAuto;
    config.further_ports = true;
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
    listener_->on_turn = [this](Instant at) {
      client_->on_turn(at);
      open_ports(at, *listener_);
    };
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
    asker_->on_turn = [this](Instant at) {
      search_->on_turn(at);
      open_ports(at, *asker_);
    };
    asker_->next_timeout = [this] { return search_->next_timeout(); };
    if (!search_->start(now)) return false;
    if (relay_.state == Relay::kDies) {
      relay_.dies_at = now + Duration(static_cast<Duration::rep>(random.below(Duration(20s).count())));
    }
    return run(15s, [this] { return search_->failure().has_value() || (search_->connection() != 0 && met_ != 0); }) &&
           !search_->failure();
  }
  bool becomes_direct(Duration within) {
    return run(within, [this] {
      const auto remote = asker_->endpoint->remote_address(search_->connection());
      return remote && !relay_.has(*remote);
    });
  }
  [[nodiscard]] Relay relay() const { return relay_.state; }
  // Whether an endpoint has kept to the bounds of a search for ports.
  [[nodiscard]] bool within_bounds() const {
    return std::ranges::all_of(std::array{listener_, asker_}, [](const Node* each) {
      const EndpointStatistics numbers = each->endpoint->statistics();
      return numbers.ports_asked <= PortSearch::kMostGuesses && numbers.port_openers_sent <= PortSearch::kPorts;
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
    if (jitter_ > Duration::zero()) {
      flight.due += Duration(static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(jitter_.count()))));
    }
    // Through one of the further sockets.
    if (source != nullptr && flight.left_from.port() != 0) flight.from = flight.left_from;
    if (source != nullptr && source->nat) flight.from = source->nat->outbound(now, flight.from, flight.to);
    // It has passed the translations of its own side, and comes no further.
    if (flight.hop_limit > 0 && flight.to != kMeeting && !relay_.has(flight.to)) return false;
    if (relay_.has(flight.to) && !relay_.pass(now, flight.from, flight.to, flight.bytes.size())) return false;
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
  void open_ports(Instant at, Node& node) {
    if (!node.endpoint->wants_ports()) return;
    std::vector<SocketAddress> locals;
    for (std::size_t i = 0; i < PortSearch::kPorts; ++i) {
      locals.push_back(node.address.with_port(static_cast<std::uint16_t>(20'000 + i)));
      reach(node, locals.back());
    }
    node.endpoint->give_ports(at, locals);
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
  Duration jitter_{};               // datagrams overtake each other by as much
  MemoryRelay relay_;
  Node* meeting_ = nullptr;
  Node* listener_ = nullptr;
  Node* asker_ = nullptr;
  std::optional<RendezvousServer> server_;
  std::optional<RendezvousClient> client_;
  std::optional<PeerSearch> search_;
  ConnectionId met_ = 0;
};

// How often a pair has to become direct.
enum class Expect : std::uint8_t { kPunched, kSearched, kRelayed };
constexpr std::array<const char*, 3> kExpectNames = {"punched", "searched", "relayed"};

Expect expectation(Kind one, Kind other) {
  const auto easy = [](Kind kind) { return kind == Kind::kOpen || kind == Kind::kFullCone; };
  const auto changes = [](Kind kind) { return kind == Kind::kSymmetric || kind == Kind::kInSequence; };
  if ((!changes(one) && !changes(other)) || easy(one) || easy(other)) return Expect::kPunched;
  if (!changes(one) || !changes(other)) return Expect::kSearched;
  return one == Kind::kInSequence && other == Kind::kInSequence ? Expect::kSearched : Expect::kRelayed;
}

struct Count {
  std::uint64_t runs = 0;
  std::uint64_t connected = 0;
  std::uint64_t direct = 0;
  std::uint64_t packets = 0;

  void add(const Count& other) {
    runs += other.runs;
    connected += other.connected;
    direct += other.direct;
    packets += other.packets;
  }
  [[nodiscard]] std::string json() const {
    return fmt::format(R"("runs": {}, "connected": {}, "direct": {}, "packets": {})", runs, connected, direct, packets);
  }
};
using Cells = std::array<std::array<Count, kRelays>, kCells>;

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

Kind listener_of(std::size_t cell) {
  return static_cast<Kind>(cell / kKinds % kKinds);
}
Kind asker_of(std::size_t cell) {
  return static_cast<Kind>(cell % kKinds);
}
bool answers(std::size_t cell) {
  return cell >= kCells / 2;
}
Expect expectation_of(std::size_t cell) {
  return expectation(listener_of(cell), asker_of(cell));
}

// Sums over the cells of one expectation, by what the relay does.
std::array<std::array<Count, kRelays>, 3> sums_of(const Cells& cells) {
  std::array<std::array<Count, kRelays>, 3> sums{};
  for (std::size_t cell = 0; cell < kCells; ++cell) {
    for (std::size_t relay = 0; relay < kRelays; ++relay) {
      sums[static_cast<std::size_t>(expectation_of(cell))][relay].add(cells[cell][relay]);
    }
  }
  return sums;
}

void write_counts(const char* path, const Cells& cells, std::uint64_t first, std::uint64_t count) {
  std::string out = fmt::format(
      "{{\"schema\": \"godwit-nat-simulation\", \"schema_version\": 1, \"first\": {}, "
      "\"seeds\": {}, \"cells\": [",
      first, count);
  for (std::size_t cell = 0; cell < kCells; ++cell) {
    for (std::size_t relay = 0; relay < kRelays; ++relay) {
      out += fmt::format(
          "{}\n {{\"listener\": \"{}\", \"asker\": \"{}\", \"answers\": {}, \"relay\": \"{}\", "
          "\"expected\": \"{}\", {}}}",
          cell + relay == 0 ? "" : ",", kNames[static_cast<std::size_t>(listener_of(cell))],
          kNames[static_cast<std::size_t>(asker_of(cell))], answers(cell), kRelayNames[relay],
          kExpectNames[static_cast<std::size_t>(expectation_of(cell))], cells[cell][relay].json());
    }
  }
  out += "\n]}\n";
  std::FILE* const file = std::fopen(path, "w");
  ASSERT_NE(file, nullptr) << path;
  std::fputs(out.c_str(), file);
  std::fclose(file);
}

Count run_seed(std::uint64_t seed, Relay& relay) {
  const std::size_t cell = seed % kCells;
  Internet internet(seed, listener_of(cell), asker_of(cell), answers(cell));
  Count counted{.runs = 1};
  const bool met = internet.meet();
  relay = internet.relay();
  // Without the relay there is no way but a direct one, and the search for one needs the session.
  const bool has_to_meet = relay == Relay::kWorks;
  if (has_to_meet) {
    EXPECT_TRUE(met) << "seed " << seed << ", " << kNames[cell / kKinds % kKinds] << " and " << kNames[cell % kKinds]
                     << ": " << internet.why();
  }
  if (met) {
    counted.connected = 1;
    counted.direct = internet.becomes_direct(20s) ? 1 : 0;
  }
  EXPECT_TRUE(internet.within_bounds()) << "seed " << seed;
  counted.packets = internet.packets();
  return counted;
}

double share(const Count& count) {
  return count.runs == 0 ? 1 : static_cast<double>(count.direct) / static_cast<double>(count.runs);
}

TEST(NatMatrix, EveryPairConnectsAndThosePunchableAreDirectAtTheFirstTry) {
  const std::uint64_t count = number_of("GODWIT_NAT_SEEDS", 400);
  const std::uint64_t first = number_of("GODWIT_NAT_FIRST", 1);
  Cells cells{};
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Relay relay{};
    const Count counted = run_seed(seed, relay);
    cells[seed % kCells][static_cast<std::size_t>(relay)].add(counted);
  }
  const auto sums = sums_of(cells);
  for (std::size_t expected = 0; expected < sums.size(); ++expected) {
    for (std::size_t relay = 0; relay < kRelays; ++relay) {
      const Count& sum = sums[expected][relay];
      fmt::print("{}, relay {}: connected {} of {}, direct {}\n", kExpectNames[expected], kRelayNames[relay],
                 sum.connected, sum.runs, sum.direct);
    }
  }
  const auto& punched = sums[static_cast<std::size_t>(Expect::kPunched)];
  EXPECT_GE(share(punched[static_cast<std::size_t>(Relay::kWorks)]), 0.97);
  EXPECT_GE(share(punched[static_cast<std::size_t>(Relay::kFull)]), 0.97);
  EXPECT_GE(share(sums[static_cast<std::size_t>(Expect::kSearched)][static_cast<std::size_t>(Relay::kWorks)]), 0.9);
  if (const char* const path = std::getenv("GODWIT_NAT_OUT")) write_counts(path, cells, first, count);
}

}  // namespace
}  // namespace godwit::nat_matrix_test
