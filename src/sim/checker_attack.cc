#include "sim/checker_attack.h"

#include <fmt/format.h>

#include <algorithm>

#include "transport/config.h"

namespace godwit::sim {
namespace {

// A deployed peer closes a connection above 40 of these within 30 s (wire spec 9.2); a quarter of that is allowed.
constexpr std::size_t kMostUnopened = 10;
// A host that begins its session twice within a round trip, while its datagrams are held back, may find itself in
// another one than its peer: what it sends before it hears of that comes on top, an initial window and the two
// datagrams that begin a session. Still a half of what a deployed peer bears.
constexpr std::size_t kMostUnopenedAfterTwoBeginnings = kMostUnopened + 12;
constexpr Duration kUnopenedWindow = 30s;
// Bytes to an address that has proven nothing, by bytes from it (wire spec 4.3).
constexpr std::uint64_t kMostAmplification = 3;

// What an endpoint may hold: this much whatever happens (its tables at their bounds are below) ...
constexpr std::uint64_t kFixedMemory = 180 * 1024;
// ... a connection with its keys, rings and queues ...
constexpr std::uint64_t kConnectionMemory = 24 * 1024;
// ... four times the bytes that strangers sent, and a page for each stream that they began ...
constexpr std::uint64_t kPerHostileByte = 4;
constexpr std::uint64_t kPerHostileStream = 4096;
// ... and the bytes of the scenario's own messages, in the rings of the sender and the reassembly of the receiver.
constexpr std::uint64_t kPerLegitimateByte = 4;

}  // namespace

AttackChecker::AttackChecker(const Scenario& scenario, CheckLog& check_log, Mutation mutation)
    : scenario_(&scenario),
      check_log_(&check_log),
      mutation_(mutation),
      gentle_(scenario.gentle()),
      hosts_(scenario.hosts.size()) {
  for (std::uint32_t flow = 0; flow < scenario.flows.size(); ++flow) {
    const FlowSpec& spec = scenario.flows[flow];
    bounds_.push_back(scenario.message_bound(flow));
    const std::uint64_t both = spec.bytes + (spec.kind == FlowKind::kRequests ? spec.reply_bytes : 0);
    legitimate_bytes_ += both * std::min<std::uint64_t>(spec.count, 64);
  }
}

void AttackChecker::on_sent(Instant now, std::uint32_t host, const SocketAddress& remote, std::uint64_t bytes) {
  Exchange& exchange = hosts_[host].exchanges[remote];
  if (exchange.proven) return;
  exchange.sent += mutation_ == Mutation::kAmplify ? 4 * bytes : bytes;
  numbers_.unproven_sent += bytes;
  if (exchange.sent <= kMostAmplification * exchange.received) return;
  check_log_->report(Rule::kAmplification, now,
                     fmt::format("host {} sent {} bytes to {}, which has proven nothing and sent {}", host,
                                 exchange.sent, remote.to_string(), exchange.received));
}

void AttackChecker::on_received(std::uint32_t host, const SocketAddress& remote, std::uint64_t bytes, bool forged) {
  Watched& watched = hosts_[host];
  Exchange& exchange = watched.exchanges[remote];
  if (!exchange.proven) {
    exchange.received += bytes;
    numbers_.unproven_received += bytes;
  }
  if (!forged) return;
  watched.hostile_bytes += bytes;
  ++watched.hostile_datagrams;
}

void AttackChecker::on_unopened(Instant now, std::uint32_t host, std::uint32_t peer, std::uint64_t datagrams) {
  if (stopped_) return;
  std::deque<Instant>& recent = hosts_[host].unopened[peer];
  while (!recent.empty() && recent.front() + kUnopenedWindow < now) recent.pop_front();
  for (std::uint64_t i = 0; i < datagrams && recent.size() <= 4 * kMostUnopened; ++i) recent.push_back(now);
  numbers_.most_unopened = std::max<std::uint64_t>(numbers_.most_unopened, recent.size());
  if (recent.size() <= (scenario_->faults.empty() ? kMostUnopened : kMostUnopenedAfterTwoBeginnings)) return;
  check_log_->report(
      Rule::kUnopened, now,
      fmt::format("host {} got {} datagrams of host {} within 30 s that it could not open", host, recent.size(), peer));
}

void AttackChecker::on_initiated(Instant now, std::uint32_t host, const SocketAddress& remote,
                                 ConnectionId connection) {
  // The application may send to whom it connects to.
  hosts_[host].exchanges[remote].proven = true;
  hosts_[host].connecting.emplace(connection, now);
}

void AttackChecker::on_refused_attempt(Instant now, std::uint32_t host, std::string_view why) {
  if (stopped_ || !gentle_) return;
  ++numbers_.connects;
  check_log_->report(Rule::kConnect, now, fmt::format("host {}: an attempt to connect was refused: {}", host, why));
}

void AttackChecker::end_attempt(Instant now, std::uint32_t host, ConnectionId connection, bool good) {
  const auto found = hosts_[host].connecting.find(connection);
  if (found == hosts_[host].connecting.end()) return;
  const Duration took = now - found->second;
  hosts_[host].connecting.erase(found);
  if (stopped_ || !gentle_) return;
  if (mutation_ == Mutation::kFailConnects) good = false;
  ++numbers_.connects;
  numbers_.connected += good ? 1 : 0;
  if (good) return;
  check_log_->report(Rule::kConnect, now,
                     fmt::format("host {}: an attempt to connect failed after {:.3f} s", host, to_seconds(took)));
}

void AttackChecker::on_connected(Instant now, std::uint32_t host, const SocketAddress& remote,
                                 ConnectionId connection) {
  hosts_[host].exchanges[remote].proven = true;
  end_attempt(now, host, connection, true);
}

void AttackChecker::on_closed(Instant now, std::uint32_t host, ConnectionId connection, CloseReason reason) {
  // An attempt that another one of either side took the place of has not failed.
  if (reason == CloseReason::kReplaced || reason == CloseReason::kLocal) {
    hosts_[host].connecting.erase(connection);
    return;
  }
  end_attempt(now, host, connection, false);
}

void AttackChecker::on_host_lost(std::uint32_t host) {
  hosts_[host].connecting.clear();
  hosts_[host].exchanges.clear();
  hosts_[host].unopened.clear();
}

void AttackChecker::on_delivered(Instant now, std::uint32_t flow, Instant sent_at) {
  if (!gentle_ || stopped_) return;
  const Duration took = now - sent_at + (mutation_ == Mutation::kDelayMessages ? bounds_[flow] : Duration::zero());
  if (took <= bounds_[flow]) return;
  check_log_->report(Rule::kDelay, now,
                     fmt::format("flow {}: a message took {:.3f} s, its path allows {:.3f}", flow, to_seconds(took),
                                 to_seconds(bounds_[flow])));
}

void AttackChecker::on_memory(Instant now, std::uint32_t host, std::int64_t bytes, std::uint64_t hostile_streams) {
  if (mutation_ == Mutation::kHoardMemory) bytes += 2 << 20;
  if (bytes <= 0) return;
  const auto held = static_cast<std::uint64_t>(bytes);
  numbers_.peak_memory = std::max(numbers_.peak_memory, held);
  const Watched& watched = hosts_[host];
  const Config& config = scenario_->hosts[host].config;
  const std::uint64_t connections =
      std::min<std::uint64_t>(config.max_connections, scenario_->hosts.size() + watched.hostile_datagrams);
  const std::uint64_t allowed = kFixedMemory + kConnectionMemory * connections +
                                kPerHostileByte * watched.hostile_bytes + kPerHostileStream * hostile_streams +
                                kPerLegitimateByte * legitimate_bytes_;
  if (held <= allowed) return;
  check_log_->report(Rule::kFootprint, now,
                     fmt::format("host {} holds {} bytes; strangers sent {} in {} datagrams, which allows {}", host,
                                 held, watched.hostile_bytes, watched.hostile_datagrams, allowed));
}

}  // namespace godwit::sim
