#include "recovery/ack_tracker.h"

#include <algorithm>

namespace godwit {

AckTracker::AckTracker(const AckPolicy& policy) : policy_(&policy), queue_(policy.queue), path_(policy) {}

DuplicateCheck AckTracker::on_noop(Instant now, std::uint32_t id) {
  if (ids_.is_duplicate(id)) {
    ++duplicates_;
    return DuplicateCheck::kDuplicate;
  }
  noops_.add(id);
  static_cast<void>(ids_.insert(now, id));
  ++new_packets_;
  return DuplicateCheck::kNew;
}

DuplicateCheck AckTracker::on_tracked_noop(std::uint32_t id) {
  if (tracked_noops_.contains(id)) return DuplicateCheck::kDuplicate;
  tracked_noops_.add(id);
  return DuplicateCheck::kNew;
}

void AckTracker::queue_duplicate(Instant now, std::uint32_t id) {
  latest_duplicate_ = false;
  switch (queue_.push_duplicate(now, id, path_.soonest_reaction())) {
    case AckQueue::Duplicate::kWaiting:
    case AckQueue::Duplicate::kCopy: return;
    case AckQueue::Duplicate::kFull: flush_at_ = now; return;
    case AckQueue::Duplicate::kNeedless: ++needless_duplicates_; path_.on_needless_duplicate(now);
  }
}

// A gap, a duplicate or a tail is news that the sender's loss recovery waits for; where acknowledgements queue up, gaps
// and duplicates do not get a packet each. A young connection's window is too small to fill the threshold: its packets
// do not wait for the delay, but none follows another sooner, so that the first flights do not fill a narrow path back.
void AckTracker::on_batch_end(Instant now) {
  const std::uint32_t in_batch = static_cast<std::uint32_t>(new_packets_) - new_packets_at_batch_;
  const bool young = new_packets_ - in_batch < policy_->prompt_packets;
  const bool duplicate = static_cast<std::uint32_t>(duplicates_) != duplicates_at_batch_;
  if (pending() > 0) {
    if (batch_is_tail_) flush_at_ = now;
    if (young) flush_at_ = std::min(flush_at_, std::max(now, taken_at_ + path_.delay()));
    if (duplicate || disorder()) flush_at_ = std::min(flush_at_, std::max(now, taken_at_ + path_.spacing()));
    if (by_number_ && numbers_->crowded()) flush_at_ = now;
  }
  ids_.clear_disorder();
  if (numbers_ != nullptr) numbers_->clear_disorder();
  ids_.expire(now);
  path_.on_batch_end(now, in_batch);
  batch_is_tail_ = false;
  duplicates_at_batch_ = static_cast<std::uint32_t>(duplicates_);
  new_packets_at_batch_ = static_cast<std::uint32_t>(new_packets_);
}

bool AckTracker::due(Instant now) const {
  const auto when = deadline();
  return when && now >= *when;
}

// The last acknowledgements before a silence have no later packet to be repeated in. Where some get lost they are
// repeated in packets of their own, a quarter of a round trip apart: before the sender's probe.
std::optional<Instant> AckTracker::deadline() const {
  const std::size_t waiting = pending();
  if (waiting == 0) {
    if (tail_repeats_left_ == 0) return std::nullopt;
    return taken_at_ + 2 * path_.delay();
  }
  if (waiting >= path_.threshold()) return oldest_pending();
  return std::min(flush_at_, oldest_pending() + path_.delay());
}

std::size_t AckTracker::take(Instant now, std::span<std::uint32_t> out, bool repeat_recent) {
  const std::size_t fresh = std::min(out.size(), queue_.size());
  const std::size_t written = queue_.take(now, out, repeat_recent, path_.repetitions());
  taken_ += written;
  on_taken(now, fresh, written);
  return written;
}

std::size_t AckTracker::take_ranges(Instant now, std::span<NumberRange> out, Duration& delay) {
  if (numbers_ == nullptr) {
    tail_repeats_left_ = 0;
    return 0;
  }
  const std::size_t fresh = numbers_->waiting();
  const std::size_t written = numbers_->take(now, out, delay);
  taken_ += fresh;
  constexpr std::size_t kFirst = 5;  // what the frame has beyond a packet without acknowledgements
  constexpr std::size_t kFurther = 2;
  on_taken(now, fresh, written == 0 ? 0 : kFirst + kFurther * (written - 1));
  return written;
}

void AckTracker::on_taken(Instant now, std::size_t fresh, std::size_t units) {
  taken_at_ = now;
  if (pending() == 0) flush_at_ = kNever;
  if (fresh > 0) {
    tail_repeats_left_ = static_cast<std::uint8_t>(path_.lossy() ? path_.repetitions() : 0);
  } else if (tail_repeats_left_ > 0) {
    tail_repeats_left_ = static_cast<std::uint8_t>(units > 0 ? tail_repeats_left_ - 1 : 0);
  }
  if (units > 0) path_.on_packet_sent(units);
}

void AckTracker::trim() {
  tail_repeats_left_ = 0;
  if (pending() == 0) numbers_.reset();
  queue_.trim();
  noops_.trim();
  tracked_noops_.trim();
}

AckStatistics AckTracker::statistics() const {
  return {.new_packets = new_packets_,
          .duplicates = duplicates_,
          .acks_taken = taken_,
          .acks_repeated = queue_.repeated(),
          .needless_duplicates = needless_duplicates_,
          .acks_overflowed = queue_.overflowed(),
          .ids_passed_by_age = ids_.ids_passed_by_age(),
          .ids_passed_by_limit = ids_.ids_passed_by_limit()};
}

}  // namespace godwit
