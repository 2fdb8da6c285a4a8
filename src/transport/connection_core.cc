#include "transport/connection_core.h"

#include <array>
#include <string>
#include <utility>

#include "transport/send_kind.h"

namespace godwit {
namespace {

trace::PacketKind handshake_kind(ByteView datagram) {
  return wire::classify(datagram) == wire::DatagramClass::kIntro ? trace::PacketKind::kIntro
                                                                 : trace::PacketKind::kAcknowledgeConnection;
}

}  // namespace

void ConnectionContext::record_handshake_sent(Instant now, ConnectionId connection, const SocketAddress& to,
                                              ByteView datagram) const {
  if (sink == nullptr) return;
  const trace::PacketKind kind = handshake_kind(datagram);
  const auto bytes = static_cast<std::uint32_t>(datagram.size());
  record_sent(now, connection,
              {.packet_id = wire::kHandshakePacketId, .kind = kind, .bytes = bytes, .retransmission = false});
  sink->on_event({.at = now,
                  .connection = connection,
                  .data = trace::HandshakePacket{.kind = kind, .sent = true, .bytes = bytes, .remote = to}});
}

void ConnectionContext::record_handshake_received(Instant now, ConnectionId connection, const SocketAddress& from,
                                                  ByteView datagram) const {
  if (sink == nullptr) return;
  const trace::PacketKind kind = handshake_kind(datagram);
  const auto bytes = static_cast<std::uint32_t>(datagram.size());
  record_received(now, connection, {.packet_id = wire::kHandshakePacketId, .kind = kind, .bytes = bytes});
  sink->on_event({.at = now,
                  .connection = connection,
                  .data = trace::HandshakePacket{.kind = kind, .sent = false, .bytes = bytes, .remote = from}});
}

// Sealed, so that its id is not to be seen.
void ConnectionContext::record_close_sent(Instant now, ConnectionId connection, std::size_t bytes) const {
  record_sent(now, connection,
              {.packet_id = wire::kHandshakePacketId,
               .kind = trace::PacketKind::kErrorAcknowledgement,
               .bytes = static_cast<std::uint32_t>(bytes),
               .retransmission = false});
}

void ConnectionCore::trace(Instant now, trace::EventData data) const {
  if (context.sink != nullptr) context.sink->on_event({.at = now, .connection = id, .data = std::move(data)});
}

void ConnectionCore::drop(Instant now, trace::DropReason reason, std::size_t bytes) {
  counted.drops.add(reason);
  trace(now, trace::PacketDropped{.reason = reason, .bytes = static_cast<std::uint32_t>(bytes)});
}

void ConnectionCore::report_failures(Instant now, Recovery* recovery) {
  while (const auto failed = queue.poll_failure(now)) {
    if (recovery != nullptr && failed->may_have_arrived) {
      recovery->forget_owner(content_kind_of(failed->kind), failed->owner,
                             {.first = failed->first_packet, .last = failed->last_packet});
    }
    constexpr std::array<std::string_view, 7> kWhy = {
        "its bytes could not be read",  "its deadline has passed", "the peer did not acknowledge it", "cancelled",
        "the peer began a new session", "it was lost on the way",  "the peer wants no more of it"};
    emit(MessageFailed{.message = failed->message,
                       .may_have_arrived = failed->may_have_arrived,
                       .why = std::string(kWhy[static_cast<std::size_t>(failed->reason)]),
                       .code = failed->code});
  }
}

void ConnectionCore::report_writable() {
  if (queue.poll_writable()) emit(Writable{});
}

}  // namespace godwit
