// What an established connection of the extended form does about packets from other addresses:
// docs/extended_sessions.md, section 7.

#include <algorithm>
#include <array>
#include <utility>

#include "transport/connection.h"
#include "transport/run_writer.h"
#include "wire/control_frame.h"

namespace godwit {

bool Connection::receive_elsewhere(Instant now, const PathAddress& from, MutableBytes datagram) {
  begin_input();
  Established* session = established();
  if (session == nullptr || session->session.extended() == nullptr) return false;
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  const auto opened = session->session.open_keeping(datagram, scratch);
  if (!opened) return false;
  Roaming& roaming = roaming_of(*session);
  // Packets that were overtaken say where the peer was.
  if (opened->newest && from.remote != remote_ && session->session.has(wire::capability::kRoaming)) {
    if (!roaming.validation.on_packet(now, from, datagram.size(), *context_.handshake.random)) {
      ++roaming.counted.path_changes_refused;
    }
  }
  roaming.arrived_from = from;
  const Arrival arrival{.datagram = datagram, .opened = *opened};
  if (!process_fragment(now, *session, arrival)) process(now, arrival);
  if (session = established(); session != nullptr) session->roaming->arrived_from.reset();
  finish_run(now);
  return true;
}

// True when a control frame stands at the start of `plaintext`. A code without the error ack before it says nothing.
bool Connection::process_control_frame(Instant now, Established& session, ByteView plaintext) {
  const auto frame = wire::read_control_frame(plaintext);
  if (!frame) return false;
  session.keepalive.on_authentic(now);
  if (frame->kind == wire::ControlFrame::Kind::kCloseCode) return true;
  Roaming& roaming = roaming_of(session);
  if (frame->kind == wire::ControlFrame::Kind::kPathChallenge) {
    if (roaming.response_count < roaming.responses.size()) roaming.responses[roaming.response_count++] = frame->data;
  } else if (roaming.arrived_from && roaming.validation.on_response(frame->data, *roaming.arrived_from)) {
    roaming.move_to = roaming.arrived_from;
  } else {
    ++roaming.counted.path_responses_unsolicited;
  }
  return true;
}

void Connection::write_path_responses(Instant now, Established& session, RunWriter& run) const {
  if (session.roaming == nullptr) return;
  Roaming& roaming = *session.roaming;
  while (roaming.response_count > 0 && run.fits(wire::kControlFrameSize + wire::kDatagramOverhead)) {
    const std::uint64_t data = roaming.responses[--roaming.response_count];
    const std::size_t before = run.bytes();
    run.append(wire::encode(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kPathResponse, .data = data}));
    record_sent(now, run, before, 0, trace::PacketKind::kPong);  // of the path
  }
}

std::optional<DatagramRun> Connection::poll_path_challenge(Instant now, Established& session, TransmitBuffer& buffer) {
  if (!session.roaming) return std::nullopt;
  constexpr std::size_t kSize = wire::kControlFrameSize + wire::kDatagramOverhead;
  const auto challenge = session.roaming->validation.poll(now, kSize);
  if (!challenge) return std::nullopt;
  const auto frame =
      wire::encode(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kPathChallenge, .data = challenge->data});
  const std::size_t size = session.session.sealer().seal_pieces(frame, {}, {}, buffer.space());
  if (size == 0) return std::nullopt;
  ++counted_.packets_sent;
  counted_.bytes_sent += size;
  context_.record_sent(now, id_,
                       {.packet_id = 0,
                        .kind = trace::PacketKind::kPing,  // of the path
                        .bytes = static_cast<std::uint32_t>(size),
                        .retransmission = false});
  return DatagramRun{.local = challenge->path.local,
                     .remote = challenge->path.remote,
                     .bytes = buffer.commit(size),
                     .segment_size = size};
}

std::optional<PathAddress> Connection::take_move() {
  Established* session = established();
  if (session == nullptr || session->roaming == nullptr) return std::nullopt;
  return std::exchange(session->roaming->move_to, std::nullopt);
}

// What was measured on the old path says nothing about the new one, unless only the port differs: then it is the same
// peer behind the same address translation (RFC 9000, section 9.4).
void Connection::move_to(Instant now, const SocketAddress& remote) {
  Established* session = established();
  GODWIT_ASSERT(session != nullptr);
  const bool same_host = remote_.with_port(0) == remote.with_port(0);
  remote_ = remote;
  ++roaming_of(*session).counted.path_changes;
  if (!same_host) {
    session->controller = make_controller(session->controller->kind(), context_.config.controller);
    update_rate(now, *session);
  }
  emit(PeerMoved{.remote = remote});
  trace(now, trace::ConnectionStateChanged{"moved", remote_});
}

}  // namespace godwit
