#include "recovery/received_ids.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace godwit {
namespace {

// Unwrapped ids start so high that nothing below the first one falls under zero.
constexpr std::uint64_t kBase = std::uint64_t{1} << 33;
// A gap further back than this could be taken for ids ahead. The margin to 2^31 covers what one batch can advance.
constexpr std::uint64_t kHorizon = (std::uint64_t{1} << 31) - (std::uint64_t{1} << 24);
constexpr std::size_t kInitialSlots = 8;

// Ticks of 2^20 ns (about a millisecond) wrap after 52 days; differences are taken as signed numbers.
std::uint32_t ticks(Instant now) {
  return static_cast<std::uint32_t>(now.time_since_epoch().count() >> 20);
}
constexpr std::int32_t kLifetimeTicks = static_cast<std::int32_t>(ReceivedIds::kGapLifetime.count() >> 20);

}  // namespace

DuplicateCheck ReceivedIds::insert_out_of_order(Instant now, std::uint32_t id) {
  if (!started_) {
    started_ = true;
    first_ = kBase + id;
    next_ = first_ + 1;
    append_gap({.begin = first_ - kReach, .length = static_cast<std::uint32_t>(kReach), .since = ticks(now)});
    return DuplicateCheck::kNew;
  }
  const std::uint64_t full = unwrap(id);
  if (full >= next_) {
    if (full > next_) {
      append_gap({.begin = next_, .length = static_cast<std::uint32_t>(full - next_), .since = ticks(now)});
      disorder_ = true;
    }
    next_ = full + 1;
    return DuplicateCheck::kNew;
  }

  std::size_t index = find_gap(full);
  if (index == count_) return DuplicateCheck::kDuplicate;
  disorder_ = true;
  Gap& hit = gap(index);
  if (full == hit.begin) {
    ++hit.begin;
    --hit.length;
    if (hit.length == 0) erase_gap(index);
    return DuplicateCheck::kNew;
  }
  if (full == hit.end() - 1) {
    --hit.length;
    return DuplicateCheck::kNew;
  }
  const Gap upper{.begin = full + 1, .length = static_cast<std::uint32_t>(hit.end() - full - 1), .since = hit.since};
  hit.length = static_cast<std::uint32_t>(full - hit.begin);
  if (count_ == kMaxGaps) {
    const bool splitting_first = index == 0;
    pass_first_gap(ids_passed_by_limit_);
    if (!splitting_first) --index;
    insert_gap(splitting_first ? 0 : index + 1, upper);
  } else {
    insert_gap(index + 1, upper);
  }
  return DuplicateCheck::kNew;
}

bool ReceivedIds::is_duplicate(std::uint32_t id) const {
  if (!started_) return false;
  const std::uint64_t full = unwrap(id);
  return full < next_ && find_gap(full) == count_;
}

void ReceivedIds::expire(Instant now) {
  while (count_ > 0 && static_cast<std::int32_t>(ticks(now) - gap(0).since) >= kLifetimeTicks) {
    pass_first_gap(ids_passed_by_age_);
  }
  while (count_ > 0 && gap(0).begin + kHorizon < next_) {
    Gap& oldest = gap(0);
    const std::uint64_t floor = next_ - kHorizon;
    if (oldest.end() <= floor) {
      pass_first_gap(ids_passed_by_limit_);
      continue;
    }
    if (floor > first_) ids_passed_by_limit_ += floor - std::max(oldest.begin, first_);
    oldest.length = static_cast<std::uint32_t>(oldest.end() - floor);
    oldest.begin = floor;
  }
}

// The unwrapped id nearest to the next expected one.
std::uint64_t ReceivedIds::unwrap(std::uint32_t id) const {
  const auto offset = static_cast<std::int32_t>(id - static_cast<std::uint32_t>(next_));
  return next_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(offset));
}

std::size_t ReceivedIds::find_gap(std::uint64_t id) const {
  std::size_t low = 0;
  std::size_t high = count_;
  while (low < high) {  // first gap that begins after the id
    const std::size_t middle = (low + high) / 2;
    if (gap(middle).begin <= id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0 || id >= gap(low - 1).end()) return count_;
  return low - 1;
}

void ReceivedIds::append_gap(const Gap& added) {
  if (count_ == kMaxGaps) pass_first_gap(ids_passed_by_limit_);
  reserve_one();
  ++count_;
  gap(count_ - 1) = added;
}

// Both move the shorter side: losses are filled near the front, reordering near the back.
void ReceivedIds::insert_gap(std::size_t index, const Gap& added) {
  GODWIT_ASSERT(count_ < kMaxGaps && index <= count_);
  reserve_one();
  ++count_;
  if (index < count_ / 2) {
    head_ = (head_ + slots_.size() - 1) & (slots_.size() - 1);
    for (std::size_t i = 0; i < index; ++i) gap(i) = gap(i + 1);
  } else {
    for (std::size_t i = count_ - 1; i > index; --i) gap(i) = gap(i - 1);
  }
  gap(index) = added;
}

void ReceivedIds::erase_gap(std::size_t index) {
  if (index < count_ / 2) {
    for (std::size_t i = index; i > 0; --i) gap(i) = gap(i - 1);
    head_ = (head_ + 1) & (slots_.size() - 1);
  } else {
    for (std::size_t i = index; i + 1 < count_; ++i) gap(i) = gap(i + 1);
  }
  --count_;
}

void ReceivedIds::reserve_one() {
  if (count_ < slots_.size()) return;
  std::vector<Gap> wider(slots_.empty() ? kInitialSlots : slots_.size() * 2);
  for (std::size_t i = 0; i < count_; ++i) wider[i] = gap(i);
  slots_ = std::move(wider);
  head_ = 0;
}

// What lies below the first id ever seen was most likely never sent: passing it is nothing to count.
void ReceivedIds::pass_first_gap(std::uint64_t& counter) {
  const Gap& passed = gap(0);
  if (passed.end() > first_) counter += passed.end() - std::max(passed.begin, first_);
  erase_gap(0);
}

}  // namespace godwit
