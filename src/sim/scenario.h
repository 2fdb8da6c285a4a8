// A scenario as data: links, NAT boxes, hosts, what their applications send, competing flows and faults. Together
// with its seed it determines a run completely. Made by hand, by TOML (scenario_toml.h) or by a seed
// (scenario_random.h); executed by Simulator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "sim/attack.h"
#include "sim/link.h"
#include "sim/nat.h"
#include "transport/config.h"

namespace godwit::sim {

struct HostSpec {
  std::vector<std::uint32_t> egress;      // links from the host outwards, in order
  std::vector<std::uint32_t> ingress;     // links towards the host, in order
  std::optional<std::uint32_t> nat;       // between its links and the world; absent: a public address
  Duration receive_interval{};            // datagrams that arrive within it are read together; zero: each alone
  Duration seal_delay{};                  // batches are sealed by workers, up to so much later; zero: at once
  std::uint32_t socket_buffer = 1 << 20;  // bytes that may wait to be read
  Config config;                          // any setting a user has
};

enum class FlowKind : std::uint8_t {
  kStreams,   // `window` streams at a time, each followed by the next
  kMessages,  // one short message every `interval`, whatever becomes of it
  kRequests,  // a request, its reply, `interval` later the next
};

struct FlowSpec {
  FlowKind kind = FlowKind::kStreams;
  std::uint32_t from = 0;
  std::uint32_t to = 1;
  Duration start{};
  std::uint32_t count = 1;
  std::uint64_t bytes = 100'000;   // of a message, at least kSmallestPayload
  std::uint64_t reply_bytes = 16;  // kRequests
  std::uint32_t window = 1;        // kStreams
  Duration interval{};
  std::uint32_t pause_every = 0;  // after so many messages ...
  Duration pause{};               // ... the application is silent for so long
  friend bool operator==(const FlowSpec&, const FlowSpec&) = default;
};
inline constexpr std::uint64_t kSmallestPayload = 16;

// A flow that is no Godwit: TCP with CUBIC as a model, along the same links.
struct CompetitorSpec {
  std::vector<std::uint32_t> egress;   // its data's links
  std::vector<std::uint32_t> ingress;  // its acknowledgements' links
  Duration start{};
  Duration stop = Duration::max();
};

enum class FaultKind : std::uint8_t {
  kRestart,  // the process ends without a word and starts again `duration` later with the same keys
  kRestartNewKeys,
  kStall,      // the process does nothing for `duration`
  kClockJump,  // the machine slept: its clock is `duration` later, its timers fire
  kRebindNat,  // target: the NAT box
  kClose,      // the application closes every connection
  kReconnect,  // the application connects to a peer that it is connected to
};
[[nodiscard]] std::string_view fault_name(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kStall;
  Duration at{};
  std::uint32_t target = 0;  // host or NAT box
  Duration duration{};
  friend bool operator==(const Fault&, const Fault&) = default;
};

struct Scenario {
  std::string name;
  std::uint64_t seed = 1;
  std::vector<LinkSpec> links;
  std::vector<NatSpec> nats;
  std::vector<HostSpec> hosts;
  std::vector<FlowSpec> flows;
  std::vector<CompetitorSpec> competitors;
  std::vector<Fault> faults;
  std::vector<AttackSpec> attacks;
  // Ends the run although flows are unfinished; absent: they must finish within the bound derived from the path.
  std::optional<Duration> duration;

  // Turns queues given in products of rate and round trip into bytes. Idempotent.
  void resolve();
  // Propagation there and back between two hosts, without queues.
  [[nodiscard]] Duration round_trip(std::uint32_t from, std::uint32_t to) const;
  // The same with full queues, jitter, spikes and late packets.
  [[nodiscard]] Duration longest_round_trip(std::uint32_t from, std::uint32_t to) const;
  // Nothing that may end a session: every message must arrive and be confirmed.
  [[nodiscard]] bool gentle() const;
  // When every flow has ended at the latest: derived from rates, round trips, losses and interruptions.
  [[nodiscard]] Duration bound() const;
  // How long a message of a flow may take on a gentle path, its connection included, whatever an attacker does besides
  // holding datagrams back: derived from rates, round trips, losses, and the attacker's delays.
  [[nodiscard]] Duration message_bound(std::uint32_t flow) const;
  // Nothing, or what is wrong with it.
  [[nodiscard]] std::optional<std::string> problem() const;
};

// Two hosts and a link each way. The second host's link to the first is the second.
[[nodiscard]] Scenario two_hosts(const LinkSpec& there, const LinkSpec& back);
[[nodiscard]] Scenario two_hosts(const LinkSpec& both);
// `pairs` senders and receivers around one bottleneck: link 0 there, link 1 back. Hosts 2i send to hosts 2i + 1.
[[nodiscard]] Scenario dumbbell(const LinkSpec& there, const LinkSpec& back, std::uint32_t pairs);

}  // namespace godwit::sim
