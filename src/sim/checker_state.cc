#include "sim/checker_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "transport/connection.h"

namespace godwit::sim {
namespace {

// Acknowledgements ride on the first short message of a batch, whatever the window and the pacer say: at most 64.
constexpr std::uint64_t kRiders = 64 * 4;
// A ring longer than this is summed on every sixteenth turn only: the sum costs its length.
constexpr std::uint32_t kShortRing = 256;
constexpr std::uint32_t kSumEvery = 16;
// So many wake-ups of a host within a millisecond that change nothing are a spin.
constexpr std::uint32_t kMostIdleTurns = 200;
// What inbound streams may hold: so many bytes for each that the peer has sent, a page for each open stream, one more.
constexpr std::uint64_t kHeldPerByte = 4;
constexpr std::uint64_t kPage = 4096;

}  // namespace

// What PacerConfig promises: a batch of one millisecond, one more against lateness, or ten datagrams.
double PacerChecker::burst(Bandwidth rate) {
  const double millisecond = static_cast<double>(rate.bytes_per_second()) * 1e-3;
  return std::max(std::clamp(millisecond, 2400.0, 65536.0) + millisecond, 12000.0);
}

void PacerChecker::advance(Instant now) {
  if (!rate_.is_unlimited()) {
    credit_ = std::min(credit_ + static_cast<double>(rate_.bytes_per_second()) * to_seconds(now - at_), burst(rate_));
  }
  at_ = now;
}

void PacerChecker::on_rate(Instant now, Bandwidth rate) {
  advance(now);
  if (rate == rate_ && started_) return;
  const bool fresh = !started_ || rate_.is_unlimited();
  started_ = true;
  rate_ = rate;
  if (!rate.is_unlimited()) credit_ = fresh ? burst(rate) : std::min(credit_, burst(rate));
}

bool PacerChecker::on_data(Instant now, std::uint64_t bytes) {
  if (rate_.is_unlimited()) return true;
  advance(now);
  credit_ -= static_cast<double>(bytes);
  if (credit_ >= -static_cast<double>(kRiders)) return true;
  credit_ = 0;
  return false;
}

void StateChecker::on_metrics(Instant now, std::uint32_t host, ConnectionId connection, Bandwidth rate,
                              std::uint64_t window) {
  Watched& watched = pacers_[{host, connection}];
  watched.pacer.on_rate(now, rate);
  watched.window = std::max(watched.window, window);
}

void StateChecker::on_data(Instant now, std::uint32_t host, const Endpoint& endpoint, ConnectionId id,
                           std::uint64_t bytes, bool retransmission) {
  const Connection* connection = endpoint.inspect(id);
  if (connection == nullptr || connection->recovery() == nullptr) return;
  Watched& watched = pacers_[{host, id}];
  const ConnectionStatistics numbers = connection->statistics();
  watched.pacer.on_rate(now, numbers.pacing_rate);
  const Recovery& recovery = *connection->recovery();
  const std::uint64_t probes = recovery.statistics().probes;
  if (retransmission && watched.probes_seen < probes) {
    ++watched.probes_seen;
    return;
  }
  const std::uint64_t sent = mutation_ == Mutation::kExceedPacer ? 30 * bytes : bytes;
  if (!watched.pacer.on_data(now, sent)) {
    check_log_->report(Rule::kPacer, now,
                       fmt::format("host {} exceeded {} bytes/s", host, numbers.pacing_rate.bytes_per_second()));
  }
  if (retransmission) return;
  const std::uint64_t window = std::max(watched.window, numbers.window_bytes);
  watched.window = numbers.window_bytes;
  const std::uint64_t extra = mutation_ == Mutation::kExceedWindow ? window : 0;
  if (recovery.bytes_in_flight() + extra > window + kRiders) {
    check_log_->report(
        Rule::kWindow, now,
        fmt::format("host {} has {} bytes in flight, window {}", host, recovery.bytes_in_flight() + extra, window));
  }
}

void StateChecker::on_connected(std::uint32_t host, ConnectionId connection) {
  Told& told = told_[host];
  ++told.opened;
  told.open.insert(connection);
}

void StateChecker::on_closed(std::uint32_t host, ConnectionId connection, CloseReason reason) {
  pacers_.erase({host, connection});
  Told& told = told_[host];
  if (told.open.erase(connection) > 0) told.closed.add(reason);
}

void StateChecker::on_handed_out(Instant now, std::uint32_t host, const std::optional<DatagramBatch>& batch,
                                 std::uint64_t traced_datagrams, std::uint64_t traced_bytes) {
  const std::uint64_t datagrams = batch ? batch->segment_count() : 0;
  const std::uint64_t bytes = batch ? batch->bytes.size() : 0;
  if (mutation_ == Mutation::kMiscountTrace) ++traced_bytes;
  if (datagrams == traced_datagrams && bytes == traced_bytes) return;
  check_log_->report(Rule::kCounted, now,
                     fmt::format("host {} hands out {} datagrams of {} bytes, its trace says {} of {}", host, datagrams,
                                 bytes, traced_datagrams, traced_bytes));
}

void StateChecker::check_counters(Instant now, std::uint32_t host, const Endpoint& endpoint) {
  const EndpointStatistics counts = endpoint.statistics();
  const Told& told = told_[host];
  const std::uint64_t opened = told.opened + (mutation_ == Mutation::kMiscountConnections ? 1 : 0);
  if (counts.connections_opened != opened || opened - counts.connections_closed.total() != told.open.size()) {
    check_log_->report(
        Rule::kCounted, now,
        fmt::format("host {} counts {} connections opened and {} closed; its application was told of {}, and "
                    "{} are open",
                    host, counts.connections_opened, counts.connections_closed.total(), opened, told.open.size()));
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(CloseReason::kCount); ++i) {
    const auto reason = static_cast<CloseReason>(i);
    if (counts.connections_closed.of(reason) == told.closed.of(reason)) continue;
    check_log_->report(
        Rule::kCounted, now,
        fmt::format("host {} counts {} connections with the end '{}', its application {}", host,
                    counts.connections_closed.of(reason), close_reason_name(reason), told.closed.of(reason)));
  }
  const std::size_t pending = endpoint.pending_handshakes() + (mutation_ == Mutation::kMiscountHandshakes ? 1 : 0);
  if (counts.handshakes_started !=
      counts.handshakes_succeeded + counts.handshakes_failed + counts.handshakes_given_up + pending) {
    check_log_->report(
        Rule::kCounted, now,
        fmt::format("host {} counts {} handshakes started, {} succeeded, {} failed, {} given up; {} pending", host,
                    counts.handshakes_started, counts.handshakes_succeeded, counts.handshakes_failed,
                    counts.handshakes_given_up, pending));
  }
}

void StateChecker::on_host_lost(std::uint32_t host) {
  told_.erase(host);
  std::erase_if(pacers_, [&](const auto& entry) { return entry.first.first == host; });
}

void StateChecker::check_ring(Instant now, std::uint32_t host, ConnectionId id, const Connection& connection) {
  const Recovery* recovery = connection.recovery();
  if (recovery == nullptr) return;
  const SentPackets& sent = recovery->sent();
  const std::uint32_t span = sent.next_id() - sent.oldest_id();
  if (span > kShortRing && pacers_[{host, id}].turns++ % kSumEvery != 0) return;
  std::uint64_t bytes = mutation_ == Mutation::kMiscountInFlight ? 1 : 0;
  std::uint32_t packets = 0;
  std::uint32_t waiting = mutation_ == Mutation::kMiscountPackets ? 1 : 0;
  for (std::uint32_t number = sent.oldest_id(); number != sent.next_id(); ++number) {
    const auto packet = sent.find(number);
    if (packet && packet->state == SentState::kLost) ++waiting;
    if (!packet || packet->state != SentState::kInFlight) continue;
    bytes += packet->bytes;
    ++packets;
  }
  if (bytes != sent.bytes_in_flight() || packets != sent.packets_in_flight()) {
    check_log_->report(Rule::kInFlight, now,
                       fmt::format("host {}: {} bytes in {} packets in flight, the ring holds {} in {}", host,
                                   sent.bytes_in_flight(), sent.packets_in_flight(), bytes, packets));
  }
  const RecoveryStatistics& counts = recovery->statistics();
  const std::uint64_t settled = counts.packets_acked + counts.packets_abandoned + counts.packets_forgotten;
  if (counts.packets_sent != settled + packets + waiting) {
    check_log_->report(
        Rule::kCounted, now,
        fmt::format("host {}: {} packets sent, {} acknowledged, {} abandoned, {} forgotten, {} in flight, {} "
                    "to be sent again",
                    host, counts.packets_sent, counts.packets_acked, counts.packets_abandoned, counts.packets_forgotten,
                    packets, waiting));
  }
}

void StateChecker::check_memory(Instant now, std::uint32_t host, const Connection& connection) {
  const RecvStreams* streams = connection.inbound_streams();
  if (streams == nullptr) return;
  const std::uint64_t held = streams->held_bytes() << (mutation_ == Mutation::kHoldMemory ? 10 : 0);
  const std::uint64_t received = connection.bytes_received();
  if (held > kHeldPerByte * received + kPage * (streams->open_streams() + 1)) {
    check_log_->report(Rule::kMemory, now,
                       fmt::format("host {} holds {} bytes in {} inbound streams of a peer that has sent {}", host,
                                   held, streams->open_streams(), received));
  }
}

void StateChecker::on_close_reason(Instant now, std::uint32_t host, CloseReason reason) {
  if (reason != CloseReason::kProtocolViolation && reason != CloseReason::kMemory) return;
  check_log_->report(Rule::kAccused, now, fmt::format("host {} closed: {}", host, close_reason_name(reason)));
}

void StateChecker::after_turn(Instant now, std::uint32_t host, const Endpoint& endpoint, bool worked, bool shared) {
  const auto next = endpoint.next_timeout();
  const Instant earliest = mutation_ == Mutation::kPastTimer ? now + 1h : now;
  if (next && *next <= earliest) {
    check_log_->report(Rule::kTimer, now,
                       fmt::format("host {}: the next timer is {} ns in the past", host, (now - *next).count()));
  }
  Idle& idle = idle_[host];
  if (worked || now - idle.since > 1ms) idle = {.since = now};
  if (++idle.turns == kMostIdleTurns) {
    check_log_->report(Rule::kTimer, now,
                       fmt::format("host {} spins: {} wake-ups within a millisecond", host, idle.turns));
  }
  check_counters(now, host, endpoint);
  for (const ConnectionId id : endpoint.connections()) {
    const Connection* connection = endpoint.inspect(id);
    if (connection == nullptr) continue;
    check_ring(now, host, id, *connection);
    check_memory(now, host, *connection);
    if (shared) pacers_[{host, id}].pacer.on_rate(now, connection->statistics().pacing_rate);
  }
}

void StateChecker::check_link(Instant now, std::uint32_t index, const Link& link) {
  const LinkStatistics& numbers = link.statistics();
  const std::uint64_t in = numbers.packets_in + numbers.duplicated;
  const std::uint64_t out = numbers.packets_out + numbers.dropped() + link.queued_packets() + link.on_the_way();
  if (in != out)
    check_log_->report(Rule::kConserved, now, fmt::format("link {}: {} packets in, {} out", index, in, out));
  if (!link.spec().rate.is_unlimited() && link.queued_bytes() > link.queue_bound()) {
    check_log_->report(
        Rule::kQueueBound, now,
        fmt::format("link {}: {} bytes queued, bound {}", index, link.queued_bytes(), link.queue_bound()));
  }
}

void StateChecker::at_end(Instant now, std::uint32_t host, const Endpoint& endpoint) {
  const std::size_t left = endpoint.connection_count() + (mutation_ == Mutation::kRetainConnection ? 1 : 0);
  if (left > 0)
    check_log_->report(Rule::kRetained, now, fmt::format("host {} keeps {} connections after the end", host, left));
  if (endpoint.next_timeout())
    check_log_->report(Rule::kRetained, now, fmt::format("host {} keeps a timer after the end", host));
}

}  // namespace godwit::sim
