#include "sim/scenario.h"

#include <algorithm>
#include <cmath>

#include "wire/limits.h"

namespace godwit::sim {
namespace {

constexpr double kFullCharge = wire::kMaxDatagram + kIpUdpOverhead;
constexpr std::uint64_t kDefaultQueue = 64 * 1228;
constexpr std::uint64_t kBurst = 10 * 1228;  // PacerConfig::min_burst_datagrams

// Bounds that no scenario worth simulating meets; addresses and sums of times rely on them.
constexpr std::size_t kMostHosts = 10'000;
constexpr std::size_t kMostNats = 250;  // an address each
constexpr std::size_t kMostLinks = 10'000;
constexpr std::size_t kLongestPath = 100;                     // links
constexpr std::size_t kMostSpans = 1000;                      // of one kind of one link
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40;  // of a message or a queue
constexpr double kMostQueue = static_cast<double>(kMostBytes);

template <typename F>
void for_each_link(const Scenario& scenario, std::uint32_t from, std::uint32_t to, F f) {
  for (const std::uint32_t link : scenario.hosts[from].egress) f(scenario.links[link]);
  for (const std::uint32_t link : scenario.hosts[to].ingress) f(scenario.links[link]);
}

Bandwidth slowest(const LinkSpec& link) {
  Bandwidth rate = link.rate;
  for (const RateChange& change : link.rate_changes) rate = std::min(rate, change.rate);
  if (link.policer) rate = std::min(rate, link.policer->rate);
  return rate;
}

std::uint32_t smallest_mtu(const LinkSpec& link) {
  std::uint32_t mtu = link.mtu;
  for (const MtuChange& change : link.mtu_changes) mtu = std::min(mtu, change.mtu);
  return mtu;
}

// In seconds: what many spans add up to may be beyond Duration.
double interruption(const LinkSpec& link) {
  double sum = 0;
  for (const Span& blackout : link.blackouts) sum += to_seconds(blackout.until - blackout.from);
  for (const DelaySpike& spike : link.delay_spikes) sum += to_seconds(spike.extra);
  return sum;
}

// In seconds: until the sender of large datagrams has seen that they vanish. Two time-outs tell it where few are in
// flight, and what is lost beneath them repeats them.
double size_changes(const LinkSpec& link) {
  return 20 * static_cast<double>(link.mtu_changes.size());
}

// Saturates.
double time_for(Bandwidth rate, double bytes) {
  constexpr double kMost = 1e19;
  return to_seconds(rate.time_for(static_cast<std::uint64_t>(std::min(bytes, kMost))));
}

// Numbers that addresses, sums of times and counts of bytes rely on.
std::optional<std::string> size_problem(const Scenario& scenario) {
  if (scenario.hosts.size() > kMostHosts || scenario.nats.size() > kMostNats || scenario.links.size() > kMostLinks)
    return "there are too many hosts, NAT boxes or links";
  for (const HostSpec& host : scenario.hosts) {
    if (host.egress.size() > kLongestPath || host.ingress.size() > kLongestPath) return "a host's path is too long";
  }
  for (const LinkSpec& link : scenario.links) {
    if (link.queue.bytes > kMostBytes) return "a queue is too long";
    if (std::max({link.blackouts.size(), link.rate_changes.size(), link.delay_spikes.size(), link.mtu_changes.size()}) >
        kMostSpans)
      return "a link has too many changes";
    for (const Span& blackout : link.blackouts) {
      if (blackout.until < blackout.from) return "a blackout ends before it begins";
    }
  }
  for (const FlowSpec& flow : scenario.flows) {
    if (flow.bytes > kMostBytes || flow.reply_bytes > kMostBytes) return "a message is too long";
  }
  return std::nullopt;
}

}  // namespace

std::string_view fault_name(FaultKind kind) {
  switch (kind) {
    case FaultKind::kRestart: return "restart";
    case FaultKind::kRestartNewKeys: return "restart-new-keys";
    case FaultKind::kStall: return "stall";
    case FaultKind::kClockJump: return "clock-jump";
    case FaultKind::kRebindNat: return "rebind-nat";
    case FaultKind::kClose: return "close";
    case FaultKind::kReconnect: return "reconnect";
  }
  return "none";
}

Duration Scenario::round_trip(std::uint32_t from, std::uint32_t to) const {
  Duration sum{};
  for_each_link(*this, from, to, [&](const LinkSpec& link) { sum += link.delay; });
  for_each_link(*this, to, from, [&](const LinkSpec& link) { sum += link.delay; });
  return sum;
}

Duration Scenario::longest_round_trip(std::uint32_t from, std::uint32_t to) const {
  double sum = 0;  // in seconds, as all sums with transmission times: those of slow links may be beyond Duration
  const auto add = [&](const LinkSpec& link) {
    sum += to_seconds(link.delay) + to_seconds(link.jitter);
    if (link.reorder > 0) sum += to_seconds(link.reorder_by);
    for (const DelaySpike& spike : link.delay_spikes) sum += to_seconds(spike.extra);
    if (!link.rate.is_unlimited()) sum += to_seconds(slowest(link).time_for(link.queue.bytes + wire::kMaxDatagram));
  };
  for_each_link(*this, from, to, add);
  for_each_link(*this, to, from, add);
  for (const std::uint32_t host : {from, to}) {
    sum += to_seconds(hosts[host].receive_interval) + to_seconds(hosts[host].seal_delay);
  }
  return from_seconds(sum);
}

void Scenario::resolve() {
  for (std::uint32_t index = 0; index < links.size(); ++index) {
    LinkSpec& link = links[index];
    if (link.queue.bytes > 0) continue;
    link.queue.bytes = kDefaultQueue;
    if (link.queue.bdp <= 0) continue;
    // The longest path that crosses the link.
    Duration longest{};
    const auto crosses = [&](const std::vector<std::uint32_t>& path) {
      return std::find(path.begin(), path.end(), index) != path.end();
    };
    for (std::uint32_t from = 0; from < hosts.size(); ++from) {
      for (std::uint32_t to = 0; to < hosts.size(); ++to) {
        if (from == to || !(crosses(hosts[from].egress) || crosses(hosts[to].ingress))) continue;
        longest = std::max(longest, round_trip(from, to));
      }
    }
    const double wanted = static_cast<double>(link.rate.bytes_in(longest)) * link.queue.bdp;
    link.queue.bytes = static_cast<std::uint64_t>(std::clamp(wanted, 2.0 * 1228, kMostQueue));
  }
}

bool Scenario::gentle() const {
  // An attempt to connect lasts three seconds and sends twelve intros. Where no answer comes within them a second
  // attempt follows, and the answers to both may arrive together: the second one then begins a new session of the
  // deployed form, and takes what was sent in the first one with it (wire spec 5.8).
  constexpr Duration kLongestPause = 2s;
  for (const Fault& fault : faults) {
    if (fault.kind != FaultKind::kStall || fault.duration > kLongestPause) return false;
  }
  // Three keep-alives in a row may be lost before a mapping goes.
  for (const NatSpec& nat : nats) {
    if (nat.expiry < 60s) return false;
  }
  // Who demands the extended form of a peer that has none gets no connection.
  for (const FlowSpec& flow : flows) {
    const auto policy = [&](std::uint32_t host) { return hosts[host].config.handshake.extended; };
    const auto refuses = [&](std::uint32_t one, std::uint32_t other) {
      return policy(one) == ExtendedPolicy::kRequire && policy(other) == ExtendedPolicy::kOff;
    };
    if (refuses(flow.from, flow.to) || refuses(flow.to, flow.from)) return false;
  }
  // An attempt beside a handshake of the same peer replaces it, and what it had queued.
  for (const FlowSpec& flow : flows) {
    const auto opposite = [&](const FlowSpec& other) { return other.from == flow.to && other.to == flow.from; };
    if (std::any_of(flows.begin(), flows.end(), opposite)) return false;
  }
  // A sender that keeps a rate its path does not carry loses most of what it sends, and some packets every time.
  for (const FlowSpec& flow : flows) {
    const auto overruns = [&](std::uint32_t from, std::uint32_t to) {
      const Config& config = hosts[from].config;
      if (config.congestion != CongestionKind::kFixedRate) return false;
      Bandwidth carried = Bandwidth::unlimited();
      for_each_link(*this, from, to, [&](const LinkSpec& link) { carried = std::min(carried, slowest(link)); });
      return config.controller.fixed_rate > carried;
    };
    if (overruns(flow.from, flow.to) || overruns(flow.to, flow.from)) return false;
  }
  // The same where an attempt's intros, or the answers to them, are lost by number.
  constexpr std::size_t kMostScripted = 9;
  std::size_t scripted = 0;
  for (const LinkSpec& link : links) scripted += link.loss.packets.size();
  if (scripted > kMostScripted) return false;
  double loss = 0;
  for (const LinkSpec& link : links) {
    loss += link.loss.expected() + link.corrupt;
    // A session whose beginning is not confirmed within 5 s has failed (wire spec 4.5).
    if (interruption(link) > to_seconds(kLongestPause) || loss > 0.1 || smallest_mtu(link) < kFullCharge) return false;
    // A burst is counted in packets: with few of them it lasts as long as a black-out.
    if (link.loss.to_bad > 0 && link.loss.to_good < 0.5) return false;
  }
  return true;
}

Duration Scenario::bound() const {
  // In seconds: what hostile numbers add up to is beyond Duration, and from_seconds() saturates.
  // Handshakes under loss repeat every 250 ms, an ignored intro costs 5 s (wire spec 4.3).
  double total = 30;
  for (const Fault& fault : faults) {
    total = std::max(total, to_seconds(fault.at + fault.duration) + 30);
    total += to_seconds(fault.duration) + 5;
  }
  for (const LinkSpec& link : links) {
    for (const Span& blackout : link.blackouts)
      total = std::max(total, 30 + to_seconds(blackout.until + (blackout.until - blackout.from)));
    total += 2 * interruption(link) + size_changes(link);
  }
  for (const FlowSpec& flow : flows) {
    const double trip = to_seconds(longest_round_trip(flow.from, flow.to)) + 0.002;
    const auto count = static_cast<double>(flow.count);
    double loss = 0;
    Bandwidth rate = Bandwidth::unlimited();
    const auto look = [&](const LinkSpec& link) {
      // A queue shorter than a burst of the pacer: the rest of each burst is lost, time-out by time-out.
      if (!link.rate.is_unlimited() && link.queue.bytes < kBurst) total += count * 8;
      // Where full datagrams vanish, each message ends by twelve time-outs with back-off.
      if (smallest_mtu(link) < kFullCharge) total += count * 800;
      loss += link.loss.expected() + link.corrupt + 0.2 * link.reorder;
      // Every flow may be on the link, and a shared one is shared fairly at best.
      rate = std::min(rate, slowest(link).scaled(1.0 / static_cast<double>(flows.size() + competitors.size())));
    };
    for_each_link(*this, flow.from, flow.to, look);
    for_each_link(*this, flow.to, flow.from, look);
    // Mathis et al. 1997: segment / round trip × sqrt(3/2) / sqrt(loss).
    if (loss > 0) {
      const double mathis = std::min(1130 / trip * 1.22 / std::sqrt(loss), kMostQueue);
      rate = std::min(rate, Bandwidth::from_bytes_per_second(static_cast<std::uint64_t>(mathis) + 400));
    }
    // Slow start from ten datagrams, then a quarter of the fair share at worst.
    const double bytes =
        count * static_cast<double>(flow.bytes + 1228 + (flow.kind == FlowKind::kRequests ? flow.reply_bytes : 0));
    total += to_seconds(flow.start) + 20 * trip + time_for(rate.scaled(0.25), bytes);
    total += count * to_seconds(flow.interval);
    if (flow.pause_every > 0) total += static_cast<double>(flow.count / flow.pause_every) * to_seconds(flow.pause);
    // Each message may lose its tail, each tail more than once: a probe or a time-out, backed off.
    const double tails = count * std::min(1.0, 6 * loss) + (loss > 0 ? 4 : 0);
    total += tails * (4 * trip + 1.5);
    total += count * 4 * trip;
    // Where a quarter is lost and more, bursts of losses end whole sessions, one message after the other.
    if (loss > 0.25) total += count * 130;
  }
  for (const AttackSpec& attack : attacks) {
    if (attack.kind == AttackKind::kDelay) total += static_cast<double>(attack.count) * (to_seconds(attack.delay) + 1);
  }
  // What may end sessions leaves it to time-outs: idle 120 s, or twelve retransmissions with back-off to 60 s.
  if (!gentle()) total += 900;
  return from_seconds(total);
}

Duration Scenario::message_bound(std::uint32_t flow) const {
  const FlowSpec& spec = flows[flow];
  const double trip = to_seconds(longest_round_trip(spec.from, spec.to));
  double loss = 0;
  Bandwidth rate = Bandwidth::unlimited();
  const auto look = [&](const LinkSpec& link) {
    loss += link.loss.expected() + link.corrupt + link.reorder;
    rate = std::min(rate, slowest(link).scaled(1.0 / static_cast<double>(flows.size() + competitors.size())));
  };
  for_each_link(*this, spec.from, spec.to, look);
  for_each_link(*this, spec.to, spec.from, look);
  // A handshake that repeats its intro, slow start from ten datagrams, a quarter of the fair share at worst.
  const double bytes =
      static_cast<double>(spec.window) * static_cast<double>(spec.bytes + 1228) + static_cast<double>(spec.reply_bytes);
  double total = 2 + 12 * trip + time_for(rate.scaled(0.25), bytes);
  // What was lost waits for a time-out, an intro whose answer was lost for as long as handshakes are remembered.
  if (loss > 0) total += 12 + 8 * trip;
  for (const LinkSpec& link : links) total += 2 * interruption(link) + size_changes(link);
  for (const Fault& fault : faults) total += 2 * to_seconds(fault.duration);
  // Whoever holds datagrams back makes time-outs of them, one behind the other.
  for (const AttackSpec& attack : attacks) {
    if (attack.kind == AttackKind::kDelay) total += 4 + 8 * to_seconds(attack.delay);
  }
  // Copies that overtake their originals make the path look shorter than it is. What is left of it looks like a queue,
  // which a controller that follows the delay answers with its least window: two datagrams a round trip.
  const auto copies = [](const AttackSpec& attack) {
    return attack.kind == AttackKind::kDuplicate || attack.kind == AttackKind::kReplay;
  };
  const auto by_delay = [&](std::uint32_t host) { return hosts[host].config.congestion == CongestionKind::kLedbat; };
  if (std::ranges::any_of(attacks, copies) && (by_delay(spec.from) || by_delay(spec.to))) {
    // Messages that are sent by the clock wait for one another, and all flows for their turns.
    const auto waiting = static_cast<double>(spec.kind == FlowKind::kMessages ? spec.count : 1);
    total += trip * static_cast<double>(flows.size()) * waiting * bytes / (2 * wire::kFragmentPayload);
  }
  return from_seconds(total);
}

std::optional<std::string> Scenario::problem() const {
  if (hosts.empty()) return "there are no hosts";
  if (auto problem = size_problem(*this)) return problem;
  const auto bad_link = [&](const std::vector<std::uint32_t>& path) {
    return std::any_of(path.begin(), path.end(), [&](std::uint32_t link) { return link >= links.size(); });
  };
  for (const HostSpec& host : hosts) {
    if (bad_link(host.egress) || bad_link(host.ingress)) return "a host names a link that is not there";
    if (host.nat && *host.nat >= nats.size()) return "a host names a NAT box that is not there";
  }
  for (const CompetitorSpec& competitor : competitors) {
    if (bad_link(competitor.egress) || bad_link(competitor.ingress))
      return "a competitor names a link that is not there";
  }
  for (const FlowSpec& flow : flows) {
    if (flow.from >= hosts.size() || flow.to >= hosts.size() || flow.from == flow.to) return "a flow's hosts are wrong";
    if (hosts[flow.to].nat) return "a flow's receiver must have a public address";
    if (flow.bytes < kSmallestPayload || flow.reply_bytes < kSmallestPayload) return "a message has at least 16 bytes";
    if (flow.kind == FlowKind::kMessages && flow.interval <= Duration::zero()) return "messages need an interval";
  }
  for (const Fault& fault : faults) {
    const std::size_t most = fault.kind == FaultKind::kRebindNat ? nats.size() : hosts.size();
    if (fault.target >= most) return "a fault's target is not there";
  }
  for (const AttackSpec& attack : attacks) {
    if (attack.victim >= hosts.size() || attack.peer >= hosts.size() || attack.victim == attack.peer)
      return "an attack's hosts are wrong";
    if (hosts[attack.victim].nat) return "an attack's victim must have a public address";
    if (attack.interval <= Duration::zero()) return "an attack needs an interval";
  }
  return std::nullopt;
}

Scenario two_hosts(const LinkSpec& there, const LinkSpec& back) {
  Scenario scenario;
  scenario.links = {there, back};
  scenario.hosts.resize(2);
  scenario.hosts[0].egress = {0};
  scenario.hosts[0].ingress = {1};
  scenario.hosts[1].egress = {};
  scenario.hosts[1].ingress = {};
  return scenario;
}

Scenario two_hosts(const LinkSpec& both) {
  return two_hosts(both, both);
}

Scenario dumbbell(const LinkSpec& there, const LinkSpec& back, std::uint32_t pairs) {
  Scenario scenario;
  scenario.links = {there, back};
  scenario.hosts.resize(std::size_t{2} * pairs);
  for (std::uint32_t pair = 0; pair < pairs; ++pair) {
    scenario.hosts[2 * pair].egress = {0};
    scenario.hosts[2 * pair].ingress = {1};
  }
  return scenario;
}

}  // namespace godwit::sim
