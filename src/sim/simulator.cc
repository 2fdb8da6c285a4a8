// The simulation's loop and its network (simulator.h): a datagram goes transmit() -> links of the way out ->
// cross_the_world() -> links of the way in -> Host. What is told to checkers stands in simulator_observations.cc.
#include "sim/simulator.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/limits.h"

namespace godwit::sim {
namespace {

// What may still arrive and be forgotten after the end: connection attempts of 15 s, half-open handshakes of 6 s.
constexpr Duration kEpilogue = 40s;
constexpr std::uint16_t kPort = 31337;

}  // namespace

Simulator::Simulator(Scenario scenario, SimulatorOptions options)
    : scenario_(std::move(scenario)),
      options_(std::move(options)),
      messages_(scenario_.seed, check_log_),
      wire_(check_log_),
      state_(check_log_, options_.mutation),
      network_random_(splitmix64(scenario_.seed ^ 0x6e6574)),
      application_(*this) {
  scenario_.resolve();
  for (const LinkSpec& spec : scenario_.links) links_.push_back(std::make_unique<Link>(spec, network_random_, kStart));
  for (std::uint32_t i = 0; i < scenario_.nats.size(); ++i) {
    const SocketAddress external = SocketAddress::ipv4({203, 0, 113, static_cast<std::uint8_t>(i + 1)}, 0);
    nats_.push_back(std::make_unique<Nat>(scenario_.nats[i], external, network_random_));
  }
  for (std::uint32_t i = 0; i < scenario_.hosts.size(); ++i) {
    hosts_.push_back(std::make_unique<Host>(*this, i, scenario_.hosts[i], splitmix64(scenario_.seed) + 7919 * (i + 1)));
  }
  for (std::uint32_t i = 0; i < scenario_.competitors.size(); ++i) {
    competitors_.push_back(std::make_unique<Competitor>(*this, i, scenario_.competitors[i]));
  }
  if (!scenario_.attacks.empty()) {
    attacker_.emplace(*this);
    if (options_.check) attack_checker_.emplace(scenario_, check_log_, options_.mutation);
  }
  if (options_.mutation == Mutation::kOverfillQueue) {
    for (auto& link : links_) link->break_queue_bound();
  }
}

Simulator::~Simulator() = default;

// --- Addresses: the index of a host stands in its address ---

SocketAddress Simulator::inside_address(std::uint32_t host) const {
  const auto low = static_cast<std::uint8_t>(host & 0xff);
  const auto high = static_cast<std::uint8_t>(host >> 8);
  if (scenario_.hosts[host].nat) return SocketAddress::ipv4({10, 0, high, low}, kPort);
  return SocketAddress::ipv4({198, 18, high, low}, kPort);
}

std::optional<std::uint32_t> Simulator::public_host_at(const SocketAddress& address) const {
  const auto& octets = address.octets();
  if (octets[0] != 198) return std::nullopt;
  const std::uint32_t host = static_cast<std::uint32_t>(octets[2]) << 8 | octets[3];
  if (host >= hosts_.size()) return std::nullopt;
  return host;
}

bool Simulator::is_host_address(const SocketAddress& address) const {
  return public_host_at(address).has_value() || address.octets()[0] == 203;
}

// --- The loop ---

void Simulator::run_until(Duration until) {
  if (!started_) {
    started_ = true;
    for (auto& host : hosts_) host->start(now_);
    application_.start(now_);
    if (attacker_) attacker_->start(now_);
    for (std::uint32_t i = 0; i < scenario_.faults.size(); ++i) {
      ++pending_faults_;
      schedule(kStart + scenario_.faults[i].at, EventKind::kFault, i);
    }
    for (std::uint32_t i = 0; i < competitors_.size(); ++i) {
      schedule(kStart + scenario_.competitors[i].start, EventKind::kCompetitor, i, 0);
    }
  }
  const Instant end = kStart + until;
  while (!heap_.empty() && heap_.next().at <= end && !stopped()) step();
  if (!stopped()) now_ = std::max(now_, end);
}

void Simulator::step() {
  const sim::Event event = heap_.pop();
  now_ = event.at;
  ++events_;
  dispatch(event);
}

void Simulator::dispatch(const Event& event) {
  switch (event.kind) {
    case EventKind::kDequeue: return serve_link(now_, event.target);
    case EventKind::kArrival: {
      links_[event.target]->on_arrival(pool_[event.packet]);
      if (options_.check) state_.check_link(now_, event.target, *links_[event.target]);
      return enter_path(now_, event.packet);
    }
    case EventKind::kHostWake: return hosts_[event.target]->wake(now_);
    case EventKind::kInbox: return hosts_[event.target]->read_inbox(now_);
    case EventKind::kSealed: return hosts_[event.target]->on_sealed(now_);
    case EventKind::kFlow: return application_.on_timer(now_, event.target);
    case EventKind::kFault: return inject(now_, scenario_.faults[event.target]);
    case EventKind::kFaultEnd: return end_fault(now_, scenario_.faults[event.target]);
    case EventKind::kCompetitor: return competitors_[event.target]->on_timer(now_, event.packet);
    case EventKind::kAttack: return attacker_->on_timer(now_, event.target);
    case EventKind::kForged: return arrive(now_, event.packet);
  }
}

SimulationResult Simulator::run() {
  const Duration bound = scenario_.bound();
  const Duration end = scenario_.duration.value_or(bound);
  run_until(Duration::zero());
  while (!heap_.empty() && heap_.next().at <= kStart + end && !settled() && !stopped()) step();
  SimulationResult result;
  result.simulated = elapsed();
  result.bound = bound;
  const bool late = !settled() || options_.mutation == Mutation::kStallForever;
  if (!stopped() && !scenario_.duration && late) {
    std::string open;
    for (std::uint32_t flow = 0; flow < application_.progress().size(); ++flow) {
      const FlowProgress& progress = application_.progress()[flow];
      if (progress.ended == scenario_.flows[flow].count) continue;
      open += fmt::format(" flow {}: {} of {} ended, {} outstanding;", flow, progress.ended,
                          scenario_.flows[flow].count, progress.outstanding);
    }
    check_log_.report(Rule::kLiveness, now_, fmt::format("not finished within {:.1f} s:{}", to_seconds(bound), open));
  }
  if (!stopped() && !scenario_.duration && scenario_.gentle()) {
    for (std::uint32_t flow = 0; flow < application_.progress().size(); ++flow) {
      const FlowProgress& progress = application_.progress()[flow];
      if (progress.confirmed == progress.ended) continue;
      check_log_.report(Rule::kLiveness, now_,
                        fmt::format("flow {}: {} messages failed on a path without interruption", flow,
                                    progress.ended - progress.confirmed));
    }
  }
  finish();
  result.violations = check_log_.violations();
  result.trace_hash = trace_hash_;
  result.events = events_;
  result.datagrams = datagrams_;
  result.messages = messages_.records().size();
  result.delivered_bytes = messages_.delivered_bytes();
  for (const FlowProgress& progress : application_.progress()) result.confirmed += progress.confirmed;
  for (const auto& link : links_) {
    for (std::size_t i = 0; i < result.drops.size(); ++i) result.drops[i] += link->statistics().drops[i];
    result.corrupted += link->statistics().corrupted;
    result.duplicated += link->statistics().duplicated;
    result.reordered += link->statistics().reordered;
    result.marked += link->statistics().marked;
  }
  for (const auto& nat : nats_) result.nat_drops += nat->dropped();
  result.faults = scenario_.faults.size() - pending_faults_;
  if (attacker_) result.attack_datagrams = attacker_->datagrams();
  if (attacker_) result.attack_connections = attacker_->connections();
  if (attack_checker_) result.attack = attack_checker_->numbers();
  return result;
}

// Everybody says goodbye; nothing may be left.
void Simulator::finish() {
  if (stopped()) return;
  application_.stop();
  if (attacker_) attacker_->stop();
  if (attack_checker_) attack_checker_->stop();
  for (auto& host : hosts_) host->leave(now_);
  run_until(elapsed() + kEpilogue);
  if (stopped()) return;
  messages_.at_end(now_);
  for (std::uint32_t i = 0; i < hosts_.size(); ++i) {
    if (const Endpoint* endpoint = hosts_[i]->endpoint()) state_.at_end(now_, i, *endpoint);
  }
}

// --- The network ---

void Simulator::transmit(Instant now, std::uint32_t host, const SocketAddress& remote, ByteView datagram, Ecn ecn,
                         bool nowhere) {
  ++datagrams_;
  std::vector<std::uint8_t> falsified;
  if (options_.mutation != Mutation::kNone) {
    falsified.assign(datagram.begin(), datagram.end());
    inject(now, host, falsified);
    datagram = falsified;
  }
  if (options_.check)
    wire_.on_datagram(now, host, datagram, WireChecker::largest_datagram(scenario_.hosts[host].config));
  note("send", host, datagram.size(), load_le<std::uint64_t>(datagram.data() + datagram.size() - 8));
  if (attack_checker_) attack_checker_->on_sent(now, host, remote, datagram.size());
  if (nowhere || datagram.size() > Packet::kCapacity) return;
  const std::uint32_t index = pool_.take();
  Packet& packet = pool_[index];
  packet.source = hosts_[host]->address();
  packet.destination = remote;
  packet.size = static_cast<std::uint32_t>(datagram.size());
  packet.charge = packet.size + kIpUdpOverhead;
  packet.sender = host;
  packet.competitor = 0;
  packet.inbound = false;
  packet.forged = packet.other_interface = false;
  packet.ecn = ecn;
  packet.hop = 0;
  packet.sent_at = now;
  std::copy(datagram.begin(), datagram.end(), packet.bytes.begin());
  enter_path(now, index);
}

void Simulator::forge(Instant now, std::uint32_t host, const SocketAddress& source, ByteView datagram,
                      bool other_interface) {
  note("forge", host, datagram.size(), source.port());
  const std::uint32_t index = pool_.take();
  Packet& packet = pool_[index];
  packet.source = source;
  packet.destination = hosts_[host]->address();
  packet.size = static_cast<std::uint32_t>(datagram.size());
  packet.receiver = host;
  packet.competitor = 0;
  packet.inbound = packet.forged = true;
  packet.ecn = Ecn::kNone;
  packet.other_interface = other_interface;
  std::copy(datagram.begin(), datagram.end(), packet.bytes.begin());
  // Not from within the turn of a host.
  schedule(now, EventKind::kForged, host, index);
}

void Simulator::transmit_model(Instant now, std::uint32_t competitor, bool acknowledgement, std::uint64_t sequence,
                               std::uint32_t charge) {
  const std::uint32_t index = pool_.take();
  Packet& packet = pool_[index];
  packet.size = 0;
  packet.charge = charge;
  packet.competitor = competitor + 1;
  packet.acknowledgement = acknowledgement;
  packet.ecn = Ecn::kNone;
  packet.sequence = sequence;
  packet.hop = 0;
  packet.sent_at = now;
  enter_path(now, index);
}

const std::vector<std::uint32_t>& Simulator::path_of(const Packet& packet) const {
  if (packet.competitor != 0) {
    const CompetitorSpec& spec = scenario_.competitors[packet.competitor - 1];
    return packet.acknowledgement ? spec.ingress : spec.egress;
  }
  return packet.inbound ? scenario_.hosts[packet.receiver].ingress : scenario_.hosts[packet.sender].egress;
}

// To the next link of its path, or past the last one.
void Simulator::enter_path(Instant now, std::uint32_t index) {
  Packet& packet = pool_[index];
  const auto& path = path_of(packet);
  if (packet.hop < path.size()) return enter_link(now, path[packet.hop++], index);
  if (packet.competitor != 0) {
    Competitor& owner = *competitors_[packet.competitor - 1];
    const std::uint64_t sequence = packet.sequence;
    const bool acknowledgement = packet.acknowledgement;
    pool_.release(index);
    return acknowledgement ? owner.on_acknowledgement(now, sequence) : owner.on_segment(now, sequence);
  }
  if (!packet.inbound) return cross_the_world(now, index);
  arrive(now, index);
}

void Simulator::arrive(Instant now, std::uint32_t index) {
  Packet& packet = pool_[index];
  // Of the checkers' tests: two of three datagrams to the first host arrive spoiled, once the sessions are there.
  if (options_.mutation == Mutation::kSpoilDatagrams && packet.receiver == 0 && datagrams_ > 20 && datagrams_ % 3 > 0) {
    packet.bytes[packet.size - 1] ^= 1;
  }
  if (attack_checker_) attack_checker_->on_received(packet.receiver, packet.source, packet.size, packet.forged);
  hosts_[packet.receiver]->on_datagram(now, index);
}

void Simulator::enter_link(Instant now, std::uint32_t link, std::uint32_t index) {
  Link& at = *links_[link];
  if (options_.mutation == Mutation::kLeakPacket) at.break_accounting();
  if (at.enqueue(now, index, pool_[index])) {
    note("drop", link, pool_[index].size, 0);
    pool_.release(index);
  } else if (at.ready(now)) {
    serve_link(now, link);
  }
  if (options_.check) state_.check_link(now, link, at);
}

void Simulator::serve_link(Instant now, std::uint32_t link) {
  Link& at = *links_[link];
  while (at.ready(now)) {
    scratch_dropped_.clear();
    const auto departure = at.transmit(now, pool_, scratch_dropped_);
    for (const std::uint32_t dropped : scratch_dropped_) pool_.release(dropped);
    if (!departure) break;
    schedule(departure->arrives_at, EventKind::kArrival, link, departure->packet);
    if (departure->duplicate) {
      const std::uint32_t copy = pool_.take();
      pool_[copy] = pool_[departure->packet];
      schedule(departure->arrives_at, EventKind::kArrival, link, copy);
    }
    // A link that is free only later serves the next packet then; one event a link suffices.
    if (at.free_at() > now) schedule(at.free_at(), EventKind::kDequeue, link);
  }
}

// Between the sender's links and the receiver's: address translation and routing by address.
void Simulator::cross_the_world(Instant now, std::uint32_t index) {
  Packet& packet = pool_[index];
  const auto& nat = scenario_.hosts[packet.sender].nat;
  if (nat) packet.source = nats_[*nat]->outbound(now, packet.source, packet.destination);
  const auto& octets = packet.destination.octets();
  if (octets[0] == 203 && octets[3] >= 1 && octets[3] <= nats_.size()) {
    const auto inside = nats_[octets[3] - 1u]->inbound(now, packet.destination, packet.source);
    if (!inside) return pool_.release(index);
    packet.receiver = static_cast<std::uint32_t>(inside->octets()[2]) << 8 | inside->octets()[3];
  } else if (const auto host = public_host_at(packet.destination); host && packet.destination.port() == kPort) {
    packet.receiver = *host;  // what goes to another port of it finds no socket
  } else {
    if (attacker_) attacker_->on_reply(now, packet);
    return pool_.release(index);
  }
  packet.inbound = true;
  packet.hop = 0;
  if (attacker_ && attacker_->on_passing(now, index)) return;
  enter_path(now, index);
}

// --- Faults ---

void Simulator::stop_host(Instant now, std::uint32_t host) {
  hosts_[host]->kill(now);
  state_.on_host_lost(host);
  if (attack_checker_) attack_checker_->on_host_lost(host);
  for (const std::uint64_t number : messages_.on_host_lost(host)) application_.on_ended(now, number);
  application_.on_host_lost(now, host);
}

void Simulator::inject(Instant now, const Fault& fault) {
  note(fault_name(fault.kind), fault.target, 0, 0);
  const auto index = static_cast<std::uint32_t>(&fault - scenario_.faults.data());
  switch (fault.kind) {
    case FaultKind::kRestart:
    case FaultKind::kRestartNewKeys: {
      stop_host(now, fault.target);
      if (fault.kind == FaultKind::kRestartNewKeys) hosts_[fault.target]->renew_keys();
      return schedule(now + fault.duration, EventKind::kFaultEnd, index);
    }
    case FaultKind::kStall: {
      hosts_[fault.target]->stall();
      return schedule(now + fault.duration, EventKind::kFaultEnd, index);
    }
    case FaultKind::kClockJump: hosts_[fault.target]->jump_clock(now, fault.duration); break;
    case FaultKind::kRebindNat: nats_[fault.target]->rebind(); break;
    case FaultKind::kClose: hosts_[fault.target]->close_all(now); break;
    case FaultKind::kReconnect: hosts_[fault.target]->reconnect(now); break;
  }
  --pending_faults_;
}

void Simulator::end_fault(Instant now, const Fault& fault) {
  --pending_faults_;
  Host& host = *hosts_[fault.target];
  if (fault.kind == FaultKind::kStall) return host.resume(now);
  if (!host.running()) host.start(now);
}

}  // namespace godwit::sim
