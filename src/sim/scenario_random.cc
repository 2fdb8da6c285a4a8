#include "sim/scenario_random.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/dice.h"

namespace godwit::sim {
namespace {

LossSpec random_loss(Dice& dice) {
  LossSpec loss;
  if (dice.chance(0.45)) return loss;
  if (dice.chance(0.6)) {
    loss.rate = dice.spread(0.001, 0.3);
  } else if (dice.chance(0.7)) {
    loss.to_bad = dice.spread(0.001, 0.1);
    loss.to_good = dice.spread(0.1, 0.9);
    loss.bad_rate = dice.chance(0.5) ? 1.0 : dice.spread(0.3, 1.0);
  } else {
    // A few early packets: handshakes and first flights.
    for (std::uint64_t at = dice.number(0, 3); at < 12; at += dice.number(1, 4)) loss.packets.push_back(at);
  }
  return loss;
}

LinkSpec random_link(Dice& dice) {
  LinkSpec link;
  link.delay = dice.time(50us, 400ms);
  if (dice.chance(0.3)) link.jitter = dice.time(100us, 50ms);
  if (dice.chance(0.8)) link.rate = Bandwidth::from_bits_per_second(static_cast<std::uint64_t>(dice.spread(2e5, 1e9)));
  if (dice.chance(0.7)) {
    link.queue.bdp = dice.spread(0.25, 8);
  } else {
    link.queue.bytes = dice.number(2 * 1228, 200'000);
  }
  if (dice.chance(0.2)) link.aqm = Aqm::kCodel;
  link.loss = random_loss(dice);
  if (dice.chance(0.2)) {
    link.reorder = dice.spread(0.005, 0.5);
    link.reorder_by = dice.time(100us, 100ms);
  }
  if (dice.chance(0.2)) link.duplicate = dice.spread(0.005, 0.5);
  if (dice.chance(0.15)) link.corrupt = dice.spread(0.002, 0.2);
  if (dice.chance(0.03)) link.mtu = static_cast<std::uint32_t>(dice.number(576, 1300));
  if (dice.chance(0.1)) {
    const Duration from = dice.moment(6s);
    link.blackouts.push_back({from, from + dice.time(50ms, dice.chance(0.1) ? Duration(150s) : Duration(4s))});
  }
  if (dice.chance(0.08) && !link.rate.is_unlimited()) {
    Duration at = dice.moment(2s);
    for (std::uint64_t i = dice.number(1, 3); i > 0; --i, at += dice.moment(2s)) {
      link.rate_changes.push_back({at, link.rate.scaled(dice.spread(0.1, 4))});
    }
  }
  if (dice.chance(0.1)) {
    const Duration from = dice.moment(4s);
    link.delay_spikes.push_back({from, from + dice.time(1ms, 1s), dice.time(10ms, 2s)});
  }
  if (dice.chance(0.05)) {
    link.policer = Policer{Bandwidth::from_bits_per_second(static_cast<std::uint64_t>(dice.spread(5e5, 1e8))),
                           dice.number(5'000, 100'000)};
  }
  return link;
}

Config random_config(Dice& dice) {
  Config config;
  config.congestion = dice.one_of(congestion_kinds());
  config.controller.fixed_rate = Bandwidth::from_bits_per_second(static_cast<std::uint64_t>(dice.spread(5e5, 2e7)));
  config.streams.delivery = dice.chance(0.5) ? DeliveryMode::kWhole : DeliveryMode::kChunks;
  if (dice.chance(0.3)) config.recovery.rtt.min_rto = 200ms;
  if (dice.chance(0.2)) config.handshake.require_authenticated_peer = false;
  if (dice.chance(0.1))
    config.connection_rate_limit = Bandwidth::from_bits_per_second(static_cast<std::uint64_t>(dice.spread(3e5, 3e7)));
  if (dice.chance(0.1))
    config.endpoint_rate_limit = Bandwidth::from_bits_per_second(static_cast<std::uint64_t>(dice.spread(3e5, 3e7)));
  if (dice.chance(0.15)) {
    config.send_queue.max_messages = static_cast<std::uint32_t>(dice.number(1, 16));
    config.send_queue.max_streams = static_cast<std::uint32_t>(dice.number(1, 4));
  }
  if (dice.chance(0.1)) config.keepalive.ping_jitter = 1s;
  if (dice.chance(0.1)) {
    config.recovery.skip_least = 5;
    config.recovery.skip_most = 50;
    config.recovery.skip_interval = 1ms;
  }
  if (dice.chance(0.05)) config.recovery.first_packet_id = 0xffffffff - static_cast<std::uint32_t>(dice.number(0, 100));
  // A scenario has few peers: small tables, built and cleared millions of times.
  config.admission.address_entries = 64;
  config.admission.prefix_entries = 16;
  config.admission.replay_entries = 256;
  return config;
}

FlowSpec random_flow(Dice& dice, std::uint32_t from, std::uint32_t to, std::uint64_t budget_bytes) {
  FlowSpec flow;
  flow.from = from;
  flow.to = to;
  flow.start = dice.chance(0.5) ? Duration::zero() : dice.moment(3s);
  constexpr std::array kKinds = {FlowKind::kStreams, FlowKind::kMessages, FlowKind::kRequests};
  flow.kind = dice.one_of(kKinds);
  switch (flow.kind) {
    case FlowKind::kStreams:
      flow.bytes = static_cast<std::uint64_t>(dice.spread(16, static_cast<double>(budget_bytes)));
      flow.count = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(dice.number(1, 8), std::max<std::uint64_t>(1, budget_bytes / flow.bytes)));
      flow.window = static_cast<std::uint32_t>(dice.number(1, 4));
      if (dice.chance(0.2)) flow.interval = dice.time(1ms, 2s);
      break;
    case FlowKind::kMessages:
      flow.bytes = dice.number(kSmallestPayload, 1106);
      flow.count = static_cast<std::uint32_t>(dice.number(1, 40));
      flow.interval = dice.time(100us, 500ms);
      break;
    case FlowKind::kRequests:
      flow.bytes = dice.number(kSmallestPayload, dice.chance(0.2) ? 20'000 : 1'106);
      flow.reply_bytes = dice.number(kSmallestPayload, dice.chance(0.3) ? 30'000 : 1'106);
      flow.count = static_cast<std::uint32_t>(dice.number(1, 10));
      if (dice.chance(0.5)) flow.interval = dice.time(1ms, 2s);
      break;
  }
  if (dice.chance(0.2)) {
    flow.pause_every = static_cast<std::uint32_t>(dice.number(1, 5));
    flow.pause = dice.time(100ms, dice.chance(0.1) ? Duration(130s) : Duration(20s));
  }
  return flow;
}

Fault random_fault(Dice& dice, const Scenario& scenario) {
  constexpr std::array kKinds = {FaultKind::kRestart,   FaultKind::kRestartNewKeys, FaultKind::kStall,
                                 FaultKind::kClockJump, FaultKind::kClose,          FaultKind::kReconnect,
                                 FaultKind::kRebindNat};
  Fault fault;
  fault.kind = dice.one_of(kKinds);
  if (fault.kind == FaultKind::kRebindNat && scenario.nats.empty()) fault.kind = FaultKind::kStall;
  fault.at = dice.moment(8s);
  const std::size_t targets = fault.kind == FaultKind::kRebindNat ? scenario.nats.size() : scenario.hosts.size();
  fault.target = static_cast<std::uint32_t>(dice.number(0, targets - 1));
  fault.duration = dice.time(1ms, dice.chance(0.1) ? Duration(200s) : Duration(5s));
  return fault;
}

// Links that carry larger datagrams, and some that stop doing so.
void mix_sizes(Scenario& scenario, std::uint64_t seed) {
  Dice dice(seed ^ 0x6d74757366726f6d);
  if (dice.chance(0.4)) return;
  constexpr std::array<std::uint32_t, 5> kSizes = {1300, 1500, 4500, 9000, 9000};
  constexpr std::array<std::uint32_t, 4> kLater = {1228, 1400, 1500, 9000};
  for (LinkSpec& link : scenario.links) {
    if (link.mtu < 1500) continue;
    link.mtu = dice.one_of(kSizes);
    if (dice.chance(0.3)) link.mtu_changes.push_back({dice.moment(6s), dice.one_of(kLater)});
  }
  for (HostSpec& host : scenario.hosts) {
    if (dice.chance(0.2)) host.config.handshake.largest_datagram = static_cast<std::uint16_t>(dice.number(1200, 8900));
  }
}

}  // namespace

void mix_extended_sessions(Scenario& scenario, std::uint64_t seed) {
  Dice dice(seed ^ 0x657874656e646564);
  const double share = dice.chance(0.4) ? 1 : dice.chance(0.5) ? 0.5 : 0;
  bool all = true;
  for (HostSpec& host : scenario.hosts) {
    const bool has = dice.chance(share);
    all = all && has;
    host.config.handshake.extended = has ? ExtendedPolicy::kAuto : ExtendedPolicy::kOff;
    if (dice.chance(0.3)) host.config.handshake.capabilities &= dice.number(0, wire::kOwnCapabilities);
  }
  // Sides that refuse the deployed form, more mixtures of capabilities, and paths that mark packets or mishandle marks.
  // Drawn apart again.
  Dice more(seed ^ 0x72657175697265);
  const bool all_have = std::ranges::none_of(
      scenario.hosts, [](const HostSpec& host) { return host.config.handshake.extended == ExtendedPolicy::kOff; });
  // Beside an attacker every honest attempt to connect is to succeed.
  const bool may_require = all_have || scenario.attacks.empty();
  for (HostSpec& host : scenario.hosts) {
    if (host.config.handshake.extended == ExtendedPolicy::kAuto && more.chance(0.2) && may_require)
      host.config.handshake.extended = ExtendedPolicy::kRequire;
    if (more.chance(0.3)) host.config.handshake.capabilities &= more.number(0, wire::kOwnCapabilities);
  }
  for (LinkSpec& link : scenario.links) {
    constexpr std::array kRules = {EcnRule::kPass, EcnRule::kMark, EcnRule::kMark, EcnRule::kClear, EcnRule::kDrop};
    link.ecn = more.one_of(kRules);
  }
  for (AttackSpec& attack : scenario.attacks) {
    if (opens_connections(attack.kind) && more.chance(0.5))
      attack.capabilities = more.number(0, wire::kOwnCapabilities);
  }
  // Sessions of the deployed form would end at the limit.
  for (HostSpec& host : scenario.hosts) all = all && host.config.handshake.capabilities == wire::kOwnCapabilities;
  if (!all) return;
  for (HostSpec& host : scenario.hosts) host.config.soft_packet_limit = dice.number(10, 500);
}

void delay_sealing(Scenario& scenario, std::uint64_t seed) {
  Dice dice(seed ^ 0x7365616c);
  for (HostSpec& host : scenario.hosts) {
    if (dice.chance(0.8)) host.seal_delay = dice.time(1us, 5ms);
  }
}

Scenario random_scenario(std::uint64_t seed) {
  Dice dice(seed);
  Scenario scenario;
  scenario.seed = seed;
  scenario.name = fmt::format("seed {}", seed);
  const std::uint32_t hosts = dice.chance(0.75) ? 2 : static_cast<std::uint32_t>(dice.number(3, 5));
  const bool shared = dice.chance(0.4);
  if (shared) {
    scenario.links.push_back(random_link(dice));
    scenario.links.push_back(dice.chance(0.6) ? scenario.links[0] : random_link(dice));
  }
  for (std::uint32_t i = 0; i < hosts; ++i) {
    HostSpec host;
    host.config = random_config(dice);
    if (shared && i > 0) {
      // Behind the common bottleneck; the first host is the world.
      host.egress = {0};
      host.ingress = {1};
    } else {
      const LinkSpec out = random_link(dice);
      scenario.links.push_back(out);
      scenario.links.push_back(dice.chance(0.6) ? out : random_link(dice));
      host.egress = {static_cast<std::uint32_t>(scenario.links.size() - 2)};
      host.ingress = {static_cast<std::uint32_t>(scenario.links.size() - 1)};
    }
    if (i > 0 && dice.chance(0.2)) {
      if (scenario.nats.empty() || dice.chance(0.5)) {
        NatSpec nat;
        nat.mapping = static_cast<NatRule>(dice.number(0, 2));
        nat.filtering = static_cast<NatRule>(dice.number(0, 2));
        nat.expiry = dice.time(10s, 200s);
        nat.refreshed_by_inbound = dice.chance(0.5);
        scenario.nats.push_back(nat);
      }
      host.nat = static_cast<std::uint32_t>(scenario.nats.size() - 1);
    }
    if (dice.chance(0.3)) host.receive_interval = dice.time(10us, 5ms);
    if (dice.chance(0.1)) host.socket_buffer = static_cast<std::uint32_t>(dice.number(5'000, 50'000));
    scenario.hosts.push_back(std::move(host));
  }
  const std::uint64_t flows = dice.number(1, hosts + 1);
  const std::uint64_t budget = static_cast<std::uint64_t>(dice.spread(2'000, 300'000)) / flows;
  for (std::uint64_t i = 0; i < flows; ++i) {
    const auto from = static_cast<std::uint32_t>(dice.number(0, hosts - 1));
    auto to = static_cast<std::uint32_t>(dice.number(0, hosts - 1));
    if (to == from || scenario.hosts[to].nat) to = 0;
    // The first host is always public.
    if (to == from) continue;
    scenario.flows.push_back(random_flow(dice, from, to, std::max<std::uint64_t>(budget, 100)));
  }
  if (scenario.flows.empty()) scenario.flows.push_back(random_flow(dice, 1, 0, std::max<std::uint64_t>(budget, 100)));
  if (dice.chance(0.35)) {
    for (std::uint64_t i = dice.number(1, 3); i > 0; --i) scenario.faults.push_back(random_fault(dice, scenario));
  }
  mix_extended_sessions(scenario, seed);
  // Windows that the flows fill.
  Dice windows(seed ^ 0x77696e646f7773);
  for (HostSpec& host : scenario.hosts) {
    if (!windows.chance(0.5)) continue;
    host.config.handshake.flow = {.stream = windows.number(10'000, 200'000),
                                  .connection = windows.number(20'000, 300'000)};
  }
  mix_sizes(scenario, seed);
  scenario.resolve();
  return scenario;
}

}  // namespace godwit::sim
