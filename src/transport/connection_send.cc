// The way out: control, receipts, retransmissions and data into one run of equal datagrams (connection.h).

#include <algorithm>
#include <array>
#include <utility>

#include "transport/connection.h"
#include "transport/run_writer.h"
#include "transport/send_kind.h"

namespace godwit {
namespace {

// Without data for so long a connection counts as idle.
constexpr Duration kRestAfter = 1s;
// How long an acceptor whose key is used up waits for the peer to dial anew.
constexpr Duration kRenewalGrace = 2s;
constexpr std::uint32_t kPingDatagram = wire::kPingSize + wire::kDatagramOverhead;
constexpr std::uint32_t kIpAndUdpBytes = 28;
// Of a key's hard limit: more than one run and the farewell.
constexpr std::uint64_t kReservedPackets = 2 * RunWriter::kMaxSegments;

// Beyond what the pacer grants for runs: short messages, as far as there is credit for `bytes` at all. Else false, and
// when the item may go.
bool may_go_alone(Instant now, Pacer& pacer, const SendItem& item, std::uint64_t bytes,
                  std::optional<Instant>& paced_until) {
  // A run that holds as much as there can ever be credit for goes first: what is next is asked for with it paid.
  const bool run_is_full = bytes > pacer.burst() && bytes > item.datagram_bytes();
  if (item.kind == SendKind::kFragment || run_is_full) {
    paced_until = pacer.next_release(now);
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

void Connection::record_sent(Instant now, const RunWriter& run, std::size_t before, std::uint32_t id,
                             trace::PacketKind kind, bool retransmission) const {
  if (context_.sink == nullptr || run.bytes() == before) [[likely]]
    return;
  context_.record_sent(now, id_,
                       {.packet_id = id,
                        .kind = kind,
                        .bytes = static_cast<std::uint32_t>(run.bytes() - before),
                        .retransmission = retransmission});
}

std::optional<DatagramRun> Connection::poll_transmit(Instant now, TransmitBuffer& buffer) {
  if (Established* session = established(); session != nullptr && !key_exhausted(now, *session)) {
    session->session.update_keys();
    if (auto challenge = poll_path_challenge(now, *session, buffer)) return challenge;
    return transmit_established(now, *session, buffer);
  }
  const MutableBytes space = buffer.space();
  if (space.size() < wire::kMaxDatagram) return std::nullopt;
  std::size_t size = 0;
  if (Handshake* handshake = shaking_hands()) {
    size = handshake->poll_transmit(now, space.first(wire::kMaxDatagram));
    if (size > 0) context_.record_handshake_sent(now, id_, space.first(size));
  } else if (Closed* ended = closed(); ended != nullptr && !std::exchange(ended->told, true)) {
    size = ended->farewell.size();
    std::copy(ended->farewell.begin(), ended->farewell.end(), space.begin());
    context_.record_close_sent(now, id_, size);
  }
  if (size == 0) return std::nullopt;
  ++counted_.packets_sent;
  counted_.bytes_sent += size;
  return DatagramRun{.local = {}, .remote = remote_, .bytes = buffer.commit(size), .segment_size = size};
}

std::optional<DatagramRun> Connection::transmit_established(Instant now, Established& session, TransmitBuffer& buffer) {
  GODWIT_MARK(context_.cost, kBookkeeping);
  RunWriter run(buffer.space(), session.session.sealer());
  const bool was_idle = !session.recovery.outstanding();
  write_control(now, session, run);
  write_flow_frames(now, session, run);
  if (session.hold == nullptr) [[likely]] {
    write_retransmissions(now, session, run);
    write_data(now, session, run);
  }
  write_receipts(now, session, run);
  GODWIT_MARK(context_.cost, kSeal);
  run.seal();
  GODWIT_MARK(context_.cost, kBookkeeping);
  if (run.empty()) {
    rest_if_idle(now, session);
    return std::nullopt;
  }
  session.resting = false;
  counted_.packets_sent += run.count();
  counted_.bytes_sent += run.bytes();
  ++counted_.runs_sent;
  session.acks.on_sent(run.bytes() + run.count() * kIpAndUdpBytes);
  // Receipts and pings are not paced (RFC 9002 7.7): charged for, those of a fast download would use up all the credit
  // of the few messages that go the other way.
  session.pacer.on_sent(now, run.tracked_bytes());
  if (run.tracked_bytes() > 0) {
    session.last_data = now;
    const std::string_view before = controller_state(session);
    if (was_idle) session.controller->on_idle_restart(now);
    session.controller->on_packet_sent({.now = now,
                                        .bytes = run.tracked_bytes(),
                                        .packets = run.tracked_packets(),
                                        .bytes_in_flight = session.recovery.bytes_in_flight()});
    trace_controller(now, session, before);
  }
  return DatagramRun{
      .local = {}, .remote = remote_, .bytes = buffer.commit(run.bytes()), .segment_size = run.segment_size()};
}

// The limits of a key (decisions 3). The soft one ends the start of new streams; an acceptor, which cannot dial, closes
// with a reason once its streams have ended and nothing has moved for a while: an application that has finished its
// streams may be about to say so, and its peer about to dial. Before the hard one enough packets are kept back to
// close.
bool Connection::key_exhausted(Instant now, Established& session) {
  const PacketSealer& sealer = session.session.sealer();
  if (!sealer.soft_limit_reached()) [[likely]]
    return false;
  if (!session.session.key_is_aging()) {
    // A later key takes its place before it is used up, if the peer follows.
    session.session.update_keys();
    if (session.session.sealer().packets_sealed() + kReservedPackets < context_.config.hard_packet_limit) return false;
    end(now, CloseReason::kKeyExhausted, "the peer does not follow to a new key", Telling::kClose);
    return true;
  }
  if (!std::exchange(session.key_aging_told, true)) emit(KeyAging{sealer.packets_sealed()});
  const bool drained = queue_.open_streams() == 0 && queue_.open_messages() == 0 &&
                       (session.streams == nullptr || session.streams->open_streams() == 0) &&
                       now - session.last_data >= kRenewalGrace;
  const bool nearly_used_up = sealer.packets_sealed() + kReservedPackets >= context_.config.hard_packet_limit;
  if (!nearly_used_up && (session.session.initiator() || !drained)) return false;
  end(now, CloseReason::kKeyExhausted, "the key has protected its share of packets: dial again", Telling::kClose);
  return true;
}

// Expanded keys, rings and lists come back with the next packet; an idle connection does without them.
void Connection::rest_if_idle(Instant now, Established& session) {
  if (session.resting || now - session.last_data < kRestAfter || session.recovery.outstanding()) return;
  session.resting = true;
  session.acks.trim();
  session.recovery.trim();
  session.session.rest();
}

bool Connection::has_data(Established& session) const {
  return session.hold == nullptr && (!queue_.idle() || session.recovery.has_retransmission());
}

// Towards a peer that receipts NoOps everything untracked shares id 0, so that nothing is receipted back for ever
// (W13).
std::uint32_t Connection::untracked_id(Established& session) const {
  return session.session.peer_tracks_noops() ? wire::kHandshakePacketId : session.recovery.next_packet_id();
}

std::uint64_t Connection::write_ping(Instant now, Established& session, RunWriter& run) {
  std::array<std::uint8_t, wire::kMaxDatagram> scratch;
  const wire::Ping ping{session.keepalive.begin_ping(now)};
  const std::uint32_t id = untracked_id(session);
  const std::size_t size = wire::encode(scratch, id, {}, ping);
  const std::size_t before = run.bytes();
  run.append(ByteView(scratch).first(size));
  record_sent(now, run, before, id, trace::PacketKind::kPing);
  return ping.sequence;
}

void Connection::write_control(Instant now, Established& session, RunWriter& run) {
  std::array<std::uint8_t, wire::kMaxDatagram> scratch;
  while (!session.handshake_tail.empty() && run.append_sealed(session.handshake_tail.front())) {
    context_.record_handshake_sent(now, id_, session.handshake_tail.front());
    session.handshake_tail.erase(session.handshake_tail.begin());
  }
  if (session.completion_due) {
    const std::size_t size = session.session.write_completion_ack(scratch);
    if (size == 0 || run.append_sealed(ByteView(scratch).first(size))) {
      session.completion_due = false;
      if (size > 0) context_.record_handshake_sent(now, id_, ByteView(scratch).first(size));
    }
  }
  while (session.pong_count > 0 && run.fits(wire::kPingSize + wire::kDatagramOverhead)) {
    const wire::Pong pong{session.pongs[--session.pong_count]};
    const std::uint32_t id = untracked_id(session);
    const std::size_t size = wire::encode(scratch, id, {}, pong);
    const std::size_t before = run.bytes();
    run.append(ByteView(scratch).first(size));
    record_sent(now, run, before, id, trace::PacketKind::kPong);
  }
  if (session.pair != nullptr && session.pair->second_due(now) && run.fits(kPingDatagram)) {
    session.pair->end(write_ping(now, session, run), kPingDatagram + kIpAndUdpBytes);
  }
  write_path_responses(now, session, run);
  // Measures the path that acknowledgements take, while many of them do.
  const bool measures = session.acks.probe_due(now);
  if ((session.ping_due || measures) && run.fits(kPingDatagram)) {
    session.ping_due = false;
    session.acks.on_probe_sent(now);
    const std::uint64_t sequence = write_ping(now, session, run);
    if (measures && session.acks.begin_pair(now)) {
      // Few connections ever have one: an idle connection stays small.
      if (session.pair == nullptr) session.pair = std::make_unique<PingPair>();
      session.pair->begin(now, sequence);
    }
  }
  if (session.decline && session.recovery.may_send_new()) {
    const wire::UpgradeDecline decline{.attempt = *session.decline, .reason = wire::kDeclineDisabled};
    const std::size_t size = wire::encoded_size(decline) + wire::kDatagramOverhead;
    if (run.fits(size)) {
      const std::uint32_t id = session.recovery.next_packet_id();
      static_cast<void>(wire::encode(scratch, id, {}, decline));
      const std::size_t before = run.bytes();
      run.append(ByteView(scratch).first(size - wire::kDatagramOverhead));
      record_sent(now, run, before, id, trace::PacketKind::kUpgrade);
      run.count_tracked(size);
      session.recovery.on_sent(now, id,
                               {.kind = PacketContent::Kind::kControl, .owner = decline.attempt, .fragment = 0},
                               static_cast<std::uint32_t>(size));
      session.decline.reset();
    }
  }
}

// A NoOp carries what is due; in a run of data it is the shorter last segment (decisions 4).
void Connection::write_receipts(Instant now, Established& session, RunWriter& run) {
  std::array<std::uint32_t, wire::kMaxReceiptsPerNoOp> receipts;
  std::array<std::uint8_t, wire::kMaxPlaintext> plaintext;
  while (session.acks.due(now)) {
    constexpr std::size_t kSmallest = wire::kSmallestDatagram + wire::kReceiptSize;
    const std::size_t room = run.room();
    if (room < kSmallest) return;
    const std::size_t most = std::min(
        {(room - wire::kSmallestDatagram) / wire::kReceiptSize, receipts.size(), session.acks.receipts_per_packet()});
    // Behind a ping, whose size the run has, there is room for a few only: all go together in the next run.
    const bool control_only = !run.empty() && run.tracked_bytes() == 0;
    if (control_only && most < std::min(session.acks.pending(), session.acks.receipts_per_packet())) return;
    GODWIT_MARK(context_.cost, kAcknowledge);
    const std::size_t count = session.acks.take(now, std::span(receipts).first(most), true);
    if (count == 0) return;
    const std::uint32_t id = untracked_id(session);
    const std::size_t size = wire::encode(plaintext, id, wire::Receipts(receipts).first(count), wire::NoOp{});
    const std::size_t before = run.bytes();
    run.append(ByteView(plaintext).first(size));
    GODWIT_MARK(context_.cost, kBookkeeping);
    ++counted_.receipt_packets_sent;
    if (session.pair != nullptr) {
      session.pair->on_acknowledgements(static_cast<std::uint32_t>(size + wire::kDatagramOverhead + kIpAndUdpBytes));
    }
    record_sent(now, run, before, id, trace::PacketKind::kNoOp);
  }
}

void Connection::write_retransmissions(Instant now, Established& session, RunWriter& run) {
  while (const auto lost = session.recovery.poll_retransmit()) {
    const bool control = lost->content.kind == PacketContent::Kind::kControl;
    std::array<std::uint8_t, 64> message;
    std::size_t message_size = 0;
    std::optional<SendItem> item;
    if (control) {
      message_size = encode_control_again(session, *lost, message);
    } else {
      item = queue_.content(send_kind_of(lost->content.kind), lost->content.owner, lost->content.fragment);
    }
    if (control ? message_size == 0 : !item) {
      session.recovery.discard(lost->id);
      report_failures(now);
      continue;
    }
    const std::size_t size = control ? message_size + wire::kDatagramOverhead : item->datagram_bytes();
    if (!run.fits(size)) return;
    if (!lost->is_probe) {
      if (session.recovery.bytes_in_flight() + size > session.controller->window_bytes()) return;
      if (session.pacer.budget(now) < run.tracked_bytes() + size) {
        session.paced_until = session.pacer.next_release(now);
        if (!session.paced_until || *session.paced_until > now) return;
      }
    }
    const std::size_t before = run.bytes();
    if (control) {
      run.append(ByteView(message).first(message_size));
      run.count_tracked(size);
    } else if (!write_item(now, session, run, *item, lost->id)) {
      return;
    }
    session.recovery.on_retransmitted(now, lost->id, static_cast<std::uint32_t>(size));
    record_sent(now, run, before, lost->id, control ? control_kind(lost->content) : packet_kind(item->kind), true);
  }
}

// The hot path: next fragment, header, ring. The cipher's one pass over the application's bytes follows for all at
// once.
void Connection::write_data(Instant now, Established& session, RunWriter& run) {
  const std::uint64_t in_flight = session.recovery.bytes_in_flight();
  const std::uint64_t window = session.controller->window_bytes();
  std::uint64_t allowance = window > in_flight ? window - in_flight : 0;
  // What the pacer grants comes as whole runs, but a short message does not wait for one.
  std::uint64_t paced = session.pacer.budget(now);
  if (paced != Pacer::kUnlimited) paced -= std::min<std::uint64_t>(paced, run.tracked_bytes());
  std::uint32_t room = session.recovery.new_packet_room();
  while (true) {
    GODWIT_MARK(context_.cost, kEncode);
    const SendItem* item = queue_.peek();
    if (item == nullptr) {
      if (allowance > 0 && paced > 0 && room > 0) session.recovery.on_application_limited();
      break;
    }
    std::size_t size = item->datagram_bytes();
    if (size > allowance) break;
    if (size > paced && !may_go_alone(now, session.pacer, *item, run.tracked_bytes() + size, session.paced_until))
      break;
    if (room == 0 || !run.fits(size)) break;
    if (item->kind != SendKind::kFragment && session.session.has(wire::capability::kCoalescing)) {
      const std::uint64_t most = std::min(allowance, std::max<std::uint64_t>(paced, size));
      const std::size_t written = write_messages(now, session, run, most, room);
      if (written == 0) break;
      allowance -= std::min<std::uint64_t>(allowance, written);
      if (paced != Pacer::kUnlimited) paced -= std::min<std::uint64_t>(paced, written);
      continue;
    }
    const SendItem picked = *item;
    const std::uint32_t id = session.recovery.next_packet_id();
    const std::size_t before = run.bytes();
    if (!write_item(now, session, run, picked, id)) break;
    size = run.bytes() - before;
    queue_.take(id);
    session.recovery.on_sent(now, id,
                             {.kind = content_kind_of(picked.kind), .owner = picked.owner, .fragment = picked.fragment},
                             static_cast<std::uint32_t>(size));
    counted_.payload_bytes_sent += picked.payload.size();
    record_sent(now, run, before, id, packet_kind(picked.kind));
    allowance -= std::min<std::uint64_t>(allowance, size);
    if (paced != Pacer::kUnlimited) paced -= std::min<std::uint64_t>(paced, size);
    --room;
  }
  report_failures(now);
}

// Short messages that wait together share a datagram of at most `most` bytes, each as a frame under an id of its own
// (docs/extended_sessions.md, section 5). One that waits alone goes alone, at once. Returns the datagram's bytes.
std::size_t Connection::write_messages(Instant now, Established& session, RunWriter& run, std::uint64_t most,
                                       std::uint32_t& room) {
  std::array<std::uint8_t, wire::kMaxPlaintext> plaintext;
  const std::size_t limit =
      static_cast<std::size_t>(std::min<std::uint64_t>(run.room(), most)) - wire::kDatagramOverhead;
  std::size_t used = 0;
  std::uint32_t first_id = 0;  // by which a trace names the datagram
  while (room > 0) {
    const SendItem* item = queue_.peek();
    if (item == nullptr || item->kind == SendKind::kFragment) break;
    const std::size_t size = wire::kShortMessageOverhead + item->payload.size();
    if (used + size > limit) break;
    const SendItem picked = *item;
    const std::uint32_t id = session.recovery.next_packet_id();
    if (used == 0) first_id = id;
    // Receipts ride on the first frame of a run, as on a message that travels alone.
    std::array<std::uint32_t, 64> receipts;
    std::size_t count = 0;
    if (run.empty() && used == 0 && session.acks.pending() > 0) {
      const std::size_t free = std::min({session.acks.pending(), receipts.size(), (limit - size) / wire::kReceiptSize});
      count = session.acks.take(now, std::span(receipts).first(free), false);
    }
    const MutableBytes frame = MutableBytes(plaintext).subspan(used);
    const std::size_t head =
        wire::encode_short_message_head(frame, id, wire::Receipts(receipts).first(count), picked.payload.size());
    std::ranges::copy(picked.payload, frame.subspan(head).begin());
    queue_.take(id);
    // The envelope counts for the first of them.
    const std::size_t bytes = head + picked.payload.size() + (used == 0 ? wire::kDatagramOverhead : 0);
    session.recovery.on_sent(now, id,
                             {.kind = content_kind_of(picked.kind), .owner = picked.owner, .fragment = picked.fragment},
                             static_cast<std::uint32_t>(bytes));
    counted_.payload_bytes_sent += picked.payload.size();
    used += head + picked.payload.size();
    --room;
  }
  if (used == 0) return 0;
  const std::size_t before = run.bytes();
  run.append(ByteView(plaintext).first(used));
  run.count_tracked(run.bytes() - before);
  record_sent(now, run, before, first_id, trace::PacketKind::kShortMessage);
  return run.bytes() - before;
}

// Encodes one item under `id`; the run seals it. False when the key is used up.
bool Connection::write_item(Instant now, Established& session, RunWriter& run, const SendItem& item, std::uint32_t id) {
  std::array<std::uint8_t, wire::kMaxPlaintext> head;
  std::size_t head_size = 0;
  std::size_t tail_size = 0;
  std::array<std::uint8_t, wire::kMaxReceivedMetadata + 16> tail;
  const std::size_t before = run.bytes();
  const RunWriter::Body lifetime = item.payload_stays ? RunWriter::Body::kStays : RunWriter::Body::kCopied;
  if (item.kind == SendKind::kFragment) [[likely]] {
    const auto metadata = item.metadata();
    if (!metadata) [[likely]] {
      item.stream->header().write(head.data(), id, item.fragment, item.payload.size());
      head_size = wire::kFragmentHeader;
      run.append(ByteView(head).first(head_size), item.payload, wire::kFragmentTail, lifetime);
    } else {
      const wire::StreamFragment fragment{.stream_id = item.stream->id(),
                                          .total_length = item.stream->total(),
                                          .number = item.fragment,
                                          .payload = item.payload,
                                          .metadata = metadata};
      head_size = wire::encode_fragment_head(head, id, {}, fragment);
      tail_size = wire::encode_fragment_tail(tail, fragment);
      run.append(ByteView(head).first(head_size), item.payload, ByteView(tail).first(tail_size), lifetime);
    }
  } else {
    // Receipts ride on the first short message of a run, where they make no later one end it.
    std::array<std::uint32_t, 64> receipts;
    std::size_t count = 0;
    if (run.empty() && session.acks.pending() > 0) {
      const std::size_t free = wire::kMaxPlaintext - wire::kShortMessageOverhead - item.payload.size();
      const std::size_t most = std::min({session.acks.pending(), receipts.size(), free / wire::kReceiptSize});
      count = session.acks.take(now, std::span(receipts).first(most), false);
    }
    head_size = wire::encode_short_message_head(head, id, wire::Receipts(receipts).first(count), item.payload.size());
    run.append(ByteView(head).first(head_size), item.payload, {}, lifetime);
  }
  GODWIT_MARK(context_.cost, kBookkeeping);
  run.count_tracked(run.bytes() - before);
  return run.bytes() > before;
}

}  // namespace godwit
