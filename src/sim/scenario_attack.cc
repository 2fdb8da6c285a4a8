#include "sim/scenario_attack.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/dice.h"
#include "sim/scenario_random.h"

namespace godwit::sim {
namespace {

LinkSpec attacked_link(Dice& dice) {
  LinkSpec link;
  link.delay = dice.time(200us, 150ms);
  if (dice.chance(0.2)) link.jitter = dice.time(100us, 20ms);
  if (dice.chance(0.6)) link.rate = Bandwidth::from_bits_per_second(static_cast<std::uint64_t>(dice.spread(2e6, 2e8)));
  link.queue.bytes = dice.number(16 * 1228, 100'000);
  if (dice.chance(0.2)) link.loss.rate = dice.spread(0.001, 0.03);
  return link;
}

Config attacked_config(Dice& dice) {
  Config config;
  config.congestion = dice.one_of(adaptive_congestion_kinds());
  config.streams.delivery = dice.chance(0.5) ? DeliveryMode::kWhole : DeliveryMode::kChunks;
  // Without it an attacker on the path may be taken for the peer: that is what the wire cannot provide (W3).
  config.handshake.require_authenticated_peer = true;
  // Small tables: they are built millions of times, and have to be filled by few datagrams.
  config.max_connections = dice.chance(0.3) ? 16 : 64;
  config.admission.max_half_open = 64;
  config.admission.address_entries = 64;
  config.admission.prefix_entries = 16;
  config.admission.replay_entries = 256;
  return config;
}

FlowSpec attacked_flow(Dice& dice, std::uint32_t from, std::uint32_t to) {
  FlowSpec flow;
  flow.from = from;
  flow.to = to;
  if (dice.chance(0.5)) flow.start = dice.moment(1s);
  constexpr std::array kKinds = {FlowKind::kStreams, FlowKind::kMessages, FlowKind::kRequests};
  flow.kind = dice.one_of(kKinds);
  // Few scenarios are long: what counts by half minutes shows in them alone.
  flow.interval = dice.chance(0.1) ? dice.time(1s, 3s) : dice.time(5ms, 300ms);
  flow.count = static_cast<std::uint32_t>(dice.number(2, flow.interval > 900ms ? 20 : 10));
  if (flow.kind == FlowKind::kStreams) {
    flow.bytes = static_cast<std::uint64_t>(dice.spread(1'200, 40'000));
    flow.count = std::min(flow.count, 5U);
    flow.window = static_cast<std::uint32_t>(dice.number(1, 2));
  } else {
    flow.bytes = dice.number(kSmallestPayload, dice.chance(0.2) ? 5'000 : 1'000);
    flow.reply_bytes = dice.number(kSmallestPayload, dice.chance(0.3) ? 20'000 : 1'000);
  }
  return flow;
}

AttackSpec random_attack_spec(Dice& dice, const Scenario& scenario, Duration length) {
  AttackSpec attack;
  attack.kind = dice.one_of(kAllAttackKinds);
  constexpr std::array kSources = {AttackSource::kPeer, AttackSource::kPeer, AttackSource::kPeerPrefix,
                                   AttackSource::kOwn, AttackSource::kMany};
  attack.source = dice.one_of(kSources);
  const FlowSpec& flow = scenario.flows[dice.number(0, scenario.flows.size() - 1)];
  const bool receiver = dice.chance(0.6);
  attack.victim = receiver ? flow.to : flow.from;
  attack.peer = receiver ? flow.from : flow.to;
  attack.count = static_cast<std::uint32_t>(dice.spread(1, 60));
  // Each of these costs the simulation one or more X25519 operations.
  if (attack.kind == AttackKind::kIntros) attack.count = std::min(attack.count, 16U);
  if (attack.kind == AttackKind::kConnections) attack.count = static_cast<std::uint32_t>(dice.number(1, 24));
  if (dice.chance(0.7)) attack.start = dice.moment(length / 2);
  attack.interval = std::max<Duration>(dice.chance(0.3) ? dice.time(10us, 5ms) : (length / (attack.count + 1)), 1us);
  if (attack.kind == AttackKind::kDelay) attack.delay = dice.time(1ms, 300ms);
  if (attack.kind == AttackKind::kReplay && dice.chance(0.5)) attack.delay = dice.moment(length);
  // An authentic datagram that is newer than all others tells truly where its peer is to be answered from.
  const bool authentic = acts_on_passing(attack.kind) || attack.kind == AttackKind::kReplay;
  attack.other_interface = dice.chance(0.15) && !authentic;
  return attack;
}

}  // namespace

Scenario random_attack(std::uint64_t seed) {
  Dice dice(seed ^ 0x61747461636b);
  Scenario scenario;
  scenario.seed = seed;
  scenario.name = fmt::format("attack {}", seed);
  const std::uint32_t hosts = dice.chance(0.8) ? 2 : 3;
  for (std::uint32_t i = 0; i < hosts; ++i) {
    HostSpec host;
    host.config = attacked_config(dice);
    // The first host is the world: the paths are those of the others.
    if (i > 0) {
      const LinkSpec out = attacked_link(dice);
      scenario.links.push_back(out);
      scenario.links.push_back(dice.chance(0.6) ? out : attacked_link(dice));
      host.egress = {static_cast<std::uint32_t>(scenario.links.size() - 2)};
      host.ingress = {static_cast<std::uint32_t>(scenario.links.size() - 1)};
    }
    if (dice.chance(0.5)) host.receive_interval = dice.time(50us, 5ms);
    scenario.hosts.push_back(std::move(host));
  }
  Duration length = 200ms;
  for (std::uint32_t client = 1; client < hosts; ++client) {
    // One direction for each pair: attempts of both sides that cross replace one another.
    const bool outwards = dice.chance(0.6);
    for (std::uint64_t i = dice.number(1, 2); i > 0; --i) {
      scenario.flows.push_back(attacked_flow(dice, outwards ? client : 0, outwards ? 0 : client));
      const FlowSpec& flow = scenario.flows.back();
      length = std::max(length, flow.start + static_cast<Duration::rep>(flow.count) * flow.interval);
    }
  }
  for (std::uint64_t i = dice.number(1, 3); i > 0; --i) {
    scenario.attacks.push_back(random_attack_spec(dice, scenario, length));
  }
  if (dice.chance(0.12)) {
    constexpr std::array kKinds = {FaultKind::kRestart, FaultKind::kRestartNewKeys, FaultKind::kReconnect};
    scenario.faults.push_back({.kind = dice.one_of(kKinds),
                               .at = dice.moment(length),
                               .target = static_cast<std::uint32_t>(dice.number(0, hosts - 1)),
                               .duration = dice.time(1ms, 2s)});
  }
  mix_extended_sessions(scenario, seed);
  scenario.resolve();
  return scenario;
}

}  // namespace godwit::sim
