// What an established connection of the extended form does about packets from other addresses:
// docs/extended_sessions.md, section 7.

#include <algorithm>
#include <array>
#include <utility>

#include "transport/batch_writer.h"
#include "transport/established_connection.h"
#include "wire/control_frame.h"

namespace godwit {
namespace {

bool is_path_probe(ByteView plaintext) {
  const auto frame = wire::read_control_frame(plaintext);
  return frame && frame->kind != wire::ControlFrame::Kind::kCloseCode && plaintext.size() == wire::kControlFrameSize;
}

// Where a path note has the habit of a side.
struct NotePlace {
  std::uint64_t changes;
  std::uint64_t in_sequence;
  unsigned port_shift;

  [[nodiscard]] PortHabit read(std::uint64_t note) const {
    return {.changes = (note & changes) != 0,
            .in_sequence = (note & in_sequence) != 0,
            .latest = static_cast<std::uint16_t>(note >> port_shift)};
  }
  [[nodiscard]] std::uint64_t write(const PortHabit& habit) const {
    return (habit.changes ? changes : 0) | (habit.in_sequence ? in_sequence : 0) |
           (std::uint64_t{habit.latest} << port_shift);
  }
};
constexpr NotePlace kOfSender{wire::kSenderPortChanges, wire::kSenderInSequence, wire::kSenderPortShift};
constexpr NotePlace kOfReceiver{wire::kReceiverPortChanges, wire::kReceiverInSequence, wire::kReceiverPortShift};

}  // namespace

bool EstablishedConnection::receive_elsewhere(Instant now, const PathAddress& from, MutableBytes datagram, Ecn ecn) {
  begin_input();
  if (session_.extended() == nullptr || is_too_long(datagram)) return false;
  std::array<std::uint8_t, wire::kMaxLargeDatagram> scratch;
  const auto opened = session_.open_keeping(datagram, scratch);
  if (!opened) return false;
  Roaming& elsewhere = roaming();
  // Packets that were overtaken say where the peer was, and probes where it might be.
  const bool probes = session_.has(wire::capability::kPathProbing) && is_path_probe(opened->plaintext);
  const bool follows = !elsewhere.search || elsewhere.search->may_follow(now, from.remote, path_patience());
  if (opened->newest && from.remote != core_.remote && session_.has(wire::capability::kRoaming) && !probes && follows) {
    if (!elsewhere.validation.on_packet(now, from, datagram.size(), *core_.context.handshake.random)) {
      ++elsewhere.counted.path_changes_refused;
    }
  }
  elsewhere.arrived_from = from;
  receive_opened(now, {.datagram = datagram, .opened = *opened, .ecn = ecn});
  elsewhere.arrived_from.reset();
  finish_input(now);
  return true;
}

// A code without the error ack before it says nothing.
std::size_t EstablishedConnection::process_control_frame(Instant now, ByteView plaintext) {
  const auto frame = wire::read_control_frame(plaintext);
  if (!frame) return 0;
  const bool sizes =
      frame->kind == wire::ControlFrame::Kind::kSizeProbe || frame->kind == wire::ControlFrame::Kind::kSizeAnswer;
  if (sizes && !session_.has(wire::capability::kLargeDatagrams)) return 0;
  keepalive_.on_authentic(now);
  if (sizes) {
    process_size_frame(now, *frame);
    // A probe ends with the padding that makes it one.
    return frame->kind == wire::ControlFrame::Kind::kSizeProbe ? plaintext.size() : wire::kControlFrameSize;
  }
  if (frame->kind == wire::ControlFrame::Kind::kCloseCode) return wire::kControlFrameSize;
  Roaming& paths = roaming();
  if (frame->kind == wire::ControlFrame::Kind::kPathNote) {
    if (paths.search) paths.search->note_ports(kOfReceiver.read(frame->data), kOfSender.read(frame->data));
  } else if (frame->kind == wire::ControlFrame::Kind::kPortSearch) {
    if (paths.search && frame->data > 0) paths.search->on_ports_opened(now);
  } else if (frame->kind == wire::ControlFrame::Kind::kPathResponse) {
    if (!process_path_response(now, frame->data)) ++paths.counted.path_responses_unsolicited;
  } else if (paths.arrived_from && session_.has(wire::capability::kPathProbing)) {
    if (paths.replies.size() < kMaxPendingPongs) paths.replies.push_back({*paths.arrived_from, frame->data});
    if (paths.search) paths.search->on_challenge(now, *paths.arrived_from, *core_.context.handshake.random);
  } else if (paths.response_count < paths.responses.size()) {
    paths.responses[paths.response_count++] = frame->data;
  }
  return wire::kControlFrameSize;
}

// False when the answer is to nothing that this side has asked at the address it comes from.
bool EstablishedConnection::process_path_response(Instant now, std::uint64_t data) {
  Roaming& paths = *roaming_;
  if (!paths.arrived_from) return false;
  const PathAnswer answer =
      paths.search ? paths.search->on_response(now, data, *paths.arrived_from) : PathAnswer::kNone;
  if (answer == PathAnswer::kMove || paths.validation.on_response(data, *paths.arrived_from)) {
    paths.move_to = paths.arrived_from;
    return true;
  }
  return answer == PathAnswer::kAlive;
}

void EstablishedConnection::search_paths(Instant now, const PeerPaths& paths, Instant known_since) {
  if (!session_.has(wire::capability::kRoaming) || !session_.has(wire::capability::kPathProbing)) return;
  PathSearch::Ports ports;
  if (session_.has(wire::capability::kPortSearch)) {
    ports = {.budget = &core_.context.port_searches,
             .can_open = core_.context.config.further_ports,
             .opens_first = core_.context.handshake.self->public_key() < session_.extended()->peer()};
  }
  roaming().search =
      std::make_unique<PathSearch>(now, paths, known_since, core_.remote, *core_.context.handshake.random, ports);
}

void EstablishedConnection::note_ports(const PortHabit& own, const PortHabit& peers) {
  if (!session_.has(wire::capability::kPathProbing)) return;
  Roaming& paths = roaming();
  if (paths.search) paths.search->note_ports(own, peers);
  paths.note = kOfSender.write(own) | kOfReceiver.write(peers);
}

std::optional<PathState> EstablishedConnection::path_state() const {
  if (session_.extended() == nullptr) return std::nullopt;
  if (roaming_ != nullptr && roaming_->search) return roaming_->search->state();
  const bool can = session_.has(wire::capability::kRoaming) && session_.has(wire::capability::kPathProbing);
  return PathState{.searches = false, .capable = can};
}

void EstablishedConnection::tend_search(Instant now) {
  PathSearch& search = *roaming_->search;
  search.handle_timeout(now, waits_for_peer(), path_patience());
  if (!search.state().exhausted || std::exchange(roaming_->said_why, true)) return;
  core_.trace(now, trace::ConnectionStateChanged{path_reason_text(search.state().reason()), core_.remote});
}

// Half a second, as no path across the earth takes longer for a round trip; more where this one has.
Duration EstablishedConnection::path_patience() const {
  constexpr int kProbeTimeouts = 3;
  return std::max<Duration>(recovery_.rtt().probe_timeout() * kProbeTimeouts, 500ms);
}

void EstablishedConnection::write_path_responses(Instant now, BatchWriter& batch) const {
  if (roaming_ == nullptr) return;
  Roaming& paths = *roaming_;
  while (paths.response_count > 0 && batch.fits(wire::kControlFrameSize + wire::kDatagramOverhead)) {
    const std::uint64_t data = paths.responses[--paths.response_count];
    const std::size_t before = batch.bytes();
    batch.append(wire::encode(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kPathResponse, .data = data}));
    record_sent(now, batch, before, 0, trace::PacketKind::kPong);  // of the path
  }
}

std::optional<DatagramBatch> EstablishedConnection::poll_path_challenge(Instant now, TransmitBuffer& buffer) {
  if (!roaming_) return std::nullopt;
  using Kind = wire::ControlFrame::Kind;
  if (!roaming_->replies.empty()) {
    const PathValidation::Challenge reply = roaming_->replies.back();
    roaming_->replies.pop_back();
    return seal_path_frame(now, {.kind = Kind::kPathResponse, .data = reply.data}, reply.path, buffer);
  }
  if (const auto note = std::exchange(roaming_->note, std::nullopt)) {
    return seal_path_frame(now, {.kind = Kind::kPathNote, .data = *note}, {.local = {}, .remote = core_.remote},
                           buffer);
  }
  constexpr std::size_t kSize = wire::kControlFrameSize + wire::kDatagramOverhead;
  if (PortSearch* const ports = port_search()) {
    if (const auto opener = ports->poll_opener(now)) return write_opener(*opener, buffer);
    if (const auto count = ports->poll_request(now)) {
      return seal_path_frame(now, {.kind = Kind::kPortSearch, .data = *count}, {.local = {}, .remote = core_.remote},
                             buffer);
    }
  }
  auto challenge = roaming_->validation.poll(now, kSize);
  if (!challenge && roaming_->search) {
    challenge = roaming_->search->poll(now);
    if (challenge) ++roaming_->counted.path_probes;
  }
  if (!challenge) return std::nullopt;
  return seal_path_frame(now, {.kind = Kind::kPathChallenge, .data = challenge->data}, challenge->path, buffer);
}

std::optional<DatagramBatch> EstablishedConnection::write_opener(const PathAddress& path, TransmitBuffer& buffer) {
  if (buffer.space().empty()) return std::nullopt;
  buffer.space()[0] = kOpenerByte;
  return DatagramBatch{.local = path.local,
                       .remote = path.remote,
                       .bytes = buffer.commit(1),
                       .segment_size = 1,
                       .hop_limit = kOpenerHops};
}

// A packet of its own, on the path that it is about.
std::optional<DatagramBatch> EstablishedConnection::seal_path_frame(Instant now, const wire::ControlFrame& frame,
                                                                    const PathAddress& path, TransmitBuffer& buffer) {
  const std::size_t size = session_.sealer().seal_pieces(wire::encode(frame), {}, {}, buffer.space());
  if (size == 0) return std::nullopt;
  ++core_.counted.packets_sent;
  core_.counted.bytes_sent += size;
  const bool asks = frame.kind == wire::ControlFrame::Kind::kPathChallenge;
  core_.context.record_sent(now, core_.id,
                            {.packet_id = 0,
                             .kind = asks ? trace::PacketKind::kPing : trace::PacketKind::kPong,  // of the path
                             .bytes = static_cast<std::uint32_t>(size),
                             .retransmission = false});
  return DatagramBatch{.local = path.local, .remote = path.remote, .bytes = buffer.commit(size), .segment_size = size};
}

std::optional<PathAddress> EstablishedConnection::take_move() {
  return roaming_ == nullptr ? std::nullopt : std::exchange(roaming_->move_to, std::nullopt);
}

// What was measured on the old path says nothing about the new one, unless only the port differs: then it is the same
// peer behind the same address translation (RFC 9000, section 9.4).
void EstablishedConnection::move_to(Instant now, const SocketAddress& remote) {
  const bool same_host = core_.remote.is_same_host(remote);
  core_.remote = remote;
  ++roaming().counted.path_changes;
  if (PathSize* const size = known_size()) size->mtu.reset();
  if (ecn_ != nullptr) ecn_->test(session_.next_number());
  if (!same_host) {
    controller_ = make_controller(controller_->kind(), core_.context.config.controller);
    update_rate(now);
  }
  if (roaming().search) {
    roaming().search->on_moved(now, remote);
    // The peer follows when it hears of this side from there.
    ping_due_ = true;
  }
  core_.emit(PeerMoved{.remote = remote});
  core_.trace(now, trace::ConnectionStateChanged{"moved", core_.remote});
}

}  // namespace godwit
