#include "sim/soak.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace godwit::sim {
namespace {

constexpr std::uint32_t kSamples = 96;

std::uint32_t times(Duration length, Duration interval) {
  return static_cast<std::uint32_t>(length / interval);
}

SoakSample sample(Simulator& simulator, const SoakOptions& options, std::uint32_t number) {
  SoakSample taken{.at = simulator.elapsed(),
                   .memory = options.leak_per_sample * number,
                   .pending_events = simulator.pending_events(),
                   .live_packets = simulator.live_packets()};
  for (std::uint32_t i = 0; i < simulator.scenario().hosts.size(); ++i) {
    Host& host = simulator.host(i);
    if (!host.running()) continue;
    taken.memory += host.memory();
    taken.connections += host.endpoint()->connection_count();
    taken.admission_bytes += host.endpoint()->admission().memory_bytes();
  }
  return taken;
}

// The largest of a quarter of the samples, against the largest of the second one: what an endpoint needs at all it has
// had by then. A tenth and `slack` more are no growth.
void check(SoakResult& result, std::string_view name, std::uint64_t slack,
           const std::function<std::uint64_t(const SoakSample&)>& value) {
  const auto most = [&](std::size_t from, std::size_t to) {
    std::uint64_t largest = 0;
    for (std::size_t i = from; i < to; ++i) largest = std::max(largest, value(result.samples[i]));
    return largest;
  };
  const std::size_t quarter = result.samples.size() / 4;
  const std::uint64_t before = most(quarter, 2 * quarter);
  const std::uint64_t after = most(3 * quarter, result.samples.size());
  if (after <= before + before / 10 + slack) return;
  result.growing.push_back(fmt::format("{}: {} in the second quarter, {} in the last", name, before, after));
}

}  // namespace

Scenario soak_scenario(const SoakOptions& options) {
  const Duration length = options.length;
  Scenario scenario =
      two_hosts({.delay = 20ms, .rate = Bandwidth::from_bits_per_second(20'000'000), .loss = {.rate = 0.001}});
  scenario.name = "soak";
  scenario.seed = options.seed;
  scenario.duration = length;
  scenario.hosts.resize(3);
  scenario.hosts[2] = scenario.hosts[0];
  // A message a minute, a stream every ten minutes, and a peer that is silent for hours.
  scenario.flows.push_back(
      {.kind = FlowKind::kMessages, .from = 0, .to = 1, .count = times(length, 60s), .bytes = 400, .interval = 60s});
  scenario.flows.push_back({.kind = FlowKind::kStreams,
                            .from = 0,
                            .to = 1,
                            .start = 30s,
                            .count = times(length, 600s),
                            .bytes = 200'000,
                            .interval = 600s});
  scenario.flows.push_back({.kind = FlowKind::kRequests,
                            .from = 2,
                            .to = 1,
                            .count = times(length, 3h) + 1,
                            .bytes = 500,
                            .reply_bytes = 20'000,
                            .interval = 3h});
  const auto inject = [&](FaultKind kind, std::uint32_t target, Duration first, Duration every) {
    for (Duration at = first; at < length; at += every)
      scenario.faults.push_back({.kind = kind, .at = at, .target = target, .duration = 3s});
  };
  inject(FaultKind::kRestart, 0, 97min, 2h);
  inject(FaultKind::kRestart, 2, 201min, 4h);
  inject(FaultKind::kReconnect, 0, 53min, 1h);
  const auto attack = [&](AttackKind kind, AttackSource source, Duration interval) {
    scenario.attacks.push_back({.kind = kind,
                                .source = source,
                                .victim = 1,
                                .peer = 0,
                                .start = 10s,
                                .interval = interval,
                                .count = times(length, interval)});
  };
  attack(AttackKind::kJunkIntros, AttackSource::kMany, 2s);
  attack(AttackKind::kIntros, AttackSource::kMany, 20s);
  attack(AttackKind::kIntros, AttackSource::kPeer, 45s);
  attack(AttackKind::kJunkPackets, AttackSource::kPeer, 5s);
  attack(AttackKind::kReplay, AttackSource::kPeer, 7s);
  attack(AttackKind::kReplay, AttackSource::kMany, 11s);
  attack(AttackKind::kFragments, AttackSource::kOwn, 4s);
  attack(AttackKind::kMessages, AttackSource::kOwn, 9s);
  // The attacker answers pings, so that each of these stays: as many as it opens in a fifth of the time, and no more
  // than in six hours, since all that a longer run would do is answer more pings.
  attack(AttackKind::kConnections, AttackSource::kOwn, 120s);
  scenario.attacks.back().count = std::min(times(length, 120s), times(6h, 120s)) / 5;
  scenario.resolve();
  return scenario;
}

SoakResult run_soak(const SoakOptions& options) {
  SimulatorOptions simulator_options;
  simulator_options.stop_at_violation = false;
  Simulator simulator(soak_scenario(options), std::move(simulator_options));
  SoakResult result;
  for (std::uint32_t i = 1; i <= kSamples; ++i) {
    simulator.run_until(options.length * i / kSamples);
    result.samples.push_back(sample(simulator, options, i));
  }
  result.simulation = simulator.run();
  check(result, "memory", 64 * 1024,
        [](const SoakSample& s) { return static_cast<std::uint64_t>(std::max<std::int64_t>(s.memory, 0)); });
  check(result, "connections", 2, [](const SoakSample& s) { return s.connections; });
  // Each table claims its whole bounded size at its first use, which may come late in the day.
  check(result, "admission tables", 256 * 1024, [](const SoakSample& s) { return s.admission_bytes; });
  check(result, "pending events", 16, [](const SoakSample& s) { return s.pending_events; });
  check(result, "packets under way", 16, [](const SoakSample& s) { return s.live_packets; });
  return result;
}

}  // namespace godwit::sim
