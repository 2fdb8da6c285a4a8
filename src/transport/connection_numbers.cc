// What a connection tells of itself: trace events and counters (connection.h).

#include <utility>

#include "transport/connection.h"

namespace godwit {
namespace {

trace::PacketKind handshake_kind(ByteView datagram) {
  return wire::classify(datagram) == wire::DatagramClass::kIntro ? trace::PacketKind::kIntro
                                                                 : trace::PacketKind::kAcknowledgeConnection;
}

}  // namespace

void ConnectionContext::record_handshake_sent(Instant now, ConnectionId connection, ByteView datagram) const {
  record_sent(now, connection,
              {.packet_id = wire::kHandshakePacketId,
               .kind = handshake_kind(datagram),
               .bytes = static_cast<std::uint32_t>(datagram.size()),
               .retransmission = false});
}

void ConnectionContext::record_handshake_received(Instant now, ConnectionId connection, ByteView datagram) const {
  record_received(now, connection,
                  {.packet_id = wire::kHandshakePacketId,
                   .kind = handshake_kind(datagram),
                   .bytes = static_cast<std::uint32_t>(datagram.size())});
}

// Sealed, so that its id is not to be seen.
void ConnectionContext::record_close_sent(Instant now, ConnectionId connection, std::size_t bytes) const {
  record_sent(now, connection,
              {.packet_id = wire::kHandshakePacketId,
               .kind = trace::PacketKind::kErrorAcknowledgement,
               .bytes = static_cast<std::uint32_t>(bytes),
               .retransmission = false});
}

void Connection::trace(Instant now, trace::EventData data) const {
  if (context_.sink != nullptr) context_.sink->on_event({.at = now, .connection = id_, .data = std::move(data)});
}

void Connection::trace_acknowledged(Instant now, const AckOutcome& outcome) const {
  if (context_.sink == nullptr) return;
  trace(now, trace::PacketsAcknowledged{.packets = outcome.acked_packets, .bytes = outcome.acked_bytes});
}

std::string_view Connection::controller_state(const Established& session) const {
  return context_.sink == nullptr ? std::string_view() : session.controller->snapshot().state;
}

void Connection::trace_controller(Instant now, const Established& session, std::string_view before) const {
  if (context_.sink == nullptr) [[likely]]
    return;
  const ControllerSnapshot after = session.controller->snapshot();
  if (after.state != before) trace(now, trace::CongestionStateChanged{after.controller, after.state});
}

ConnectionStatistics Connection::statistics() const {
  ConnectionStatistics result;
  if (closed() != nullptr && closed()->statistics) result = *closed()->statistics;
  static_cast<ConnectionCounters&>(result) = counted_;
  const Established* session = established();
  if (session == nullptr) return result;
  const RecoveryStatistics& recovery = session->recovery.statistics();
  result.packets_retransmitted = recovery.packets_retransmitted;
  result.packets_lost = recovery.packets_lost;
  result.losses_spurious = recovery.packets_spuriously_lost;
  result.packets_abandoned = recovery.packets_abandoned;
  result.tail_probes = recovery.probes;
  result.timeouts = recovery.timeouts;
  result.receipts_unknown = recovery.misbehaving_receipts;
  const AckStatistics acks = session->acks.statistics();
  result.receipts_repeated = acks.receipts_repeated;
  result.receipts_sent = acks.receipts_taken - acks.receipts_repeated;
  const RttEstimator& rtt = session->recovery.rtt();
  result.latest_round_trip = rtt.latest();
  result.smoothed_round_trip = rtt.smoothed();
  result.minimum_round_trip = rtt.minimum();
  result.round_trip_variance = rtt.variance();
  result.bytes_in_flight = session->recovery.bytes_in_flight();
  const ControllerSnapshot snapshot = session->controller->snapshot();
  result.window_bytes = snapshot.window_bytes;
  result.pacing_rate = session->pacer.rate();
  result.congestion = snapshot.controller;
  result.congestion_state = snapshot.state;
  result.cipher = cipher_name(session->session.sealer().cipher_kind());
  result.key_packets_sealed = session->session.sealer().packets_sealed();
  result.form = session_form_name(session->session.form());
  result.fallback = fallback_reason_name(session->session.fallback());
  if (const ExtendedKeys* keys = session->session.extended()) result.key_updates = keys->updates();
  if (session->roaming != nullptr) static_cast<PathCounters&>(result) = session->roaming->counted;
  return result;
}

}  // namespace godwit
