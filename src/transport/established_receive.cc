// The way in: open, decode, duplicate filter, acknowledgements, streams and control (connection.h).

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "congestion/event_of.h"
#include "transport/batch_writer.h"
#include "transport/established_connection.h"
#include "transport/send_kind.h"
#include "wire/ack_frame.h"
#include "wire/control_frame.h"
#include "wire/flow_frame.h"
#include "wire/printable.h"

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
  if (wire::is_ack_frame(plaintext)) return trace::PacketKind::kNoOp;
  return std::nullopt;
}

}  // namespace

void EstablishedConnection::receive(Instant now, const DatagramBatch& batch, std::size_t first, bool later) {
  begin_input();
  const std::size_t count = batch.segment_count();
  if (is_too_long(batch.bytes.first(std::min(batch.bytes.size(), batch.segment_size)))) [[unlikely]] {
    for (std::size_t i = first; i < count; ++i) core_.drop(now, trace::DropReason::kTooLong, batch.segment(i).size());
  } else if (count - first > 1 && !session_.several_keys()) {
    receive_batch(now, batch, first);
  } else {
    for (std::size_t i = first; i < count; ++i) receive_one(now, batch.segment(i), batch.ecn);
  }
  if (roaming_ && roaming_->search && keepalive_.last_authentic() == now) [[unlikely]]
    roaming_->search->on_heard(now);
  finish_input(now, later);
}

void EstablishedConnection::process_first(Instant now, bool confirmed_by_ack, MutableBytes plaintext,
                                          ByteView datagram) {
  keepalive_.on_authentic(now, confirmed_by_ack);
  if (plaintext.empty()) return;
  const Arrival arrival{.datagram = datagram, .opened = {.plaintext = plaintext}};
  process(now, arrival);
  note_number(now, arrival);
  finish_input(now);
}

bool EstablishedConnection::receive_if_authentic(Instant now, MutableBytes datagram, Ecn ecn) {
  begin_input();
  if (is_too_long(datagram)) return false;
  std::array<std::uint8_t, wire::kMaxLargeDatagram> scratch;
  const auto opened = session_.open_keeping(datagram, scratch);
  if (!opened) return false;
  receive_opened(now, {.datagram = datagram, .opened = *opened, .ecn = ecn});
  finish_input(now);
  return true;
}

void EstablishedConnection::receive_one(Instant now, MutableBytes datagram, Ecn ecn) {
  if (ending_ != nullptr) [[unlikely]]
    return core_.drop(now, trace::DropReason::kClosed, datagram.size());
  GODWIT_COST_PROBE(core_.context.cost, kOpen);
  std::expected<Session::Opened, trace::DropReason> opened;
  if (session_.several_keys()) [[unlikely]] {
    std::array<std::uint8_t, wire::kMaxLargeDatagram> scratch;
    opened = session_.open(datagram, scratch);
  } else {
    opened = session_.open(datagram, {});
  }
  GODWIT_COST_PROBE(core_.context.cost, kDecode);
  if (!opened) {
    if (session_.is_ended_by(datagram)) return end(CloseReason::kReset, "the peer has restarted", Telling::kNothing);
    return core_.drop(now, opened.error(), datagram.size());
  }
  receive_opened(now, {.datagram = datagram, .opened = *opened, .ecn = ecn});
}

void EstablishedConnection::record_received(Instant now, const Arrival& arrival, std::uint32_t id,
                                            trace::PacketKind kind) {
  ++core_.counted.packets_received;
  core_.counted.bytes_received += arrival.bytes();
  core_.context.record_received(now, core_.id,
                                {.packet_id = id, .kind = kind, .bytes = static_cast<std::uint32_t>(arrival.bytes())});
}

void EstablishedConnection::receive_batch(Instant now, const DatagramBatch& batch, std::size_t first) {
  const std::size_t count = batch.segment_count();
  std::array<PacketToOpen, BatchWriter::kMaxSegments> packets;
  while (first < count) {
    const std::span<PacketToOpen> some = std::span(packets).first(std::min(count - first, packets.size()));
    std::size_t together = 0;
    if (ending_ == nullptr) [[likely]] {
      GODWIT_COST_PROBE(core_.context.cost, kOpen);
      for (std::size_t i = 0; i < some.size(); ++i) some[i] = PacketOpener::to_open(batch.segment(first + i));
      together = session_.open_batch(some);
    }
    for (std::size_t i = 0; i < together; ++i) {
      GODWIT_COST_PROBE(core_.context.cost, kDecode);
      const std::size_t run = receive_run(now, batch, first + i, some.subspan(i, together - i));
      if (run > 0) {
        i += run - 1;
        continue;
      }
      const MutableBytes datagram = batch.segment(first + i);
      if (ending_ != nullptr) [[unlikely]] {  // one of the packets before has ended the session
        core_.drop(now, trace::DropReason::kClosed, datagram.size());
      } else if (!some[i].authentic) {
        core_.drop(now, trace::DropReason::kAuthenticationFailed, datagram.size());
      } else if (const auto opened = session_.opened(some[i])) {
        receive_opened(now, {.datagram = datagram, .opened = *opened, .ecn = batch.ecn});
      } else {
        core_.drop(now, opened.error(), datagram.size());
      }
    }
    first += together;
    if (together == 0) receive_one(now, batch.segment(first++), batch.ecn);
  }
}

// The short path of nearly all traffic: a fragment without acknowledgements and metadata. False when it is anything
// else.
bool EstablishedConnection::process_fragment(Instant now, const Arrival& arrival) {
  if (arrival.opened.age == InboundKeyAge::kFormer) [[unlikely]]
    return false;
  const auto fragment = wire::peek_fragment(arrival.plaintext());
  if (!fragment) return false;
  // Frames may follow it.
  const std::size_t size = wire::kFragmentOverhead + fragment->payload.size();
  if (session_.extended() != nullptr && arrival.plaintext().size() != size) [[unlikely]]
    return false;
  record_received(now, arrival, fragment->packet_id, trace::PacketKind::kStreamFragment);
  note_ordinary(now, arrival, fragment->packet_id);
  GODWIT_COST_PROBE(core_.context.cost, kAcknowledge);
  if (acks_.is_duplicate(fragment->packet_id)) {
    // Not delivered and no sign of life, but acknowledged again: the first acknowledgement may have been lost (wire
    // spec 5.5).
    static_cast<void>(acks_.on_packet(now, fragment->packet_id));
    acks_.queue_ack(now, fragment->packet_id);
    core_.drop(now, trace::DropReason::kDuplicate, arrival.bytes());
    return true;
  }
  keepalive_.on_authentic(now);
  GODWIT_COST_PROBE(core_.context.cost, kReassemble);
  const FragmentOutcome outcome = inbound_streams().on_fragment(now, *fragment, *this);
  GODWIT_COST_PROBE(core_.context.cost, kAcknowledge);
  apply_fragment_outcome(now, outcome, fragment->packet_id, arrival.bytes());
  return true;
}

void EstablishedConnection::note_ordinary(Instant now, const Arrival& arrival, std::uint32_t id) {
  ordinary_packet_seen_ = true;
  if (id == 0) ordinary_id_zero_seen_ = true;
  // Ids wrap: the newer one is ahead by less than half their range.
  if (!newest_id_ || static_cast<std::int32_t>(id - *newest_id_) > 0) {
    newest_id_ = id;
    newer_packet_ = true;
  }
  if (arrival.opened.age == InboundKeyAge::kNewer) [[unlikely]] {
    session_.on_ordinary_under_newer_key(now, core_.context.handshake, arrival.opened);
  }
}

void EstablishedConnection::apply_fragment_outcome(Instant now, const FragmentOutcome& outcome, std::uint32_t packet_id,
                                                   std::size_t bytes) {
  if (outcome.result == FragmentOutcome::Result::kBeyondCredit) [[unlikely]] {
    return end(CloseReason::kProtocolViolation, "the peer has sent more than it was granted", Telling::kClose);
  }
  if (outcome.result == FragmentOutcome::Result::kContradicts) [[unlikely]] {
    return end(CloseReason::kProtocolViolation, "the peer's fragment contradicts its stream", Telling::kClose);
  }
  if (!outcome.must_ack()) {
    // Neither recorded nor acknowledged: the peer sends it again when there is room.
    acks_.refuse_packet();
    return core_.drop(now, trace::DropReason::kNoRoom, bytes);
  }
  static_cast<void>(acks_.on_packet(now, packet_id));
  acks_.queue_ack(now, packet_id);
  if (outcome.finished) acks_.hint_tail();
  if (outcome.result == FragmentOutcome::Result::kRefused) core_.drop(now, trace::DropReason::kStreamRefused, bytes);
}

void EstablishedConnection::process(Instant now, const Arrival& arrival) {
  const auto packet = wire::decode(arrival.plaintext());
  if (!packet) {
    const auto kind = session_.extended() == nullptr ? std::nullopt : own_frame_kind(arrival.plaintext());
    if (!kind) {
      acks_.refuse_packet();
      return core_.drop(now, trace::DropReason::kUndecodable, arrival.bytes());
    }
    record_received(now, arrival, 0, *kind);
    return process_frames(now, arrival, arrival.plaintext());
  }
  record_received(now, arrival, packet->packet_id, kind_of(packet->message));
  process_packet(now, arrival, *packet);
  if (!packet->trailing.empty()) process_frames(now, arrival, packet->trailing);
}

// What follows the first message of a packet: padding on the deployed wire, further frames in the extended form
// (docs/extended_sessions.md, section 5).
void EstablishedConnection::process_frames(Instant now, const Arrival& arrival, ByteView rest) {
  if (session_.extended() == nullptr) return;
  while (!rest.empty() && ending_ == nullptr) {
    if (const std::size_t used = process_control_frame(now, rest); used > 0) {
      rest = rest.subspan(used);
      continue;
    }
    if (process_flow_frame(now, arrival, rest)) {
      rest = rest.subspan(wire::kFlowFrameSize);
      continue;
    }
    if (const std::size_t size = process_ack_frame(now, arrival, rest); size > 0) {
      rest = rest.subspan(size);
      continue;
    }
    const auto packet = wire::decode(rest);
    if (!packet) {
      acks_.refuse_packet();
      return core_.drop(now, trace::DropReason::kUndecodable, rest.size());
    }
    process_packet(now, arrival, *packet);
    rest = packet->trailing;
  }
}

void EstablishedConnection::process_acks(Instant now, const wire::AckList& acks) {
  // Where packet numbers are acknowledged ids are not.
  if (acks.empty() || acks_.by_number()) return;
  GODWIT_COST_PROBE(core_.context.cost, kAcknowledge);
  if (!recovery_.collecting_acks()) recovery_.begin_acks(now);
  core_.counted.acks_received += acks.size();
  for (auto ack = acks.begin(); ack != acks.end();) {
    const std::uint32_t id = *ack++;
    // An id twice in a row reports a duplicate (docs/wire_format.md).
    if (ack != acks.end() && *ack == id) [[unlikely]] {
      recovery_.on_duplicate_ack(id);
      ++ack;
      continue;
    }
    std::uint32_t count = 1;
    while (ack != acks.end() && *ack == id + count) {
      auto behind = ack;
      if (++behind != acks.end() && *behind == *ack) break;
      ack = behind;
      ++count;
    }
    recovery_.on_acks(id, count);
  }
}

void EstablishedConnection::process_packet(Instant now, const Arrival& arrival, const wire::Packet& packet) {
  // Acknowledgements count in every variant, in duplicates too (wire spec 5.2).
  process_acks(now, packet.acks);
  const std::uint32_t id = packet.packet_id;
  if (const auto* ack = std::get_if<wire::AckOk>(&packet.message)) {
    return process_success_ack(now, arrival, *ack);
  }
  if (const auto* error = std::get_if<wire::AckError>(&packet.message)) {
    const auto code = session_.extended() == nullptr ? std::nullopt : wire::read_control_frame(packet.trailing);
    const bool has_code = code && code->kind == wire::ControlFrame::Kind::kCloseCode;
    return end(CloseReason::kRemote, printable(error->text), Telling::kAnswer, has_code ? code->data : 0);
  }
  // What was sealed in a session that the peer has ended: its ids and its streams are not those of the present one.
  if (arrival.opened.age == InboundKeyAge::kFormer) return core_.drop(now, trace::DropReason::kClosed, arrival.bytes());
  note_ordinary(now, arrival, id);
  if (std::holds_alternative<wire::NoOp>(packet.message)) {
    if (session_.peer_tracks_noops()) {
      // An old peer may give a NoOp the id of a message that is still to come (wire spec 5.6): it is acknowledged, not
      // recorded.
      if (acks_.on_tracked_noop(id) == DuplicateCheck::kNew) keepalive_.on_authentic(now);
      acks_.queue_ack(now, id);
    } else if (acks_.on_noop(now, id) == DuplicateCheck::kNew) {
      keepalive_.on_authentic(now);
    }
    return;
  }
  if (const auto* ping = std::get_if<wire::Ping>(&packet.message)) {
    if (pong_count_ < kMaxPendingPongs) pongs_[pong_count_++] = ping->sequence;
    if (id == 0 || acks_.on_packet(now, id) == DuplicateCheck::kNew) keepalive_.on_authentic(now);
    return;
  }
  if (const auto* pong = std::get_if<wire::Pong>(&packet.message)) {
    return process_pong(now, arrival, id, *pong);
  }
  process_tracked(now, arrival, packet);
}

void EstablishedConnection::process_pong(Instant now, const Arrival& arrival, std::uint32_t id,
                                         const wire::Pong& pong) {
  const auto round_trip = keepalive_.on_pong(now, pong.sequence);
  if (id == 0 || acks_.on_packet(now, id) == DuplicateCheck::kNew) keepalive_.on_authentic(now);
  if (!round_trip) return;
  recovery_.rtt().on_ping_sample(now, *round_trip);
  recovery_.on_path_proven();
  // The second one of a pair waits behind acknowledgements on purpose.
  if (pair_ == nullptr || !pair_->is_second(pong.sequence)) {
    acks_.on_round_trip(*round_trip, recovery_.rtt().minimum());
  }
  if (pair_ != nullptr) {
    const auto spread = pair_->on_answer(pong.sequence, *round_trip);
    if (spread) acks_.on_pair(spread->bytes, spread->apart);
  }
  if (session_.on_ping_answered(arrival.opened.proves_peer)) core_.emit(PeerAuthenticated{});
  core_.emit(PingAnswered{.sequence = pong.sequence, .round_trip = *round_trip});
}

// ShortMessage, StreamFragment and Upgrade: acknowledged always, delivered once.
void EstablishedConnection::process_tracked(Instant now, const Arrival& arrival, const wire::Packet& packet) {
  const std::uint32_t id = packet.packet_id;
  if (acks_.is_duplicate(id)) {
    static_cast<void>(acks_.on_packet(now, id));
    acks_.queue_ack(now, id);
    return core_.drop(now, trace::DropReason::kDuplicate, arrival.bytes());
  }
  keepalive_.on_authentic(now);
  if (const auto* fragment = std::get_if<wire::StreamFragment>(&packet.message)) {
    const FragmentOutcome outcome = inbound_streams().on_fragment(now, *fragment, *this);
    return apply_fragment_outcome(now, outcome, id, arrival.bytes());
  }
  static_cast<void>(acks_.on_packet(now, id));
  acks_.queue_ack(now, id);
  if (const auto* message = std::get_if<wire::ShortMessage>(&packet.message)) {
    core_.counted.payload_bytes_received += message->payload.size();
    core_.emit(MessageReceived{.payload = message->payload});
  } else if (const auto* offer = std::get_if<wire::UpgradeOffer>(&packet.message)) {
    // At most one Decline an interval; Accept and Decline answer offers never made (wire spec 4.8).
    if (decline_ == nullptr) decline_ = std::make_unique<Decline>();
    if (!decline_->last || now - *decline_->last >= wire::kDeclineInterval) {
      *decline_ = {.attempt = offer->attempt, .last = now};
    }
  }
}

void EstablishedConnection::process_success_ack(Instant now, const Arrival& arrival, const wire::AckOk& ack) {
  // The handshake of the extended form has one ack, and no packet of it is under these keys.
  if (session_.extended() != nullptr) return core_.drop(now, trace::DropReason::kUndecodable, arrival.bytes());
  const AckReaction reaction = session_.on_success_ack(now, {.ack = ack,
                                                             .nonce = nonce_of(arrival.datagram),
                                                             .opened_by = arrival.opened.age,
                                                             .ordinary_packet_seen = ordinary_packet_seen_,
                                                             .ordinary_id_zero_seen = ordinary_id_zero_seen_});
  if (!reaction.repeat) keepalive_.on_authentic(now, true);
  if (reaction.ack_zero) acks_.queue_ack(now, 0);
  if (reaction.ping) ping_due_ = true;
  if (!reaction.new_session) return;
  // The peer began anew: its ids and streams restart, and our ids go on (wire spec 5.8). Its duplicate filter is as new
  // as its session, so nothing that may have reached the old one is repeated to the new one.
  session_.adopt(now, core_.context.handshake, ack, arrival.opened);
  acks_ = AckTracker(core_.context.config.acknowledgement);
  end_streams();
  core_.queue.fail_started();
  report_failures(now);
  keepalive_.restart_proof(now);
  completion_due_ = true;
  ping_due_ = true;
  ordinary_packet_seen_ = false;
  ordinary_id_zero_seen_ = false;
  newest_id_.reset();
  core_.trace(now, trace::ConnectionStateChanged{"new session at the peer", core_.remote});
}

void EstablishedConnection::settle(Instant now) {
  if (ending_ == nullptr && recovery_.collecting_acks()) apply_acknowledgements(now);
}

void EstablishedConnection::finish_input(Instant now, bool later) {
  if (!later) settle(now);
  if (ending_ != nullptr) [[unlikely]]
    return;
  acks_.on_batch_end(now);
  release_if_alive(now);
  expire_former_key(now);
  memory_released_ = false;
  if (acks_.pending() > 0) last_data_ = now;
}

void EstablishedConnection::apply_acknowledgements(Instant now) {
  GODWIT_COST_PROBE(core_.context.cost, kAcknowledge);
  const AckOutcome& outcome = recovery_.finish_acks();
  // Who acknowledges what was never sent acknowledges what has not arrived: congestion control, recovery and the
  // confirmations of messages would all rest on invention (wire spec W20). Nothing of this batch counts.
  if (outcome.misbehaving_acks > 0) [[unlikely]] {
    return end(CloseReason::kProtocolViolation, "the peer acknowledged a packet that was never sent", Telling::kClose);
  }
  for (const AckedRange& range : outcome.acked) {
    if (range.kind == PacketContent::Kind::kControl) {
      on_control_acknowledged(range);
      continue;
    }
    const SendKind kind = send_kind_of(range.kind);
    if (const auto confirmed = core_.queue.on_acknowledged(kind, range.owner, range.first_fragment, range.count)) {
      core_.emit(MessageConfirmed{*confirmed});
    }
  }
  if (acks_.by_number()) core_.counted.acks_received += outcome.acked_packets;
  if (outcome.acked_packets > 0) {
    trace_acknowledged(now, outcome);
    acks_.set_rtt(recovery_.rtt().minimum());
  }
  note_sizes(now, outcome.largest_acked_bytes, outcome, false);
  if (outcome.acked_packets > 0 || outcome.lost_packets > 0 || outcome.spurious_loss_undone) {
    CongestionEvent event = congestion_event_of(now, outcome, recovery_);
    if (ecn_ != nullptr && event.acked_bytes > 0) event.marked_packets = ecn_->take_marks();
    apply_congestion_event(now, event, outcome, false);
  }
  core_.report_writable();
}

void EstablishedConnection::on_chunk(const InboundChunk& chunk) {
  core_.counted.payload_bytes_received += chunk.bytes.size();
  core_.emit(
      StreamChunk{.stream_id = chunk.stream_id, .offset = chunk.offset, .total = chunk.total, .bytes = chunk.bytes});
}

void EstablishedConnection::on_message(InboundMessage&& message) {
  core_.counted.payload_bytes_received += message.payload.size();
  core_.emit(StreamMessage{
      .stream_id = message.stream_id, .operations = message.operations(), .payload = std::move(message.payload)});
}

void EstablishedConnection::on_metadata(std::uint32_t stream_id, ByteView metadata) {
  core_.emit(MetadataReceived{.stream_id = stream_id, .metadata = {metadata.begin(), metadata.end()}});
}

void EstablishedConnection::on_failure(const InboundFailure& failure) {
  core_.emit(StreamAborted{
      .stream_id = failure.stream_id, .received = failure.received, .total = failure.total, .code = failure.code});
}

}  // namespace godwit
