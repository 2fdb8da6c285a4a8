// The way out: control, acknowledgements, retransmissions and data into one batch of equal datagrams
// (established_connection.h).

#include <algorithm>
#include <array>
#include <utility>

#include "transport/batch_writer.h"
#include "transport/established_connection.h"
#include "transport/send_kind.h"
#include "wire/ack_frame.h"

namespace godwit {
namespace {

// Without data for so long a connection counts as idle.
constexpr Duration kIdleAfter = 1s;
// How long an acceptor whose key is used up waits for the peer to connect again.
constexpr Duration kRenewalGrace = 2s;
constexpr std::uint32_t kPingDatagram = wire::kPingSize + wire::kDatagramOverhead;
// Of a key's hard limit: more than one batch and the close packet.
constexpr std::uint64_t kReservedPackets = 2 * BatchWriter::kMaxSegments;

// When `bytes` may go that may not go now, with a next datagram of so many. A pacer that would let one of 1200 bytes go
// names no time for a larger one.
std::optional<Instant> next_release(Instant now, Pacer& pacer, std::uint64_t bytes, std::size_t datagram_bytes) {
  const auto release = pacer.next_release(now);
  if (release || datagram_bytes <= wire::kMaxDatagram) return release;
  const Duration wait = pacer.until_credit(now, bytes);
  return wait == Duration::max() ? std::nullopt : std::optional(now + std::max<Duration>(wait, 1us));
}

// Beyond what the pacer grants for batches: short messages, as far as there is credit for `bytes` at all. Else false,
// and when the item may go.
bool may_go_alone(Instant now, Pacer& pacer, const SendItem& item, std::uint64_t bytes,
                  std::optional<Instant>& paced_until) {
  // A batch that holds as much as there can ever be credit for goes first: what is next is asked for with it paid.
  const bool batch_is_full = bytes > pacer.burst() && bytes > item.datagram_bytes();
  if (item.kind == SendKind::kFragment || batch_is_full) {
    paced_until = next_release(now, pacer, bytes, item.datagram_bytes());
    return false;
  }
  const Duration wait = pacer.until_credit(now, bytes);
  if (wait == Duration::zero()) return true;
  if (wait != Duration::max()) paced_until = now + wait;
  return false;
}

trace::PacketKind control_kind(const PacketContent& content) {
  return content.fragment == 0 ? trace::PacketKind::kUpgrade : trace::PacketKind::kFlowControl;
}

trace::PacketKind packet_kind(SendKind kind) {
  return kind == SendKind::kFragment ? trace::PacketKind::kStreamFragment : trace::PacketKind::kShortMessage;
}

}  // namespace

void EstablishedConnection::record_sent(Instant now, const BatchWriter& batch, std::size_t before, std::uint32_t id,
                                        trace::PacketKind kind, bool retransmission) const {
  if (core_.context.sink == nullptr || batch.bytes() == before) [[likely]]
    return;
  core_.context.record_sent(now, core_.id,
                            {.packet_id = id,
                             .kind = kind,
                             .bytes = static_cast<std::uint32_t>(batch.bytes() - before),
                             .retransmission = retransmission});
}

std::optional<DatagramBatch> EstablishedConnection::poll_transmit(Instant now, TransmitBuffer& buffer) {
  if (key_exhausted(now)) return std::nullopt;
  session_.update_keys();
  if (auto challenge = poll_path_challenge(now, buffer)) return challenge;
  if (auto probe = poll_size_probe(now, buffer)) return probe;
  return write_batch(now, buffer);
}

std::optional<DatagramBatch> EstablishedConnection::poll_reply(Instant now, TransmitBuffer& buffer) {
  if (ending_ != nullptr || hold_ != nullptr || session_.sealer().soft_limit_reached()) return std::nullopt;
  const SendItem* const item = core_.queue.peek();
  if (item == nullptr || item->kind == SendKind::kFragment || recovery_.has_retransmission()) return std::nullopt;
  if (recovery_.bytes_in_flight() + item->datagram_bytes() > controller_->window_bytes()) return std::nullopt;
  return write_batch(now, buffer);
}

std::optional<DatagramBatch> EstablishedConnection::write_batch(Instant now, TransmitBuffer& buffer) {
  GODWIT_COST_PROBE(core_.context.cost, kBookkeeping);
  BatchWriter batch(buffer.space(), session_.sealer(), size_packets(), buffer.job());
  const bool was_idle = !recovery_.outstanding();
  if (recovery_.number_to_leave_out()) leave_number_out();
  const std::uint64_t first_number = acks_.by_number() ? session_.next_number() : 0;
  write_control(now, batch);
  write_flow_frames(now, batch);
  if (hold_ == nullptr) [[likely]] {
    write_retransmissions(now, batch);
    write_data(now, batch);
  }
  write_acks(now, batch);
  GODWIT_COST_PROBE(core_.context.cost, kSeal);
  batch.seal();
  GODWIT_COST_PROBE(core_.context.cost, kBookkeeping);
  if (batch.empty()) {
    release_memory_if_idle(now);
    return std::nullopt;
  }
  memory_released_ = false;
  core_.counted.packets_sent += batch.count();
  core_.counted.bytes_sent += batch.bytes();
  ++core_.counted.batches_sent;
  acks_.on_sent(batch.bytes() + batch.count() * kIpAndUdpBytes);
  // Acknowledgements and pings are not paced (RFC 9002 7.7): charged for, those of a fast download would use up all the
  // credit of the few messages that go the other way.
  pacer_.on_sent(now, batch.tracked_bytes());
  if (batch.tracked_bytes() > 0) {
    last_data_ = now;
    seek_larger_datagrams();
    const std::string_view before = controller_state();
    if (was_idle) controller_->on_idle_restart(now);
    controller_->on_packet_sent({.now = now,
                                 .bytes = batch.tracked_bytes(),
                                 .packets = batch.tracked_packets(),
                                 .bytes_in_flight = recovery_.bytes_in_flight()});
    trace_controller(now, before);
  }
  return DatagramBatch{.local = {},
                       .remote = core_.remote,
                       .bytes = buffer.commit(batch.bytes()),
                       .segment_size = batch.segment_size(),
                       .ecn = mark_batch(batch, first_number)};
}

// The limits of a key (decisions 3). The soft one ends the start of new streams; an acceptor, which cannot connect,
// closes with a reason once its streams have ended and nothing has moved for a while: an application that has finished
// its streams may be about to say so, and its peer about to connect again. Before the hard one enough packets are kept
// back to close.
bool EstablishedConnection::key_exhausted(Instant now) {
  const PacketSealer& sealer = session_.sealer();
  if (!sealer.soft_limit_reached()) [[likely]]
    return false;
  if (!session_.key_is_aging()) {
    // A later key takes its place before it is used up, if the peer follows.
    session_.update_keys();
    if (session_.sealer().packets_sealed() + kReservedPackets < core_.context.config.hard_packet_limit) return false;
    end(CloseReason::kKeyExhausted, "the peer does not follow to a new key", Telling::kClose);
    return true;
  }
  if (!std::exchange(key_aging_told_, true)) core_.emit(KeyAging{sealer.packets_sealed()});
  const bool drained = core_.queue.open_streams() == 0 && core_.queue.open_messages() == 0 &&
                       (streams_ == nullptr || streams_->open_streams() == 0) && now - last_data_ >= kRenewalGrace;
  const bool nearly_used_up = sealer.packets_sealed() + kReservedPackets >= core_.context.config.hard_packet_limit;
  if (!nearly_used_up && (session_.initiator() || !drained)) return false;
  end(CloseReason::kKeyExhausted, "the key has protected its share of packets: connect again", Telling::kClose);
  return true;
}

// Expanded keys, rings and lists come back with the next packet; an idle connection does without them.
void EstablishedConnection::release_memory_if_idle(Instant now) {
  if (memory_released_ || now - last_data_ < kIdleAfter || recovery_.outstanding()) return;
  memory_released_ = true;
  acks_.trim();
  recovery_.trim();
  session_.release_key_schedule();
}

// Towards a peer that acknowledges NoOps everything untracked shares id 0, so that nothing is acknowledged back for
// ever (W13).
std::uint32_t EstablishedConnection::untracked_id() {
  return session_.peer_tracks_noops() ? wire::kHandshakePacketId : recovery_.next_packet_id();
}

std::uint64_t EstablishedConnection::write_ping(Instant now, BatchWriter& batch) {
  std::array<std::uint8_t, wire::kMaxDatagram> scratch;
  const wire::Ping ping{keepalive_.begin_ping(now)};
  const std::uint32_t id = untracked_id();
  const std::size_t size = wire::encode(scratch, id, {}, ping);
  const std::size_t before = batch.bytes();
  batch.append(ByteView(scratch).first(size));
  record_sent(now, batch, before, id, trace::PacketKind::kPing);
  return ping.sequence;
}

void EstablishedConnection::write_control(Instant now, BatchWriter& batch) {
  std::array<std::uint8_t, wire::kMaxDatagram> scratch;
  while (!handshake_tail_.empty() && batch.append_sealed(handshake_tail_.front())) {
    core_.context.record_handshake_sent(now, core_.id, core_.remote, handshake_tail_.front());
    handshake_tail_.erase(handshake_tail_.begin());
    if (handshake_tail_.empty()) handshake_tail_ = {};  // with its memory
  }
  if (completion_due_) {
    const std::size_t size = session_.write_completion_ack(scratch);
    if (size == 0 || batch.append_sealed(ByteView(scratch).first(size))) {
      completion_due_ = false;
      if (size > 0) {
        core_.context.record_handshake_sent(now, core_.id, core_.remote, ByteView(scratch).first(size));
      }
    }
  }
  while (pong_count_ > 0 && batch.fits(wire::kPingSize + wire::kDatagramOverhead)) {
    const wire::Pong pong{pongs_[--pong_count_]};
    const std::uint32_t id = untracked_id();
    const std::size_t size = wire::encode(scratch, id, {}, pong);
    const std::size_t before = batch.bytes();
    batch.append(ByteView(scratch).first(size));
    record_sent(now, batch, before, id, trace::PacketKind::kPong);
  }
  if (pair_ != nullptr && pair_->second_due(now) && batch.fits(kPingDatagram)) {
    pair_->end(write_ping(now, batch), kPingDatagram + kIpAndUdpBytes);
  }
  write_path_responses(now, batch);
  write_size_answers(now, batch);
  // Measures the path that acknowledgements take, while many of them do.
  const bool measures = acks_.probe_due(now);
  if ((ping_due_ || measures) && batch.fits(kPingDatagram)) {
    ping_due_ = false;
    acks_.on_probe_sent(now);
    const std::uint64_t sequence = write_ping(now, batch);
    if (measures && acks_.begin_pair(now)) {
      // Few connections ever have one: an idle connection stays small.
      if (pair_ == nullptr) pair_ = std::make_unique<PingPair>();
      pair_->begin(now, sequence);
    }
  }
  if (decline_ != nullptr && decline_->attempt && recovery_.may_send_new()) {
    const wire::UpgradeDecline decline{.attempt = *decline_->attempt, .reason = wire::kDeclineDisabled};
    const std::size_t size = wire::encoded_size(decline) + wire::kDatagramOverhead;
    if (batch.fits(size)) {
      const std::uint32_t id = recovery_.next_packet_id();
      begin_packet(batch);
      static_cast<void>(wire::encode(scratch, id, {}, decline));
      const std::size_t before = batch.bytes();
      batch.append(ByteView(scratch).first(size - wire::kDatagramOverhead));
      record_sent(now, batch, before, id, trace::PacketKind::kUpgrade);
      batch.count_tracked(size);
      recovery_.on_sent(now, id, {.kind = PacketContent::Kind::kControl, .owner = decline.attempt, .fragment = 0},
                        static_cast<std::uint32_t>(size));
      decline_->attempt.reset();
    }
  }
}

// A NoOp carries what is due; in a batch of data it is the shorter last segment (decisions 4).
void EstablishedConnection::write_acks(Instant now, BatchWriter& batch) {
  if (acks_.by_number()) return write_ack_frame(now, batch);
  std::array<std::uint32_t, wire::kMaxAcksPerNoOp> acks;
  std::array<std::uint8_t, wire::kMaxPlaintext> plaintext;
  while (acks_.due(now)) {
    constexpr std::size_t kSmallest = wire::kSmallestDatagram + wire::kAckSize;
    const std::size_t room = batch.room();
    if (room < kSmallest) return;
    const std::size_t most =
        std::min({(room - wire::kSmallestDatagram) / wire::kAckSize, acks.size(), acks_.acks_per_packet()});
    // Behind a ping, whose size the batch has, there is room for a few only: all go together in the next batch.
    const bool control_only = !batch.empty() && batch.tracked_bytes() == 0;
    if (control_only && most < std::min(acks_.pending(), acks_.acks_per_packet())) return;
    GODWIT_COST_PROBE(core_.context.cost, kAcknowledge);
    const std::size_t count = acks_.take(now, std::span(acks).first(most), true);
    if (count == 0) return;
    const std::uint32_t id = untracked_id();
    const std::size_t size = wire::encode(plaintext, id, wire::Acks(acks).first(count), wire::NoOp{});
    append_acks(now, batch, ByteView(plaintext).first(size), id);
  }
}

void EstablishedConnection::append_acks(Instant now, BatchWriter& batch, ByteView plaintext, std::uint32_t id) {
  const std::size_t before = batch.bytes();
  batch.append(plaintext);
  GODWIT_COST_PROBE(core_.context.cost, kBookkeeping);
  ++core_.counted.ack_packets_sent;
  if (pair_ != nullptr) {
    pair_->on_acknowledgements(static_cast<std::uint32_t>(plaintext.size() + wire::kDatagramOverhead + kIpAndUdpBytes));
  }
  record_sent(now, batch, before, id, trace::PacketKind::kNoOp);
}

void EstablishedConnection::write_retransmissions(Instant now, BatchWriter& batch) {
  while (const auto lost = recovery_.poll_retransmit()) {
    const bool control = lost->content.kind == PacketContent::Kind::kControl;
    std::array<std::uint8_t, 64> message;
    std::size_t message_size = 0;
    std::optional<SendItem> item;
    if (control) {
      message_size = encode_control_again(*lost, message);
    } else {
      item = core_.queue.content(send_kind_of(lost->content.kind), lost->content.owner, lost->content.fragment,
                                 lost->content.count);
    }
    if (control ? message_size == 0 : !item) {
      recovery_.discard(lost->id);
      report_failures(now);
      continue;
    }
    const std::size_t size = control ? message_size + wire::kDatagramOverhead : item->datagram_bytes();
    if (!batch.fits(size)) return;
    if (!lost->is_probe) {
      if (recovery_.bytes_in_flight() + size > controller_->window_bytes()) return;
      if (pacer_.budget(now) < batch.tracked_bytes() + size) {
        paced_until_ = next_release(now, pacer_, batch.tracked_bytes() + size, size);
        if (!paced_until_ || *paced_until_ > now) return;
      }
    }
    const std::size_t before = batch.bytes();
    begin_packet(batch);
    if (control) {
      batch.append(ByteView(message).first(message_size));
      batch.count_tracked(size);
    } else if (!write_item(now, batch, *item, lost->id)) {
      return;
    } else if (item->count < lost->content.count) {
      // Packets have become smaller since: the other fragments go in packets of their own.
      recovery_.shorten(lost->id, item->count);
      core_.queue.send_again(item->owner, item->fragment + item->count,
                             static_cast<std::uint8_t>(lost->content.count - item->count));
    }
    recovery_.on_retransmitted(now, lost->id, static_cast<std::uint32_t>(size));
    record_sent(now, batch, before, lost->id, control ? control_kind(lost->content) : packet_kind(item->kind), true);
  }
}

// The hot path: next fragment, header, ring. The cipher's one pass over the application's bytes follows for all at
// once.
void EstablishedConnection::write_data(Instant now, BatchWriter& batch) {
  const std::uint64_t in_flight = recovery_.bytes_in_flight();
  const std::uint64_t window = controller_->window_bytes();
  std::uint64_t allowance = window > in_flight ? window - in_flight : 0;
  // What the pacer grants comes as whole batches, but a short message does not wait for one.
  std::uint64_t paced = pacer_.budget(now);
  if (paced != Pacer::kUnlimited) paced -= std::min<std::uint64_t>(paced, batch.tracked_bytes());
  std::uint32_t room = recovery_.new_packet_room();
  while (true) {
    GODWIT_COST_PROBE(core_.context.cost, kEncode);
    const SendItem* item = core_.queue.peek();
    if (item == nullptr) {
      if (allowance > 0 && paced > 0 && room > 0) recovery_.on_application_limited();
      break;
    }
    std::size_t size = item->datagram_bytes();
    if (size > allowance) break;
    if (size > paced && !may_go_alone(now, pacer_, *item, batch.tracked_bytes() + size, paced_until_)) break;
    if (room == 0 || !batch.fits(size)) break;
    if (item->kind != SendKind::kFragment && session_.has(wire::capability::kCoalescing)) {
      const std::uint64_t most = std::min(allowance, std::max<std::uint64_t>(paced, size));
      const std::size_t written = write_messages(now, batch, most, room);
      if (written == 0) break;
      allowance -= std::min<std::uint64_t>(allowance, written);
      if (paced != Pacer::kUnlimited) paced -= std::min<std::uint64_t>(paced, written);
      continue;
    }
    const std::uint64_t credit = std::min(allowance, std::max<std::uint64_t>(paced, size));
    if (const std::uint32_t packets = write_run(now, batch, *item, std::min<std::uint64_t>(credit / size, room))) {
      const std::uint64_t written = std::uint64_t{packets} * size;
      allowance -= std::min(allowance, written);
      if (paced != Pacer::kUnlimited) paced -= std::min(paced, written);
      room -= packets;
      continue;
    }
    const SendItem picked = *item;
    const std::uint32_t id = recovery_.next_packet_id();
    const std::size_t before = batch.bytes();
    begin_packet(batch);
    if (!write_item(now, batch, picked, id)) break;
    size = batch.bytes() - before;
    core_.queue.take(id);
    recovery_.on_sent(now, id,
                      {.kind = content_kind_of(picked.kind),
                       .owner = picked.owner,
                       .fragment = picked.fragment,
                       .count = picked.count},
                      static_cast<std::uint32_t>(size));
    if (!picked.again) [[likely]]
      core_.counted.payload_bytes_sent += picked.payload.size();
    record_sent(now, batch, before, id, packet_kind(picked.kind), picked.again);
    allowance -= std::min<std::uint64_t>(allowance, size);
    if (paced != Pacer::kUnlimited) paced -= std::min<std::uint64_t>(paced, size);
    --room;
  }
  report_failures(now);
}

// Short messages that wait together share a datagram of at most `most` bytes, each as a frame under an id of its own
// (docs/extended_sessions.md, section 5). One that waits alone goes alone, at once. Returns the datagram's bytes.
std::size_t EstablishedConnection::write_messages(Instant now, BatchWriter& batch, std::uint64_t most,
                                                  std::uint32_t& room) {
  std::array<std::uint8_t, wire::kMaxLargePlaintext> plaintext;
  const std::size_t limit =
      static_cast<std::size_t>(std::min<std::uint64_t>(batch.room(), most)) - wire::kDatagramOverhead;
  std::size_t used = 0;
  std::uint32_t messages = 0;
  std::uint32_t first_id = 0;  // by which a trace names the datagram
  // Acknowledgements of packet numbers are a frame of their own, before the messages.
  if (acks_.by_number() && batch.empty() && acks_.pending() > 0) {
    const SendItem* first = core_.queue.peek();
    const std::size_t frame = next_ack_frame_size();
    const bool fits = first != nullptr && frame + wire::kShortMessageOverhead + first->payload.size() <= limit;
    if (fits) used = take_ack_frame(now, plaintext);
  }
  while (room > 0) {
    const SendItem* item = core_.queue.peek();
    if (item == nullptr || item->kind == SendKind::kFragment) break;
    const std::size_t size = wire::kShortMessageOverhead + item->payload.size();
    if (used + size > limit) break;
    const SendItem picked = *item;
    const std::uint32_t id = recovery_.next_packet_id();
    if (messages == 0) {
      first_id = id;
      begin_packet(batch);
    }
    // Acknowledgements ride on the first frame of a batch, as on a message that travels alone.
    std::array<std::uint32_t, 64> acks;
    std::size_t count = 0;
    if (batch.empty() && used == 0 && acks_.pending() > 0 && !acks_.by_number()) {
      const std::size_t free = std::min({acks_.pending(), acks.size(), (limit - size) / wire::kAckSize});
      count = acks_.take(now, std::span(acks).first(free), false);
    }
    const MutableBytes frame = MutableBytes(plaintext).subspan(used);
    const std::size_t head =
        wire::encode_short_message_head(frame, id, wire::Acks(acks).first(count), picked.payload.size());
    std::ranges::copy(picked.payload, frame.subspan(head).begin());
    core_.queue.take(id);
    // The envelope counts for the first of them.
    const std::size_t bytes = head + picked.payload.size() + (messages == 0 ? wire::kDatagramOverhead : 0);
    recovery_.on_sent(now, id,
                      {.kind = content_kind_of(picked.kind), .owner = picked.owner, .fragment = picked.fragment},
                      static_cast<std::uint32_t>(bytes));
    core_.counted.payload_bytes_sent += picked.payload.size();
    used += head + picked.payload.size();
    ++messages;
    --room;
  }
  if (messages == 0) return 0;
  const std::size_t before = batch.bytes();
  batch.append(ByteView(plaintext).first(used));
  batch.count_tracked(batch.bytes() - before);
  record_sent(now, batch, before, first_id, trace::PacketKind::kShortMessage);
  return batch.bytes() - before;
}

// Encodes one item under `id`; the batch seals it. False when the key is used up.
bool EstablishedConnection::write_item(Instant now, BatchWriter& batch, const SendItem& item, std::uint32_t id) {
  std::array<std::uint8_t, wire::kMaxPlaintext> head;
  std::size_t head_size = 0;
  std::size_t tail_size = 0;
  std::array<std::uint8_t, wire::kMaxReceivedMetadata + 16> tail;
  const std::size_t before = batch.bytes();
  const BatchWriter::Body lifetime =
      payload_stays(item, batch) ? BatchWriter::Body::kStays : BatchWriter::Body::kCopied;
  if (item.kind == SendKind::kFragment) [[likely]] {
    const auto metadata = item.metadata();
    if (!metadata) [[likely]] {
      item.stream->header().write(head.data(), id, item.fragment, item.payload.size());
      head_size = wire::kFragmentHeader;
      batch.append(ByteView(head).first(head_size), item.payload, wire::kFragmentTail, lifetime);
    } else {
      const wire::StreamFragment fragment{.stream_id = item.stream->id(),
                                          .total_length = item.stream->total(),
                                          .number = item.fragment,
                                          .payload = item.payload,
                                          .metadata = metadata};
      head_size = wire::encode_fragment_head(head, id, {}, fragment);
      tail_size = wire::encode_fragment_tail(tail, fragment);
      batch.append(ByteView(head).first(head_size), item.payload, ByteView(tail).first(tail_size), lifetime);
    }
  } else {
    // Acknowledgements ride on the first short message of a batch, where they make no later one end it.
    std::array<std::uint32_t, 64> acks;
    std::size_t count = 0;
    if (batch.empty() && acks_.pending() > 0 && !acks_.by_number()) {
      const std::size_t used = wire::kShortMessageOverhead + item.payload.size();
      const std::size_t free = wire::kMaxPlaintext - std::min(wire::kMaxPlaintext, used);
      const std::size_t most = std::min({acks_.pending(), acks.size(), free / wire::kAckSize});
      count = acks_.take(now, std::span(acks).first(most), false);
    }
    head_size = wire::encode_short_message_head(head, id, wire::Acks(acks).first(count), item.payload.size());
    batch.append(ByteView(head).first(head_size), item.payload, {}, lifetime);
  }
  GODWIT_COST_PROBE(core_.context.cost, kBookkeeping);
  batch.count_tracked(batch.bytes() - before);
  return batch.bytes() > before;
}

}  // namespace godwit
