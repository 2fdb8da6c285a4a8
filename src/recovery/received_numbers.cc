#include "recovery/received_numbers.h"

#include <algorithm>

namespace godwit {

void ReceivedNumbers::add_apart(std::uint64_t number) {
  disorder_ |= !ranges_.empty();
  ++begun_;
  // The first range that begins behind the number.
  const auto after =
      std::ranges::upper_bound(ranges_, number, {}, [](const Range& range) { return range.numbers.first; });
  const bool joins_next = after != ranges_.end() && after->numbers.first == number + 1;
  if (after != ranges_.begin() && (after - 1)->numbers.last + 1 == number) {
    const auto before = after - 1;
    before->numbers.last = joins_next ? after->numbers.last : number;
    before->told = 0;
    if (joins_next) ranges_.erase(after);
    return;
  }
  if (joins_next) {
    after->numbers.first = number;
    after->told = 0;
    return;
  }
  ranges_.insert(after, {.numbers = {.first = number, .last = number}});
  if (ranges_.size() > kMaxRanges) ranges_.erase(ranges_.begin());
}

std::size_t ReceivedNumbers::take(Instant now, std::span<NumberRange> out, Duration& delay) {
  delay = now - newest_came_at_;
  waiting_ = begun_ = 0;
  std::size_t written = 0;
  for (auto range = ranges_.rbegin(); range != ranges_.rend() && written < out.size(); ++range) {
    out[written++] = range->numbers;
    if (range->told < kRepetitions) ++range->told;
  }
  if (ranges_.size() > 1) {
    const auto newest = ranges_.end() - 1;
    ranges_.erase(
        std::remove_if(ranges_.begin(), newest, [](const Range& range) { return range.told == kRepetitions; }), newest);
  }
  return written;
}

}  // namespace godwit
