// Recovery's acknowledgements: from ids to what was acknowledged, lost and measured.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "recovery/recovery.h"

namespace godwit {

void Recovery::begin_acks(Instant now) {
  batch_ = {.now = now, .open = true};
  if (outcome_ == nullptr) outcome_ = std::make_unique<AckOutcome>();
  outcome_->reset(sent_.bytes_in_flight());
}

std::uint32_t Recovery::acknowledge_run(std::uint32_t first, std::uint32_t count) {
  const SentPackets::RunSettled settled = sent_.settle_run(first, count);
  outcome_->stale_acks += settled.skipped;
  if (settled.count == 0) return settled.skipped;
  const SentPacket& run = *settled.run;
  const std::uint32_t id = first + settled.skipped;
  note_original(id, run.send_number + settled.index);
  if (settled.count > 1) note_original(id + settled.count - 1, settled.last_number);
  PacketContent content = run.content();
  content.fragment += settled.index * content.count;
  count_acknowledged(content, run.bytes, settled.count);
  return settled.skipped + settled.count;
}

void Recovery::on_single_ack(std::uint32_t id) {
  SentPacket* packet = sent_.find(id);
  if (packet == nullptr || packet->state != SentState::kInFlight || packet->transmissions != 1) [[unlikely]] {
    on_unusual_ack(id, packet);
    return;
  }
  note_original(id, packet->send_number);
  acknowledge(*packet);
}

void Recovery::on_unusual_ack(std::uint32_t id, SentPacket* packet) {
  if (packet == nullptr) {
    on_unsent_ack(id);
    return;
  }
  switch (packet->state) {
    case SentState::kPlaceholder: on_unsent_ack(id); return;
    case SentState::kSettled: ++outcome_->stale_acks; return;
    case SentState::kLost:
      // Not sent again since, so a transmission that counted as lost has arrived.
      note_spurious(*packet);
      if (packet->transmissions == 1) {
        ++outcome_->withdrawn_packets;
        note_original(id, packet->send_number);
      } else {
        note_doubtful(*packet);
      }
      break;
    case SentState::kInFlight: on_resent_ack(id, *packet); break;
  }
  acknowledge(*packet);
}

void Recovery::note_spurious(const SentPacket& packet) {
  ++outcome_->spurious_packets;
  outcome_->spurious_bytes += packet.bytes;
  outcome_->spurious_loss_undone |= losses_.on_spurious_loss(packet);
}

// An earlier transmission than the latest has arrived, which one is not known: at least the first was sent by then.
void Recovery::note_doubtful(const SentPacket& packet) {
  outcome_->latest_acked_sent_at = std::max(outcome_->latest_acked_sent_at, packet.first_transmission_at());
}

// Which copy arrived? An acknowledgement much sooner after the retransmission than any round trip speaks of an earlier
// one (RFC 8985 section 6.2.1); every other acknowledgement is taken for the retransmission and measures nothing
// (Karn). Much sooner: the least sample is not the least possible round trip, and a repair taken for a late
// acknowledgement makes time-outs grow.
void Recovery::on_resent_ack(std::uint32_t id, SentPacket& packet) {
  const bool was_lost = packet.loss_episode != 0;
  const bool too_soon = rtt_.has_sample() && batch_.now - packet.sent_at < rtt_.minimum() - rtt_.minimum() / 8;
  if (too_soon) {
    note_doubtful(packet);
    note_needless(packet);
    if (packet.transmissions == 2) {
      // The one measurement that a late acknowledgement allows; it makes the next probe or time-out wait longer.
      const Duration sample = batch_.now - packet.first_transmission_at();
      rtt_.on_ack_sample(batch_.now, sample, !was_lost);
      outcome_->rtt_sample = sample;
    }
    return;
  }
  if (was_lost) {
    outcome_->spurious_loss_undone |= losses_.on_repaired_loss(packet);
  } else {
    on_answered_probe(packet);
  }
  note_resent(id, packet);
}

// The latest transmission has arrived.
void Recovery::note_resent(std::uint32_t id, const SentPacket& packet) {
  if (batch_.any_resent && !sent_before(batch_.newest_resent, packet.send_number)) return;
  batch_.any_resent = true;
  batch_.newest_resent = packet.send_number;
  batch_.newest_resent_id = id;
}

// An earlier transmission than the latest had arrived.
void Recovery::note_needless(const SentPacket& packet) {
  if (packet.loss_episode == 0) {
    ++statistics_.needless_probes;
    return;
  }
  note_spurious(packet);
}

// --- By packet number ---

std::uint64_t Recovery::on_ranges(std::span<const NumberRange> newest_first, Duration delay, std::uint64_t next_number,
                                  const NumberRange& among) {
  if (newest_first.front().last >= next_number) {
    ++outcome_->misbehaving_acks;
    return 0;
  }
  if (numbers_ == nullptr) return 0;  // all that was sent is settled
  std::uint64_t newly = 0;
  const AckBatch before = batch_;
  if (!before.any_original) outcome_->ack_delay = delay;
  // Oldest first: fragments are acknowledged in their order.
  for (std::size_t i = newest_first.size(); i-- > 0;) {
    numbers_->acknowledge(newest_first[i],
                          [&](std::uint64_t number, const SentNumbers::Entry& entry, std::uint32_t count) {
                            const std::uint64_t first = std::max(number, among.first);
                            const std::uint64_t end = std::min(number + count, among.last + 1);
                            newly += end > first ? end - first : 0;
                            on_transmission_ack(entry, count);
                          });
  }
  // Of several frames the one counts that has named the newest packet.
  if (batch_.newest_original_id != before.newest_original_id) outcome_->ack_delay = delay;
  return newly;
}

// Of `count` transmissions in a row, if there are more than one of a run.
void Recovery::on_transmission_ack(const SentNumbers::Entry& transmission, std::uint32_t count) {
  if (transmission.frames == 0) [[unlikely]] {
    ++outcome_->misbehaving_acks;  // a number that was left out
    return;
  }
  SentNumbers::Entry each = transmission;
  std::uint32_t left = count > 1 ? count : transmission.frames;
  std::uint32_t id = transmission.first_id;
  while (left > 0) {
    // Of a packet that is not apart from its run there is one transmission.
    std::uint32_t done = each.loss_episode == 0 ? acknowledge_run(id, left) : 0;
    if (done == 0) {
      if (count > 1) each.send_number = transmission.send_number + (id - transmission.first_id);
      on_frame_ack(id, each);
      done = 1;
    }
    if (count > 1) each.loss_episode = 0;  // that was of the first one's alone
    id += done;
    left -= done;
  }
}

void Recovery::on_frame_ack(std::uint32_t id, const SentNumbers::Entry& transmission) {
  SentPacket* packet = sent_.find(id);
  const bool plain = packet != nullptr && packet->state == SentState::kInFlight && packet->transmissions == 1;
  if (!plain) [[unlikely]]
    return on_unusual_transmission_ack(id, packet, transmission);
  note_original(id, packet->send_number);
  acknowledge(*packet);
}

// A packet sent more than once, declared lost or settled. Which of its transmissions has come is known.
void Recovery::on_unusual_transmission_ack(std::uint32_t id, SentPacket* packet,
                                           const SentNumbers::Entry& transmission) {
  const bool unsettled =
      packet != nullptr && (packet->state == SentState::kInFlight || packet->state == SentState::kLost);
  if (!unsettled) {
    if (transmission.loss_episode == 0) {
      ++outcome_->stale_acks;  // the second copy of a needless retransmission, or of a message that has ended
      return;
    }
    ++outcome_->spurious_packets;
    outcome_->spurious_loss_undone |= losses_.on_late_arrival(transmission.loss_episode);
    return;
  }
  const bool latest = packet->send_number == transmission.send_number;
  if (packet->state == SentState::kLost) {
    note_spurious(*packet);
    if (latest) ++outcome_->withdrawn_packets;
  } else if (!latest) {
    note_needless(*packet);
  } else if (packet->loss_episode != 0) {
    outcome_->spurious_loss_undone |= losses_.on_repaired_loss(*packet, true);
  } else if (packet->transmissions > 1) {
    // The same ranges would have named the original: it has not come.
    outcome_->probe_repaired_loss = packet->first_transmission_at();
  }
  if (latest) {
    note_original(id, packet->send_number);
  } else {
    on_earlier_transmission_ack(*packet, transmission.send_number);
  }
  acknowledge(*packet);
}

// When the transmission went out is known of the first alone. Its sample makes the next probe or time-out wait longer
// where all that was sent again had arrived; what was overtaken by others tells of its own delay only.
void Recovery::on_earlier_transmission_ack(SentPacket& packet, std::uint32_t send_number) {
  note_doubtful(packet);
  const std::optional<std::uint32_t> newest = losses_.newest_acked();
  const bool overtaken = (newest && sent_before(send_number, *newest)) || batch_.any_original;
  if (packet.transmissions != 2 || overtaken) return;
  take_sample(batch_.now - packet.first_transmission_at(), packet.loss_episode == 0);
}

void Recovery::take_sample(Duration sample, bool tail) {
  if (by_number_) {
    rtt_.on_ack_sample(batch_.now, sample, tail, outcome_->ack_delay);
  } else {
    rtt_.on_ack_sample(batch_.now, sample, tail);
  }
  outcome_->rtt_sample = sample;
}

// Of a packet sent only once it is a copy that the network made. One that counts as lost again is spurious whichever
// transmission arrived: on_ack() does the same.
void Recovery::on_duplicate_ack(std::uint32_t id) {
  SentPacket* packet = sent_.find(id);
  if (packet == nullptr || packet->state != SentState::kInFlight || packet->transmissions == 1) return on_ack(id);
  note_needless(*packet);
  note_resent(id, *packet);
  acknowledge(*packet);
}

// Either the probe has repaired a loss, or it was sent while the peer held the original's acknowledgement. The time it
// took to answer tells, and where it fits both, a second probe without a clean sample of a tail in between does: a peer
// that holds acknowledgements must not be probed for every tail.
void Recovery::on_answered_probe(const SentPacket& packet) {
  const Duration since_probe = batch_.now - packet.sent_at;
  const bool fits = since_probe <= rtt_.smoothed() + rtt_.smoothed() / 4 + rtt_.ack_delay();
  if (fits && !probe_in_doubt_) {
    outcome_->probe_repaired_loss = packet.first_transmission_at();
    probe_in_doubt_ = true;
  } else {
    rtt_.on_doubtful_probe(batch_.now - packet.first_transmission_at());
  }
}

// An id that no tracked packet has now. Id 0 is what deployed peers acknowledge handshake acks by (wire spec 5.8).
void Recovery::on_unsent_ack(std::uint32_t id) {
  constexpr std::uint32_t kHalfOfIds = 1u << 31;
  const std::uint32_t back = next_id_ - id;  // 1 is the latest id taken
  const bool taken = back != 0 && back < kHalfOfIds && back <= ids_taken_;
  if (id != 0 && (!taken || was_skipped(id))) {
    ++outcome_->misbehaving_acks;
    return;
  }
  const bool behind_ring = taken && back > next_id_ - sent_.oldest_id();
  ++(behind_ring && id != 0 ? outcome_->stale_acks : outcome_->untracked_acks);
}

const AckOutcome& Recovery::finish_acks() {
  GODWIT_ASSERT(batch_.open);  // begin_acks() comes first
  batch_.open = false;
  statistics_.stale_acks += outcome_->stale_acks;
  statistics_.untracked_acks += outcome_->untracked_acks;
  statistics_.misbehaving_acks += outcome_->misbehaving_acks;
  statistics_.packets_spuriously_lost += outcome_->spurious_packets - outcome_->withdrawn_packets;
  if (numbers_ != nullptr) numbers_->release();
  if (outcome_->acked_packets == 0) {
    sent_.release_front();  // what was forgotten during the batch
    return *outcome_;
  }

  statistics_.packets_acked += outcome_->acked_packets;
  // An acknowledgement for a retransmission ends the back-off but for one doubling, which a clean sample ends: else a
  // peer whose acknowledgements take longer than the time-out would never yield one (RFC 6298 section 5.7).
  backoff_ = batch_.any_original ? std::uint8_t{0} : std::min(backoff_, std::uint8_t{1});
  timeouts_in_row_ = 0;
  probe_pending_ = false;
  probe_sent_at_.reset();
  latest_progress_at_ = batch_.now;

  if (batch_.any_original) conclude_originals();
  const std::optional<SentPacket> newest = conclude_newest();
  losses_.detect(batch_.now, rtt_, sent_, *outcome_);
  book_losses(*outcome_, 0);
  statistics_.packets_apart = sent_.packets_apart();
  outcome_->rate = rate_.on_acked(batch_.now, newest ? &*newest : nullptr, outcome_->acked_bytes, outcome_->lost_bytes,
                                  rtt_.minimum());
  sent_.release_front();
  return *outcome_;
}

// What packets sent only once say of the round trip and of reordering.
void Recovery::conclude_originals() {
  const std::optional<std::uint32_t> before = losses_.newest_acked();
  if (before && sent_before(batch_.oldest_original, *before)) losses_.on_reordering(*before - batch_.oldest_original);
  // A packet overtaken by earlier batches tells of its own delay or of a repeated acknowledgement, not of the path.
  if (before && sent_before(batch_.newest_original, *before)) return;
  const SentPacket newest = *std::as_const(sent_).find(batch_.newest_original_id);
  const Duration sample = batch_.now - newest.sent_at;
  const bool tail = batch_.newest_original == sent_.newest_send_number();
  take_sample(sample, tail);
  if (tail) probe_in_doubt_ = false;
}

// The latest transmission known to have arrived; nothing if all of this batch's are in doubt.
std::optional<SentPacket> Recovery::conclude_newest() {
  std::optional<std::uint32_t> id;
  if (batch_.any_original) {
    id = batch_.newest_original_id;
    losses_.on_newest_acked(batch_.newest_original);
  }
  if (batch_.any_resent) {
    if (!id || sent_before(batch_.newest_original, batch_.newest_resent)) id = batch_.newest_resent_id;
    losses_.on_newest_acked(batch_.newest_resent);
  }
  if (!id) return std::nullopt;
  const auto newest = std::as_const(sent_).find(*id);
  outcome_->latest_acked_sent_at = newest->sent_at;
  return newest;
}

// Completes the records from `first` on and queues their packets to be sent again.
void Recovery::book_losses(LossOutcome& outcome, std::size_t first) {
  for (std::size_t i = first; i < outcome.lost.size(); ++i) {
    LostRecord& record = outcome.lost[i];
    const SentPacket& packet = *sent_.find(record.id);
    rate_.on_lost(record.bytes);
    record.lost_since = static_cast<std::uint32_t>(rate_.total_lost()) - packet.lost_before;
    if (numbers_ != nullptr) numbers_->mark_lost(packet.send_number, packet.loss_episode);
    lost_.push_back(record.id);
    ++statistics_.packets_lost;
  }
  // Entries settled meanwhile go when they are polled; where nothing polls they must not pile up.
  if (lost_.size() > 2 * static_cast<std::size_t>(sent_.next_id() - sent_.oldest_id()) + 64) {
    lost_.retain([&](std::uint32_t id) {
      const SentPacket* packet = sent_.find(id);
      return packet != nullptr && packet->state == SentState::kLost;
    });
  }
}

}  // namespace godwit
