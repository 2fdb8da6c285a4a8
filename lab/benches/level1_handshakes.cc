// Level 1: what a handshake costs each side by itself, without a kernel: from the intro (or the connection attempt)
// until the session is reported and both sides have nothing more to say. Thirty-two at a time, so that a reading of the
// clock is nothing.

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <vector>

#include "base/random.h"
#include "benches/endpoint_pair.h"
#include "benches/suite.h"
#include "transport/endpoint.h"

namespace godwit::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kAtOnce = 32;
constexpr std::uint16_t kServerPort = 31337;
constexpr std::uint16_t kClientPort = 2000;

enum class Role : std::uint8_t { kAccept, kInitiate };

// What a handshake finds when it begins.
enum class Given : std::uint8_t {
  kNothing,
  kKeyPairs,  // ephemeral key pairs, made while there was nothing to do
  kPeer,      // these, and the agreement with the peer's static key, from its last handshake
};

std::string_view name_of(Given given) {
  switch (given) {
    case Given::kNothing: return "";
    case Given::kKeyPairs: return "-prepared";
    case Given::kPeer: return "-returning";
  }
  return "";
}

std::string_view title_of(Given given) {
  switch (given) {
    case Given::kNothing: return "";
    case Given::kKeyPairs: return ", its ephemeral key pair made before";
    case Given::kPeer: return ", its ephemeral key pair made before, with a peer that was there before";
  }
  return "";
}

// Admission is not the question: it allows what the processor can do.
Config config_for(ExtendedPolicy extended, Given given) {
  constexpr std::size_t kUnlimited = 1'000'000;
  Config config;
  config.handshake.extended = extended;
  AdmissionConfig& admission = config.admission;
  for (std::size_t* limit :
       {&admission.address_rate, &admission.address_burst, &admission.prefix_rate, &admission.prefix_burst,
        &admission.network_rate, &admission.network_burst, &admission.stranger_rate, &admission.stranger_burst,
        &admission.known_rate, &admission.known_burst, &admission.offer_rate, &admission.offer_burst,
        &admission.known_offer_rate, &admission.known_offer_burst}) {
    *limit = kUnlimited;
  }
  if (given != Given::kPeer) config.handshake.kept_agreements = 0;
  return config;
}

// Two endpoints and the time that each of them takes.
class TimedSides {
 public:
  struct Side {
    std::unique_ptr<Endpoint> endpoint;
    std::chrono::nanoseconds busy{};
    std::uint64_t allocations = 0;
    std::uint64_t connected = 0;
    std::uint64_t extended = 0;
    std::uint64_t closed = 0;
  };

  TimedSides(const Config& config, Given given) : given_(given) {
    KeyPair keys = *KeyPair::generate(random_);
    server_key_ = keys.public_key();
    server.endpoint = std::make_unique<Endpoint>(config, std::move(keys), random_);
    client.endpoint = std::make_unique<Endpoint>(config, *KeyPair::generate(random_), random_);
  }

  // kAtOnce connections are made, and then closed, which is not timed. False when one was not.
  bool batch() {
    const std::uint64_t connected = server.connected + client.connected;
    const std::uint64_t closed = server.closed + client.closed;
    if (given_ != Given::kNothing) {
      for (const Side* side : {&server, &client}) {
        while (side->endpoint->prepare_handshakes()) continue;
      }
    }
    ids_.clear();
    counts_ = true;
    timed(client, [this] {
      for (std::uint8_t i = 0; i < kAtOnce; ++i) {
        const auto id = client.endpoint->connect(now_, SocketAddress::ipv4({10, 0, 0, i}, kServerPort), server_key_);
        if (id) ids_.push_back(*id);
      }
    });
    const std::uint64_t all_connected = connected + 2 * kAtOnce;
    go_on([&] { return server.connected + client.connected == all_connected; });
    const bool all = ids_.size() == kAtOnce && server.connected + client.connected == all_connected;
    counts_ = false;
    for (const ConnectionId id : ids_) client.endpoint->close(now_, id);
    const std::uint64_t all_closed = closed + 2 * kAtOnce;
    go_on([&] { return server.closed + client.closed == all_closed; });
    return all && server.closed + client.closed == all_closed;
  }

  Side server;
  Side client;

 private:
  template <typename Work>
  void timed(Side& side, Work work) {
    const std::uint64_t allocations = allocations_so_far();
    const auto begin = std::chrono::steady_clock::now();
    work();
    if (!counts_) return;
    side.busy += std::chrono::steady_clock::now() - begin;
    side.allocations += allocations_so_far() - allocations;
  }

  // Datagrams move, and then time, until `done` says so.
  template <typename Done>
  void go_on(Done done) {
    constexpr int kPatience = 20;
    for (int round = 0; round < kPatience; ++round) {
      while (exchange()) continue;
      if (done()) return;
      now_ += 1ms;
      for (Side* side : {&server, &client}) timed(*side, [&] { side->endpoint->handle_timeout(now_); });
    }
  }

  // Both directions once; false when nothing moved.
  bool exchange() {
    const bool there = move(client, server, kClientPort);
    return move(server, client, kServerPort) || there;
  }

  bool move(Side& from, Side& to, std::uint16_t from_port) {
    runs_.clear();
    buffer_.reset();
    timed(from, [&] {
      while (const auto run = from.endpoint->poll_transmit(now_, buffer_)) runs_.push_back(*run);
    });
    timed(to, [&] {
      for (const DatagramBatch& run : runs_) {
        to.endpoint->receive(now_, {.local = run.remote,
                                    .remote = run.remote.with_port(from_port),
                                    .bytes = run.bytes,
                                    .segment_size = run.segment_size});
        collect(to);
      }
    });
    collect(from);
    return !runs_.empty();
  }

  static void collect(Side& side) {
    while (const EndpointEvent* event = side.endpoint->poll_event()) {
      if (const auto* begun = std::get_if<Connected>(&event->event)) {
        ++side.connected;
        side.extended += begun->form == SessionForm::kExtended ? 1 : 0;
      } else if (std::holds_alternative<Closed>(event->event)) {
        ++side.closed;
      }
    }
  }

  Given given_;
  bool counts_ = false;
  DeterministicRandom random_{17};
  PublicKey server_key_;
  std::vector<ConnectionId> ids_;
  std::vector<DatagramBatch> runs_ = std::vector<DatagramBatch>(4 * kAtOnce);
  TransmitBuffer buffer_{128 * 1024};
  Instant now_{1000s};
};

Case row_for(Role role, ExtendedPolicy extended, Given given) {
  const bool accepts = role == Role::kAccept;
  return {.name = fmt::format("level1/handshakes/{}{}{}", accepts ? "accept" : "initiate", form_suffix(extended),
                              name_of(given)),
          .title = fmt::format("one side of a handshake, the {} alone{}{}", accepts ? "acceptor" : "initiator",
                               form_title(extended), title_of(given)),
          .whole = true,
          .body = [=](Bench& bench) {
            TimedSides sides(config_for(extended, given), given);
            TimedSides::Side& side = accepts ? sides.server : sides.client;
            std::uint64_t handshakes = 0;
            bool right = true;
            const auto batches = [&](int count) {
              for (int i = 0; i < count; ++i) right = sides.batch() && right;
              handshakes += static_cast<std::uint64_t>(count) * kAtOnce;
            };
            batches(2);
            const std::uint64_t allocations = side.allocations;
            batches(2);
            bench.outcome.counts.emplace_back("allocations",
                                              static_cast<double>(side.allocations - allocations) / (2 * kAtOnce));
            bench.outcome.rate = "handshakes_per_second";
            bench.outcome.proof = "both sides reported each connection, of the form that was asked for";
            bench.whole([&] {
              side.busy = {};
              const std::uint64_t before = handshakes;
              while (side.busy < std::chrono::duration<double>(bench.seconds())) batches(1);
              bench.outcome.value = static_cast<double>(side.busy.count()) / static_cast<double>(handshakes - before);
            });
            bench.outcome.verified = right && side.connected == handshakes &&
                                     side.extended == (extended == ExtendedPolicy::kOff ? 0 : handshakes);
          }};
}

}  // namespace

void add_level1_handshakes(Cases& cases) {
  for (const Role role : {Role::kAccept, Role::kInitiate}) {
    cases.push_back(row_for(role, ExtendedPolicy::kOff, Given::kNothing));
    // An acceptor of the deployed form has no ephemeral key.
    if (role == Role::kInitiate) cases.push_back(row_for(role, ExtendedPolicy::kOff, Given::kKeyPairs));
    for (const Given given : {Given::kNothing, Given::kKeyPairs, Given::kPeer}) {
      cases.push_back(row_for(role, ExtendedPolicy::kRequire, given));
    }
  }
}

}  // namespace godwit::bench
