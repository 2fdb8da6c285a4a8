// What an established connection of the extended form does about packets from other addresses:
// docs/extended_sessions.md, section 7.

#include <algorithm>
#include <array>
#include <utility>

#include "transport/batch_writer.h"
#include "transport/established_connection.h"
#include "wire/control_frame.h"

namespace godwit {

bool EstablishedConnection::receive_elsewhere(Instant now, const PathAddress& from, MutableBytes datagram) {
  begin_input();
  if (session_.extended() == nullptr || is_too_long(datagram)) return false;
  std::array<std::uint8_t, wire::kMaxLargeDatagram> scratch;
  const auto opened = session_.open_keeping(datagram, scratch);
  if (!opened) return false;
  Roaming& elsewhere = roaming();
  // Packets that were overtaken say where the peer was.
  if (opened->newest && from.remote != core_.remote && session_.has(wire::capability::kRoaming)) {
    if (!elsewhere.validation.on_packet(now, from, datagram.size(), *core_.context.handshake.random)) {
      ++elsewhere.counted.path_changes_refused;
    }
  }
  elsewhere.arrived_from = from;
  receive_opened(now, {.datagram = datagram, .opened = *opened});
  elsewhere.arrived_from.reset();
  finish_input(now);
  return true;
}

// A code without the error ack before it says nothing.
std::size_t EstablishedConnection::process_control_frame(Instant now, ByteView plaintext) {
  const auto frame = wire::read_control_frame(plaintext);
  if (!frame) return 0;
  const bool sizes = frame->kind >= wire::ControlFrame::Kind::kSizeProbe;
  if (sizes && !session_.has(wire::capability::kLargeDatagrams)) return 0;
  keepalive_.on_authentic(now);
  if (sizes) {
    process_size_frame(now, *frame);
    // A probe ends with the padding that makes it one.
    return frame->kind == wire::ControlFrame::Kind::kSizeProbe ? plaintext.size() : wire::kControlFrameSize;
  }
  if (frame->kind == wire::ControlFrame::Kind::kCloseCode) return wire::kControlFrameSize;
  Roaming& paths = roaming();
  if (frame->kind == wire::ControlFrame::Kind::kPathChallenge) {
    if (paths.response_count < paths.responses.size()) paths.responses[paths.response_count++] = frame->data;
  } else if (paths.arrived_from && paths.validation.on_response(frame->data, *paths.arrived_from)) {
    paths.move_to = paths.arrived_from;
  } else {
    ++paths.counted.path_responses_unsolicited;
  }
  return wire::kControlFrameSize;
}

void EstablishedConnection::write_path_responses(Instant now, BatchWriter& run) const {
  if (roaming_ == nullptr) return;
  Roaming& paths = *roaming_;
  while (paths.response_count > 0 && run.fits(wire::kControlFrameSize + wire::kDatagramOverhead)) {
    const std::uint64_t data = paths.responses[--paths.response_count];
    const std::size_t before = run.bytes();
    run.append(wire::encode(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kPathResponse, .data = data}));
    record_sent(now, run, before, 0, trace::PacketKind::kPong);  // of the path
  }
}

std::optional<DatagramBatch> EstablishedConnection::poll_path_challenge(Instant now, TransmitBuffer& buffer) {
  if (!roaming_) return std::nullopt;
  constexpr std::size_t kSize = wire::kControlFrameSize + wire::kDatagramOverhead;
  const auto challenge = roaming_->validation.poll(now, kSize);
  if (!challenge) return std::nullopt;
  const auto frame =
      wire::encode(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kPathChallenge, .data = challenge->data});
  const std::size_t size = session_.sealer().seal_pieces(frame, {}, {}, buffer.space());
  if (size == 0) return std::nullopt;
  ++core_.counted.packets_sent;
  core_.counted.bytes_sent += size;
  core_.context.record_sent(now, core_.id,
                            {.packet_id = 0,
                             .kind = trace::PacketKind::kPing,  // of the path
                             .bytes = static_cast<std::uint32_t>(size),
                             .retransmission = false});
  return DatagramBatch{.local = challenge->path.local,
                       .remote = challenge->path.remote,
                       .bytes = buffer.commit(size),
                       .segment_size = size};
}

std::optional<PathAddress> EstablishedConnection::take_move() {
  return roaming_ == nullptr ? std::nullopt : std::exchange(roaming_->move_to, std::nullopt);
}

// What was measured on the old path says nothing about the new one, unless only the port differs: then it is the same
// peer behind the same address translation (RFC 9000, section 9.4).
void EstablishedConnection::move_to(Instant now, const SocketAddress& remote) {
  const bool same_host = core_.remote.with_port(0) == remote.with_port(0);
  core_.remote = remote;
  ++roaming().counted.path_changes;
  if (PathSize* const size = known_size()) size->mtu.reset();
  if (!same_host) {
    controller_ = make_controller(controller_->kind(), core_.context.config.controller);
    update_rate(now);
  }
  core_.emit(PeerMoved{.remote = remote});
  core_.trace(now, trace::ConnectionStateChanged{"moved", core_.remote});
}

}  // namespace godwit
