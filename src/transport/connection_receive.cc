// The way in: open, decode, duplicate filter, receipts, streams and control (connection.h).

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "congestion/event_of.h"
#include "transport/connection.h"
#include "transport/printable.h"
#include "transport/run_writer.h"
#include "transport/send_kind.h"
#include "wire/control_frame.h"
#include "wire/flow_frame.h"

namespace godwit {
namespace {

trace::PacketKind kind_of(const wire::Message& message) {
  if (std::holds_alternative<wire::AckOk>(message)) return trace::PacketKind::kAcknowledgeConnection;
  if (std::holds_alternative<wire::AckError>(message)) return trace::PacketKind::kErrorAcknowledgement;
  if (std::holds_alternative<wire::ShortMessage>(message)) return trace::PacketKind::kShortMessage;
  if (std::holds_alternative<wire::StreamFragment>(message)) return trace::PacketKind::kStreamFragment;
  if (std::holds_alternative<wire::NoOp>(message)) return trace::PacketKind::kNoOp;
  if (std::holds_alternative<wire::Ping>(message)) return trace::PacketKind::kPing;
  if (std::holds_alternative<wire::Pong>(message)) return trace::PacketKind::kPong;
  return trace::PacketKind::kUpgrade;
}

// Of a packet that begins with a frame of the extended form alone.
std::optional<trace::PacketKind> own_frame_kind(ByteView plaintext) {
  if (wire::read_control_frame(plaintext)) return trace::PacketKind::kPing;  // of the path
  if (wire::read_flow_frame(plaintext)) return trace::PacketKind::kFlowControl;
  return std::nullopt;
}

}  // namespace

void Connection::receive(Instant now, const DatagramRun& batch) {
  begin_input();
  const std::size_t count = batch.segment_count();
  if (const Established* session = established(); count > 1 && session != nullptr && !session->session.several_keys()) {
    receive_batch(now, batch);
  } else {
    for (std::size_t i = 0; i < count; ++i) receive_symmetric(now, batch.segment(i));
  }
  ++counted_.runs_received;
  finish_run(now);
}

bool Connection::receive_intro(Instant now, const IntroSeen& intro) {
  Handshake* handshake = shaking_hands();
  if (handshake == nullptr) return false;
  const HandshakeStep step = handshake->receive_intro(now, intro);
  apply_step(now, step, {});
  return step.kind != HandshakeStep::Kind::kNothing;
}

void Connection::receive_handshake_datagram(Instant now, MutableBytes datagram) {
  Handshake* handshake = shaking_hands();
  if (handshake == nullptr) return;
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  apply_step(now, handshake->receive(now, datagram, scratch), datagram);
}

bool Connection::receive_if_authentic(Instant now, MutableBytes datagram) {
  begin_input();
  Established* session = established();
  if (session == nullptr) return false;
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  const auto opened = session->session.open_keeping(datagram, scratch);
  if (!opened) return false;
  receive_opened(now, *session, {.datagram = datagram, .opened = *opened});
  finish_run(now);
  return true;
}

void Connection::receive_symmetric(Instant now, MutableBytes datagram) {
  if (Established* session = established()) [[likely]] {
    GODWIT_MARK(context_.cost, kOpen);
    std::expected<Session::Opened, trace::DropReason> opened;
    if (session->session.several_keys()) [[unlikely]] {
      std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
      opened = session->session.open(datagram, scratch);
    } else {
      opened = session->session.open(datagram, {});
    }
    GODWIT_MARK(context_.cost, kDecode);
    if (!opened) return drop(now, opened.error(), datagram.size());
    receive_opened(now, *session, {.datagram = datagram, .opened = *opened});
  } else if (is_handshaking()) {
    receive_handshake_datagram(now, datagram);
  } else {
    drop(now, trace::DropReason::kClosed, datagram.size());
  }
}

void Connection::record_received(Instant now, const Arrival& arrival, std::uint32_t id, trace::PacketKind kind) {
  ++counted_.packets_received;
  counted_.bytes_received += arrival.bytes();
  context_.record_received(now, id_,
                           {.packet_id = id, .kind = kind, .bytes = static_cast<std::uint32_t>(arrival.bytes())});
}

void Connection::receive_batch(Instant now, const DatagramRun& batch) {
  const std::size_t count = batch.segment_count();
  std::array<PacketToOpen, RunWriter::kMaxSegments> packets;
  for (std::size_t first = 0; first < count;) {
    std::span<PacketToOpen> some = std::span(packets).first(std::min(count - first, packets.size()));
    std::size_t together = 0;
    if (Established* session = established()) {
      GODWIT_MARK(context_.cost, kOpen);
      for (std::size_t i = 0; i < some.size(); ++i) some[i] = PacketOpener::to_open(batch.segment(first + i));
      together = session->session.open_batch(some);
    }
    for (std::size_t i = 0; i < together; ++i) {
      GODWIT_MARK(context_.cost, kDecode);
      const MutableBytes datagram = batch.segment(first + i);
      Established* session = established();  // one of the packets before may have ended it
      if (session == nullptr) {
        drop(now, trace::DropReason::kClosed, datagram.size());
      } else if (!some[i].authentic) {
        drop(now, trace::DropReason::kAuthenticationFailed, datagram.size());
      } else if (const auto opened = session->session.opened(some[i])) {
        receive_opened(now, *session, {.datagram = datagram, .opened = *opened});
      } else {
        drop(now, opened.error(), datagram.size());
      }
    }
    first += together;
    if (together == 0) receive_symmetric(now, batch.segment(first++));
  }
}

// The short path of nearly all traffic: a fragment without receipts and metadata. False when it is anything else.
bool Connection::process_fragment(Instant now, Established& session, const Arrival& arrival) {
  if (arrival.opened.age == InboundKeyAge::kFormer) [[unlikely]]
    return false;
  const auto fragment = wire::peek_fragment(arrival.plaintext());
  if (!fragment) return false;
  // Frames may follow it.
  const std::size_t size = wire::kFragmentOverhead + fragment->payload.size();
  if (session.session.extended() != nullptr && arrival.plaintext().size() != size) [[unlikely]]
    return false;
  record_received(now, arrival, fragment->packet_id, trace::PacketKind::kStreamFragment);
  note_ordinary(now, session, arrival, fragment->packet_id);
  GODWIT_MARK(context_.cost, kAcknowledge);
  if (session.acks.is_duplicate(fragment->packet_id)) {
    // Not delivered and no sign of life, but receipted again: the first receipt may have been lost (wire spec 5.5).
    static_cast<void>(session.acks.on_packet(now, fragment->packet_id));
    session.acks.queue_receipt(now, fragment->packet_id);
    drop(now, trace::DropReason::kDuplicate, arrival.bytes());
    return true;
  }
  session.keepalive.on_authentic(now);
  GODWIT_MARK(context_.cost, kReassemble);
  const FragmentOutcome outcome = inbound_streams(session).on_fragment(now, *fragment, *this);
  GODWIT_MARK(context_.cost, kAcknowledge);
  apply_fragment_outcome(now, session, outcome, fragment->packet_id, arrival.bytes());
  return true;
}

void Connection::note_ordinary(Instant now, Established& session, const Arrival& arrival, std::uint32_t id) {
  session.ordinary_packet_seen = true;
  if (id == 0) session.ordinary_id_zero_seen = true;
  // Ids wrap: the newer one is ahead by less than half their range.
  if (!session.newest_id || static_cast<std::int32_t>(id - *session.newest_id) > 0) {
    session.newest_id = id;
    session.newer_packet = true;
  }
  if (arrival.opened.age == InboundKeyAge::kNewer) [[unlikely]] {
    session.session.on_ordinary_under_newer_key(now, context_.handshake, arrival.opened);
  }
}

void Connection::apply_fragment_outcome(Instant now, Established& session, const FragmentOutcome& outcome,
                                        std::uint32_t packet_id, std::size_t bytes) {
  if (outcome.result == FragmentOutcome::Result::kBeyondCredit) [[unlikely]] {
    return end(now, CloseReason::kProtocolViolation, "the peer has sent more than it was granted", Telling::kClose);
  }
  if (!outcome.must_receipt()) {
    // Neither recorded nor receipted: the peer sends it again when there is room.
    return drop(now, trace::DropReason::kNoRoom, bytes);
  }
  static_cast<void>(session.acks.on_packet(now, packet_id));
  session.acks.queue_receipt(now, packet_id);
  if (outcome.finished) session.acks.hint_tail();
  if (outcome.result == FragmentOutcome::Result::kRefused) drop(now, trace::DropReason::kStreamRefused, bytes);
}

void Connection::process(Instant now, const Arrival& arrival) {
  Established* session = established();
  if (session == nullptr) return;
  const auto packet = wire::decode(arrival.plaintext());
  if (!packet) {
    const auto kind = session->session.extended() == nullptr ? std::nullopt : own_frame_kind(arrival.plaintext());
    if (!kind) return drop(now, trace::DropReason::kUndecodable, arrival.bytes());
    record_received(now, arrival, 0, *kind);
    return process_frames(now, arrival, arrival.plaintext());
  }
  record_received(now, arrival, packet->packet_id, kind_of(packet->message));
  process_packet(now, *session, arrival, *packet);
  if (!packet->trailing.empty()) process_frames(now, arrival, packet->trailing);
}

// What follows the first message of a packet: padding on the deployed wire, further frames in the extended form
// (docs/extended_sessions.md, section 5).
void Connection::process_frames(Instant now, const Arrival& arrival, ByteView rest) {
  while (!rest.empty()) {
    Established* session = established();
    if (session == nullptr || session->session.extended() == nullptr) return;
    if (process_control_frame(now, *session, rest)) {
      rest = rest.subspan(wire::kControlFrameSize);
      continue;
    }
    if (process_flow_frame(now, *session, arrival, rest)) {
      rest = rest.subspan(wire::kFlowFrameSize);
      continue;
    }
    const auto packet = wire::decode(rest);
    if (!packet) return drop(now, trace::DropReason::kUndecodable, rest.size());
    process_packet(now, *session, arrival, *packet);
    rest = packet->trailing;
  }
}

void Connection::process_receipts(Instant now, Established& session, const wire::ReceiptList& receipts) {
  if (receipts.empty()) return;
  GODWIT_MARK(context_.cost, kAcknowledge);
  if (!session.recovery.collecting_acks()) session.recovery.begin_acks(now);
  counted_.receipts_received += receipts.size();
  // An id twice in a row reports a duplicate (docs/wire_format.md).
  for (auto receipt = receipts.begin(); receipt != receipts.end();) {
    const std::uint32_t id = *receipt++;
    if (receipt != receipts.end() && *receipt == id) [[unlikely]] {
      session.recovery.on_duplicate_receipt(id);
      ++receipt;
    } else {
      session.recovery.on_receipt(id);
    }
  }
}

void Connection::process_packet(Instant now, Established& session, const Arrival& arrival, const wire::Packet& packet) {
  // Receipts count in every variant, in duplicates too (wire spec 5.2).
  process_receipts(now, session, packet.receipts);
  const std::uint32_t id = packet.packet_id;
  if (const auto* ack = std::get_if<wire::AckOk>(&packet.message)) {
    return process_success_ack(now, session, arrival, *ack);
  }
  if (const auto* error = std::get_if<wire::AckError>(&packet.message)) {
    const auto code = session.session.extended() == nullptr ? std::nullopt : wire::read_control_frame(packet.trailing);
    const bool has_code = code && code->kind == wire::ControlFrame::Kind::kCloseCode;
    return end(now, CloseReason::kRemote, printable(error->text), Telling::kAnswer, has_code ? code->data : 0);
  }
  // What was sealed in a session that the peer has ended: its ids and its streams are not those of the present one.
  if (arrival.opened.age == InboundKeyAge::kFormer) return drop(now, trace::DropReason::kClosed, arrival.bytes());
  note_ordinary(now, session, arrival, id);
  if (std::holds_alternative<wire::NoOp>(packet.message)) {
    if (session.session.peer_tracks_noops()) {
      // An old peer may give a NoOp the id of a message that is still to come (wire spec 5.6): it is receipted, not
      // recorded.
      if (session.acks.on_tracked_noop(id) == Novelty::kNew) session.keepalive.on_authentic(now);
      session.acks.queue_receipt(now, id);
    } else if (session.acks.on_noop(now, id) == Novelty::kNew) {
      session.keepalive.on_authentic(now);
    }
    return;
  }
  if (const auto* ping = std::get_if<wire::Ping>(&packet.message)) {
    if (session.pong_count < kMaxPendingPongs) session.pongs[session.pong_count++] = ping->sequence;
    if (id == 0 || session.acks.on_packet(now, id) == Novelty::kNew) session.keepalive.on_authentic(now);
    return;
  }
  if (const auto* pong = std::get_if<wire::Pong>(&packet.message)) {
    const auto round_trip = session.keepalive.on_pong(now, pong->sequence);
    if (id == 0 || session.acks.on_packet(now, id) == Novelty::kNew) session.keepalive.on_authentic(now);
    if (!round_trip) return;
    session.recovery.rtt().on_ping_sample(now, *round_trip);
    session.recovery.on_path_proven();
    // The second one of a pair waits behind acknowledgements on purpose.
    if (session.pair == nullptr || !session.pair->is_second(pong->sequence)) {
      session.acks.on_round_trip(*round_trip, session.recovery.rtt().minimum());
    }
    if (session.pair != nullptr) {
      const auto spread = session.pair->on_answer(pong->sequence, *round_trip);
      if (spread) session.acks.on_pair(spread->bytes, spread->apart);
    }
    if (session.session.on_ping_answered(arrival.opened.proves_peer)) emit(PeerAuthenticated{});
    emit(PingAnswered{.sequence = pong->sequence, .round_trip = *round_trip});
    return;
  }
  process_tracked(now, session, arrival, packet);
}

// ShortMessage, StreamFragment and Upgrade: receipted always, delivered once.
void Connection::process_tracked(Instant now, Established& session, const Arrival& arrival,
                                 const wire::Packet& packet) {
  const std::uint32_t id = packet.packet_id;
  if (session.acks.is_duplicate(id)) {
    static_cast<void>(session.acks.on_packet(now, id));
    session.acks.queue_receipt(now, id);
    return drop(now, trace::DropReason::kDuplicate, arrival.bytes());
  }
  session.keepalive.on_authentic(now);
  if (const auto* fragment = std::get_if<wire::StreamFragment>(&packet.message)) {
    const FragmentOutcome outcome = inbound_streams(session).on_fragment(now, *fragment, *this);
    return apply_fragment_outcome(now, session, outcome, id, arrival.bytes());
  }
  static_cast<void>(session.acks.on_packet(now, id));
  session.acks.queue_receipt(now, id);
  if (const auto* message = std::get_if<wire::ShortMessage>(&packet.message)) {
    counted_.payload_bytes_received += message->payload.size();
    emit(MessageReceived{.payload = message->payload});
  } else if (const auto* offer = std::get_if<wire::UpgradeOffer>(&packet.message)) {
    // At most one Decline an interval; Accept and Decline answer offers never made (wire spec 4.8).
    if (!session.last_decline || now - *session.last_decline >= wire::kDeclineInterval) {
      session.decline = offer->attempt;
      session.last_decline = now;
    }
  }
}

void Connection::process_success_ack(Instant now, Established& session, const Arrival& arrival,
                                     const wire::AckOk& ack) {
  // The handshake of the extended form has one ack, and no packet of it is under these keys.
  if (session.session.extended() != nullptr) return drop(now, trace::DropReason::kUndecodable, arrival.bytes());
  const AckReaction reaction =
      session.session.on_success_ack(now, {.ack = ack,
                                           .nonce = nonce_of(arrival.datagram),
                                           .opened_by = arrival.opened.age,
                                           .ordinary_packet_seen = session.ordinary_packet_seen,
                                           .ordinary_id_zero_seen = session.ordinary_id_zero_seen});
  if (!reaction.repeat) session.keepalive.on_authentic(now, true);
  if (reaction.receipt_zero) session.acks.queue_receipt(now, 0);
  if (reaction.ping) session.ping_due = true;
  if (!reaction.new_session) return;
  // The peer began anew: its ids and streams restart, and our ids go on (wire spec 5.8). Its duplicate filter is as new
  // as its session, so nothing that may have reached the old one is repeated to the new one.
  session.session.adopt(now, context_.handshake, ack, arrival.opened);
  session.acks = AckTracker(context_.config.acknowledgement);
  end_streams(session);
  queue_.fail_started();
  report_failures(now);
  session.keepalive.restart_proof(now);
  session.completion_due = true;
  session.ping_due = true;
  session.ordinary_packet_seen = false;
  session.ordinary_id_zero_seen = false;
  session.newest_id.reset();
  trace(now, trace::ConnectionStateChanged{"new session at the peer", remote_});
}

void Connection::finish_run(Instant now) {
  Established* session = established();
  if (session == nullptr) return;
  if (session->recovery.collecting_acks()) apply_acknowledgements(now, *session);
  session = established();  // a peer that acknowledges what was never sent has lost its session
  if (session == nullptr) return;
  session->acks.on_batch_end(now);
  release_if_alive(now, *session);
  expire_former_key(now, *session);
  session->resting = false;
  if (session->acks.pending() > 0) session->last_data = now;
}

void Connection::apply_acknowledgements(Instant now, Established& session) {
  GODWIT_MARK(context_.cost, kAcknowledge);
  const AckOutcome& outcome = session.recovery.finish_acks();
  // Who acknowledges what was never sent acknowledges what has not arrived: congestion control, recovery and the
  // confirmations of messages would all rest on invention (wire spec W20). Nothing of this batch counts.
  if (outcome.misbehaving_receipts > 0) [[unlikely]] {
    return end(now, CloseReason::kProtocolViolation, "the peer acknowledged a packet that was never sent",
               Telling::kClose);
  }
  for (const AckedRange& range : outcome.acked) {
    if (range.kind == PacketContent::Kind::kControl) {
      on_control_acknowledged(range);
      continue;
    }
    const SendKind kind = send_kind_of(range.kind);
    if (const auto confirmed = queue_.on_acknowledged(kind, range.owner, range.first_fragment, range.count)) {
      emit(MessageConfirmed{*confirmed});
    }
  }
  if (outcome.acked_packets > 0) {
    trace_acknowledged(now, outcome);
    session.acks.set_rtt(session.recovery.rtt().minimum());
  }
  if (outcome.acked_packets > 0 || outcome.lost_packets > 0 || outcome.spurious_loss_undone) {
    apply_congestion_event(now, session, congestion_event_of(now, outcome, session.recovery), outcome, false);
  }
  report_writable();
}

void Connection::drop(Instant now, trace::DropReason reason, std::size_t bytes) {
  counted_.drops.add(reason);
  trace(now, trace::PacketDropped{.reason = reason, .bytes = static_cast<std::uint32_t>(bytes)});
}

void Connection::on_chunk(const InboundChunk& chunk) {
  counted_.payload_bytes_received += chunk.bytes.size();
  emit(StreamChunk{.stream_id = chunk.stream_id, .offset = chunk.offset, .total = chunk.total, .bytes = chunk.bytes});
}

void Connection::on_message(InboundMessage&& message) {
  counted_.payload_bytes_received += message.payload.size();
  emit(StreamMessage{
      .stream_id = message.stream_id, .operations = message.operations(), .payload = std::move(message.payload)});
}

void Connection::on_metadata(std::uint32_t stream_id, ByteView metadata) {
  emit(MetadataReceived{.stream_id = stream_id, .metadata = {metadata.begin(), metadata.end()}});
}

void Connection::on_failure(const InboundFailure& failure) {
  emit(StreamAborted{
      .stream_id = failure.stream_id, .received = failure.received, .total = failure.total, .code = failure.code});
}

}  // namespace godwit
