#include "cli/connection_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "cli/text_format.h"

namespace godwit::cli {
namespace {

// Losses with a shorter pause between them are one episode.
constexpr Duration kLeastPause = 50ms;

LogLimit::Options limits() {
  return {.prefix = Rate::per_second(10, 200),
          .network = Rate::per_second(20, 400),
          .all = Rate::per_second(100, 2000),
          .report_interval = 10s};
}

// What keeps a peer from connecting; other drops are no step of a handshake.
bool refuses_handshakes(trace::DropReason reason) {
  switch (reason) {
    case trace::DropReason::kRateLimited:
    case trace::DropReason::kHandshakeTableFull:
    case trace::DropReason::kConnectionTableFull:
    case trace::DropReason::kIncompatibleVersion:
    case trace::DropReason::kNotExtended:
    case trace::DropReason::kRefusedAddress: return true;
    default: return false;
  }
}

std::string_view step_name(trace::PacketKind kind) {
  return kind == trace::PacketKind::kIntro ? "an intro" : "a handshake acknowledgement";
}

}  // namespace

ConnectionLog::ConnectionLog(Level level, Output output)
    : level_(level), output_(std::move(output)), limit_(limits()) {}

ConnectionLog::~ConnectionLog() {
  say_left_out(now_, true);
}

void ConnectionLog::on_event(const trace::Event& event) {
  now_ = event.at;
  std::visit([&](const auto& data) { on_data(event, data); }, event.data);
}

void ConnectionLog::on_data(const trace::Event& event, const trace::HandshakePacket& packet) {
  if (level_ < Level::kSteps) return;
  write(event.at, packet.remote,
        fmt::format("{} {} of {} bytes", packet.sent ? "sent" : "received", step_name(packet.kind), packet.bytes));
}

void ConnectionLog::on_data(const trace::Event& event, const trace::ConnectionStateChanged& changed) {
  Peer& peer = peers_[event.connection];
  const SocketAddress before = std::exchange(peer.remote, changed.remote);
  if (changed.form.empty()) {
    // "moved", "connecting again", "new session at the peer".
    const bool moved = before.is_specified() && before != changed.remote;
    return write(
        event.at, changed.remote,
        moved ? fmt::format("{} here from {}", changed.state, before.to_string()) : std::string(changed.state));
  }
  write(event.at, changed.remote,
        changed.fallback.empty()
            ? fmt::format("connected, {} form", changed.form)
            : fmt::format("connected, {} form: the extended one is {}", changed.form, changed.fallback));
}

void ConnectionLog::on_data(const trace::Event& event, const trace::ConnectionClosed& closed) {
  if (const auto found = peers_.find(event.connection); found != peers_.end()) {
    end_losses(event.at, found->second, true);
    peers_.erase(found);
  }
  const bool says_more = !closed.text.empty() && closed.text != closed.reason;
  write(event.at, closed.remote,
        says_more ? fmt::format("ended, {}: {}", closed.reason, closed.text) : fmt::format("ended, {}", closed.reason));
}

void ConnectionLog::on_data(const trace::Event& event, const trace::PacketLost& lost) {
  if (level_ < Level::kSteps) return;
  const auto found = peers_.find(event.connection);
  if (found == peers_.end()) return;
  end_losses(event.at, found->second, false);
  Losses& losses = found->second.losses;
  if (losses.packets == 0) losses.first = event.at;
  losses.last = event.at;
  ++losses.packets;
  losses.bytes += lost.bytes;
  if (lost.timeout) ++losses.timeouts;
}

void ConnectionLog::on_data(const trace::Event& event, const trace::MetricsUpdated& metrics) {
  if (level_ < Level::kSteps) return;
  const auto found = peers_.find(event.connection);
  if (found == peers_.end()) return;
  found->second.round_trip = metrics.smoothed_round_trip;
  end_losses(event.at, found->second, false);
}

void ConnectionLog::on_data(const trace::Event& event, const trace::PacketDropped& dropped) {
  if (level_ < Level::kSteps || event.connection != 0 || !refuses_handshakes(dropped.reason)) return;
  // The event has no address: all of them share one share of the lines.
  write(event.at, SocketAddress(), fmt::format("refused a handshake: {}", trace::drop_reason_name(dropped.reason)));
}

void ConnectionLog::end_losses(Instant now, Peer& peer, bool at_end) {
  Losses& losses = peer.losses;
  if (losses.packets == 0) return;
  if (!at_end && now - losses.last < std::max(kLeastPause, 2 * peer.round_trip)) return;
  write(now, peer.remote,
        fmt::format("lost {} packet{} of {} within {}, {} by time-out", losses.packets, losses.packets == 1 ? "" : "s",
                    format_bytes(losses.bytes), format_duration(losses.last - losses.first), losses.timeouts));
  losses = {};
}

void ConnectionLog::write(Instant now, const SocketAddress& remote, std::string_view text) {
  std::string line = remote.is_specified() ? remote.to_string() + " " : std::string();
  line += printable_text(text);
  say_left_out(now, false);
  if (limit_.allow(now, remote, line.size())) output_(line);
}

void ConnectionLog::say_left_out(Instant now, bool at_end) {
  if (const auto left_out = limit_.poll_left_out(now, at_end)) output_(describe(*left_out));
}

}  // namespace godwit::cli
