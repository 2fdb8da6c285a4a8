#include "transport/rate_limiter.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace godwit {
namespace {

bool within(const Rate& rate, Instant now, Instant full_at) {
  return full_at <= now || full_at - now <= rate.tolerance;
}

Instant after_event(const Rate& rate, Instant now, Instant full_at) {
  return std::max(full_at, now) + rate.interval;
}

}  // namespace

Rate Rate::per_second(std::size_t events, std::size_t burst) {
  GODWIT_ASSERT(events > 0 && burst > 0);
  const Duration interval = Duration{1s} / static_cast<Duration::rep>(events);
  return {.interval = interval, .tolerance = interval * static_cast<Duration::rep>(burst - 1)};
}

bool RateLimiter::admit(Instant now) {
  if (!within(rate_, now, full_at_)) return false;
  full_at_ = after_event(rate_, now, full_at_);
  return true;
}

HashedLimiter::HashedLimiter(std::size_t entries, const Rate& rate)
    : rate_(rate), size_(std::max(kWays, std::bit_ceil(entries))) {}

std::size_t HashedLimiter::set_of(std::uint64_t key) const {
  // The high half, so that callers may hash further with the low one.
  return (static_cast<std::size_t>(key >> 32) & (size_ / kWays - 1)) * kWays;
}

bool HashedLimiter::would_admit(Instant now, std::uint64_t key) const {
  if (entries_.empty()) return true;
  const std::size_t set = set_of(key);
  for (std::size_t i = set; i < set + kWays; ++i) {
    if (entries_[i].key == key) return within(rate_, now, entries_[i].full_at);
  }
  return true;
}

void HashedLimiter::record(Instant now, std::uint64_t key) {
  if (entries_.empty()) entries_.resize(size_);
  const std::size_t set = set_of(key);
  std::size_t victim = set;
  for (std::size_t i = set; i < set + kWays; ++i) {
    if (entries_[i].key == key) {
      entries_[i].full_at = after_event(rate_, now, entries_[i].full_at);
      return;
    }
    if (entries_[i].full_at < entries_[victim].full_at) victim = i;
  }
  entries_[victim] = {.key = key, .full_at = after_event(rate_, now, Instant{Duration::min()})};
}

}  // namespace godwit
