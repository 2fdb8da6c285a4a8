#include "recovery/ack_tracker.h"

#include <algorithm>

namespace godwit {

AckTracker::AckTracker(const AckPolicy& policy)
    : policy_(&policy), queue_(policy.queue), delay_(policy.initial_delay) {}

Novelty AckTracker::on_noop(Instant now, std::uint32_t id) {
  if (ids_.is_duplicate(id)) {
    ++duplicates_;
    return Novelty::kDuplicate;
  }
  noops_.add(id);
  static_cast<void>(ids_.insert(now, id));
  ++new_packets_;
  return Novelty::kNew;
}

Novelty AckTracker::on_tracked_noop(std::uint32_t id) {
  if (tracked_noops_.contains(id)) return Novelty::kDuplicate;
  tracked_noops_.add(id);
  return Novelty::kNew;
}

void AckTracker::set_rtt(Duration smoothed) {
  delay_ = std::clamp(smoothed / 8, policy_->min_delay, policy_->max_delay);
}

// A gap, a duplicate or a tail is news that the sender's loss recovery waits for; a young connection's window is too
// small to fill the threshold.
void AckTracker::on_batch_end(Instant now) {
  const bool young = new_packets_at_batch_ < policy_->prompt_packets;
  const bool duplicate = duplicates_ != duplicates_at_batch_;
  if ((young || duplicate || batch_is_tail_ || ids_.disorder()) && !queue_.empty()) flush_at_once_ = true;
  ids_.clear_disorder();
  ids_.expire(now);
  batch_is_tail_ = false;
  duplicates_at_batch_ = duplicates_;
  new_packets_at_batch_ = new_packets_;
}

bool AckTracker::due(Instant now) const {
  if (queue_.empty()) return false;
  return flush_at_once_ || queue_.size() >= policy_->threshold || now - queue_.oldest() >= delay_;
}

std::optional<Instant> AckTracker::deadline() const {
  if (queue_.empty()) return std::nullopt;
  const bool already = flush_at_once_ || queue_.size() >= policy_->threshold;
  return already ? queue_.oldest() : queue_.oldest() + delay_;
}

std::size_t AckTracker::take(Instant now, std::span<std::uint32_t> out, bool repeat_recent) {
  const std::size_t written = queue_.take(now, out, repeat_recent);
  taken_ += written;
  if (queue_.empty()) flush_at_once_ = false;
  return written;
}

void AckTracker::trim() {
  queue_.trim();
  noops_.trim();
  tracked_noops_.trim();
}

AckStatistics AckTracker::statistics() const {
  return {.new_packets = new_packets_,
          .duplicates = duplicates_,
          .receipts_taken = taken_,
          .receipts_repeated = queue_.repeated(),
          .receipts_overflowed = queue_.overflowed(),
          .ids_passed_by_age = ids_.ids_passed_by_age(),
          .ids_passed_by_limit = ids_.ids_passed_by_limit()};
}

}  // namespace godwit
