// What hosts do, passed on to the checkers and the trace of a simulation (simulator.h), and the mutations, which
// falsify an observation or a datagram on purpose to show that the checkers find it.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

#include "base/random.h"
#include "sim/simulator.h"

namespace godwit::sim {

// --- What the checkers and the trace are told ---

void Simulator::on_data(Instant local, std::uint32_t host, ConnectionId connection, std::uint64_t bytes,
                        bool retransmission) {
  if (options_.check) state_.on_data(local, host, *hosts_[host]->endpoint(), connection, bytes, retransmission);
}

void Simulator::on_metrics(Instant local, std::uint32_t host, ConnectionId connection, Bandwidth rate,
                           std::uint64_t window) {
  if (options_.check) state_.on_metrics(local, host, connection, rate, window);
}

void Simulator::on_handed_out(std::uint32_t host, const std::optional<DatagramBatch>& run,
                              std::uint64_t traced_datagrams, std::uint64_t traced_bytes) {
  if (options_.check) state_.on_handed_out(now_, host, run, traced_datagrams, traced_bytes);
}

void Simulator::on_initiated(Instant now, std::uint32_t host, const SocketAddress& remote, ConnectionId connection) {
  if (attack_checker_) attack_checker_->on_initiated(now, host, remote, connection);
}

void Simulator::on_refused_attempt(Instant now, std::uint32_t host, std::string_view why) {
  if (attack_checker_) attack_checker_->on_refused_attempt(now, host, why);
}

void Simulator::on_connected(Instant now, std::uint32_t host, const SocketAddress& remote, ConnectionId connection) {
  if (!options_.check) return;
  state_.on_connected(host, connection);
  if (attack_checker_) attack_checker_->on_connected(now, host, remote, connection);
  const auto numbers = hosts_[host]->endpoint()->statistics(connection);
  if (!numbers) return;
  state_.on_metrics(hosts_[host]->local(now), host, connection, numbers->pacing_rate, numbers->window_bytes);
}

// Behind a NAT box there may be several hosts.
void Simulator::check_form(Instant now, std::uint32_t host, const SocketAddress& remote, SessionForm form) {
  const auto peer = public_host_at(remote);
  if (!options_.check || !peer) return;
  const auto has = [&](std::uint32_t index) {
    return scenario_.hosts[index].config.handshake.extended != ExtendedPolicy::kOff;
  };
  const bool extended = (form == SessionForm::kExtended) != (options_.mutation == Mutation::kFalsifyForm);
  if (extended == (has(host) && has(*peer))) return;
  // Whoever demands no proof takes a peer that no longer has the key it was asked for, and whose offer, made by another
  // key, counts as none (docs/extended_sessions.md, section 3.3).
  const auto takes_any_key_of = [&](std::uint32_t one, std::uint32_t other) {
    return !scenario_.hosts[one].config.handshake.require_authenticated_peer &&
           std::ranges::any_of(scenario_.faults, [&](const Fault& fault) {
             return fault.kind == FaultKind::kRestartNewKeys && fault.target == other;
           });
  };
  if (!extended && (takes_any_key_of(host, *peer) || takes_any_key_of(*peer, host))) return;
  check_log_.report(Rule::kForm, now,
                    fmt::format("host {} has a session of the {} form with host {}", host,
                                extended ? "extended" : "deployed", *peer));
}

void Simulator::on_closed(Instant now, std::uint32_t host, ConnectionId connection, CloseReason reason) {
  state_.on_closed(host, connection, reason);
  if (attack_checker_) attack_checker_->on_closed(now, host, connection, reason);
}

void Simulator::on_unopened(Instant now, std::uint32_t host, std::uint32_t peer, std::uint64_t datagrams) {
  if (attack_checker_) attack_checker_->on_unopened(now, host, peer, datagrams);
}

std::uint64_t Simulator::on_delivered(Instant now, std::uint64_t number) {
  const MessageRecord& message = messages_.record(number);
  if (attack_checker_) attack_checker_->on_delivered(now, message.flow, message.sent_at);
  return application_.on_delivered(now, number);
}

void Simulator::on_disconnected(Instant now, std::uint32_t host, std::uint32_t peer) {
  note("disconnected", host, peer, static_cast<std::uint64_t>(now.time_since_epoch().count()));
}

void Simulator::after_turn(Instant now, std::uint32_t host, bool worked, std::int64_t memory) {
  if (!options_.check) return;
  if (attack_checker_) attack_checker_->on_memory(now, host, memory, attacker_->streams(host));
  const bool shared = scenario_.hosts[host].config.endpoint_rate_limit.has_value();
  state_.after_turn(hosts_[host]->local(now), host, *hosts_[host]->endpoint(), worked, shared);
}

void Simulator::note(std::string_view what, std::uint32_t who, std::uint64_t a, std::uint64_t b,
                     std::string_view text) {
  const auto at = static_cast<std::uint64_t>(now_.time_since_epoch().count());
  trace_hash_ = splitmix64(trace_hash_ ^ at) ^ splitmix64(a + (b << 1) + who + what.size());
  if (options_.trace) {
    options_.trace(fmt::format("{:.6f} {} {} {} {:016x} {}", to_seconds(elapsed()), what, who, a, b, text));
  }
}

void Simulator::note_event(Instant now, std::uint32_t host, const EndpointEvent& event) {
  constexpr std::array<std::string_view, std::variant_size_v<godwit::Event>> kNames = {
      "connected", "closed",   "message",       "chunk",     "stream",        "metadata", "aborted", "confirmed",
      "failed",    "writable", "authenticated", "key-aging", "ping-answered", "suspect",  "moved",   "chunks"};
  std::uint64_t detail = 0;
  if (const auto* confirmed = std::get_if<MessageConfirmed>(&event.event)) detail = confirmed->message;
  if (const auto* failed = std::get_if<MessageFailed>(&event.event)) detail = failed->message;
  if (const auto* chunk = std::get_if<StreamChunk>(&event.event)) detail = chunk->offset;
  if (const auto* chunks = std::get_if<StreamChunks>(&event.event)) detail = chunks->offset;
  std::string_view text;
  if (const auto* closed = std::get_if<Closed>(&event.event)) {
    detail = static_cast<std::uint64_t>(closed->reason);
    text = closed->text;
  } else if (const auto* failed_message = std::get_if<MessageFailed>(&event.event)) {
    text = failed_message->why;
  }
  static_cast<void>(now);
  note(kNames[event.event.index()], host, event.connection, detail, text);
}

void Simulator::on_trace(std::uint32_t host, const trace::Event& event) {
  if (host < options_.sinks.size() && options_.sinks[host] != nullptr) options_.sinks[host]->on_event(event);
}

// --- Mutations ---

Mutation Simulator::take_mutation(const godwit::Event& event) {
  if (options_.mutation == Mutation::kNone || mutated_) return Mutation::kNone;
  bool fits = false;
  switch (options_.mutation) {
    case Mutation::kDeliverTwice:
      fits = std::holds_alternative<MessageReceived>(event) || std::holds_alternative<StreamMessage>(event);
      break;
    case Mutation::kAlterPayload:
      fits = std::holds_alternative<MessageReceived>(event) || std::holds_alternative<StreamMessage>(event) ||
             std::holds_alternative<StreamChunk>(event) || std::holds_alternative<StreamChunks>(event);
      break;
    case Mutation::kHideConfirmation:
    case Mutation::kClaimUndelivered: fits = std::holds_alternative<MessageConfirmed>(event); break;
    case Mutation::kHideHalfReceived: fits = std::holds_alternative<StreamAborted>(event); break;
    case Mutation::kAccusePeer: fits = std::holds_alternative<Closed>(event); break;
    default: break;
  }
  mutated_ = fits;
  return fits ? options_.mutation : Mutation::kNone;
}

void Simulator::inject(Instant now, std::uint32_t host, std::vector<std::uint8_t>& datagram) {
  if (datagram[0] != wire::kTypeSymmetric) return;
  switch (options_.mutation) {
    case Mutation::kRepeatNonce: {
      std::vector<std::uint8_t> twin = datagram;
      twin.back() ^= 1;
      wire_.on_datagram(now, host, twin, WireChecker::largest_datagram(scenario_.hosts[host].config));
      break;
    }
    case Mutation::kOversizeDatagram: datagram.resize(1201); break;
    case Mutation::kForeignType: datagram[0] = 3; break;
    default: break;
  }
}

}  // namespace godwit::sim
