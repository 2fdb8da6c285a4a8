#include "recovery/ack_queue.h"

#include <algorithm>
#include <numeric>

namespace godwit {
namespace {

constexpr std::uint32_t kMostRepetitions = 15;
constexpr std::uint32_t kTickMask = (1u << 28) - 1;

std::uint32_t ticks(Duration time) {
  return static_cast<std::uint32_t>(time.count() >> 20) & kTickMask;
}

}  // namespace

bool AckQueue::push_checked(Instant now, std::uint32_t id, bool known_new) {
  if ((!known_new || searching_) && is_waiting(id)) return true;
  if (size() >= config_->pending_limit) {
    ++overflowed_;
    return false;
  }
  if (!known_new) {
    searching_ = true;
    forget_recent(id);  // it goes out anyway
  }
  if (empty()) oldest_ = now;
  pending_.push_back(id);
  return true;
}

bool AckQueue::push_run(Instant now, std::uint32_t first, std::uint32_t count) {
  if (searching_ || size() + count > config_->pending_limit) {
    bool fits = true;
    for (std::uint32_t i = 0; i < count; ++i) fits = push(now, first + i, true) && fits;
    return fits;
  }
  if (empty()) oldest_ = now;
  const std::size_t before = pending_.size();
  pending_.resize(before + count);
  std::iota(pending_.begin() + static_cast<std::ptrdiff_t>(before), pending_.end(), first);
  return true;
}

bool AckQueue::is_waiting(std::uint32_t id) const {
  const auto waiting = pending_.begin() + static_cast<std::ptrdiff_t>(taken_);
  return std::find(waiting, pending_.end(), id) != pending_.end();
}

AckQueue::Duplicate AckQueue::push_duplicate(Instant now, std::uint32_t id, Duration soonest_reaction) {
  if (is_waiting(id)) return Duplicate::kWaiting;
  const std::uint32_t now_ticks = ticks(now.time_since_epoch());
  const bool copy = std::ranges::any_of(recent_, [&](const Recent& entry) {
    return entry.id == id && ((now_ticks - entry.sent_ticks) & kTickMask) < ticks(soonest_reaction);
  });
  if (!push_checked(now, id, false)) return Duplicate::kFull;
  if (copy) return Duplicate::kCopy;
  if (size() < config_->pending_limit) pending_.push_back(id);
  return Duplicate::kNeedless;
}

std::size_t AckQueue::take(Instant now, std::span<std::uint32_t> out, bool repeat_recent, std::uint32_t repetitions) {
  const std::size_t fresh = std::min(out.size(), size());
  std::copy_n(pending_.begin() + static_cast<std::ptrdiff_t>(taken_), fresh, out.begin());
  taken_ += static_cast<std::uint32_t>(fresh);
  if (empty()) {
    pending_.clear();
    taken_ = 0;
    searching_ = false;
  } else if (taken_ >= pending_.size() / 2) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
  }
  // Repetitions first: what is remembered below is in this very packet.
  const std::size_t repeats = repeat_recent ? repeat(now, out.subspan(fresh)) : 0;
  remember(now, out.first(fresh), repetitions);
  return fresh + repeats;
}

void AckQueue::remember(Instant now, std::span<const std::uint32_t> ids, std::uint32_t repetitions) {
  if (config_->recent_limit == 0 || (repetitions == 0 && config_->repetitions == 0)) return;
  if (ids.size() > config_->recent_limit) ids = ids.last(config_->recent_limit);
  const std::uint32_t sent = ticks(now.time_since_epoch());
  const std::uint32_t repeats = std::min(repetitions, kMostRepetitions);
  for (const std::uint32_t id : ids) {
    if (recent_.size() < config_->recent_limit) recent_.emplace_back();
    if (recent_next_ == config_->recent_limit) recent_next_ = 0;
    Recent& entry = recent_[recent_next_++];
    if (entry.repeats_left != 0) --repeatable_;
    if (repeats != 0) ++repeatable_;
    entry.id = id;
    entry.sent_ticks = sent & kTickMask;
    entry.repeats_left = repeats & 15u;
  }
}

// Backwards from the latest one, until they are too old or all that may be repeated has been seen: most entries are
// spent, and this runs for every acknowledgement packet.
std::size_t AckQueue::repeat(Instant now, std::span<std::uint32_t> out) {
  const std::uint32_t now_ticks = ticks(now.time_since_epoch());
  const std::uint32_t window = ticks(config_->repetition_window);
  std::size_t written = 0;
  std::size_t position = recent_next_;
  for (std::size_t left = repeatable_; left > 0 && written < out.size();) {
    if (position == 0) position = recent_.size();
    Recent& entry = recent_[--position];
    if (((now_ticks - entry.sent_ticks) & kTickMask) >= window) break;
    if (entry.repeats_left == 0) continue;
    --left;
    entry.repeats_left = (entry.repeats_left - 1u) & 15u;
    if (entry.repeats_left == 0) --repeatable_;
    out[written++] = entry.id;
  }
  repeated_ += written;
  return written;
}

void AckQueue::forget_recent(std::uint32_t id) {
  for (Recent& entry : recent_) {
    if (entry.id != id || entry.repeats_left == 0) continue;
    entry.repeats_left = 0;
    --repeatable_;
  }
}

void AckQueue::trim() {
  if (!empty()) return;
  pending_ = {};
  recent_ = {};
  recent_next_ = 0;
  repeatable_ = 0;
}

}  // namespace godwit
