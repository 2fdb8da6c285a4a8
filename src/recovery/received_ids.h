// Which packet ids have arrived, exactly (wire spec W1): a floor, below which every id counts as received, and a
// bounded sorted list of gaps above it. An id inside a gap is new however late it comes. Part of AckTracker.
// Invariants: gaps are disjoint, not adjacent, ascending, all within [floor, next); at most kMaxGaps.
// Ids are u32 and wrap; an id means the number nearest to the highest one seen. Any first id is accepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace godwit {

enum class DuplicateCheck : std::uint8_t { kNew, kDuplicate };

class ReceivedIds {
 public:
  static constexpr std::size_t kMaxGaps = 4096;
  static constexpr Duration kGapLifetime = std::chrono::minutes(10);  // a deployed sender gives up after about 8
  // Ids below the first one that may still arrive, and the distance beyond which a gap can no longer be told from
  // the next round of the counter.
  static constexpr std::uint64_t kReach = std::uint64_t{1} << 30;

  // Records `id`. Constant time in order; logarithmic plus a move of gaps otherwise.
  DuplicateCheck insert(Instant now, std::uint32_t id) {
    if (started_ && id == static_cast<std::uint32_t>(next_)) [[likely]] {
      ++next_;
      return DuplicateCheck::kNew;
    }
    return insert_out_of_order(now, id);
  }
  // Whether this id is the next in order.
  [[nodiscard]] bool is_next(std::uint32_t id) const { return started_ && id == static_cast<std::uint32_t>(next_); }
  // The next `count` ids in order have come.
  void insert_next(std::uint32_t count) { next_ += count; }
  // What insert would answer, without recording.
  [[nodiscard]] bool is_duplicate(std::uint32_t id) const;

  // The floor passes gaps older than kGapLifetime. Cheap; call once a batch.
  void expire(Instant now);

  [[nodiscard]] std::size_t gap_count() const { return count_; }
  // True if `insert` opened or filled a gap since the last call of clear_disorder().
  [[nodiscard]] bool disorder() const { return disorder_; }
  void clear_disorder() { disorder_ = false; }
  // Ids given up: never received, and treated as duplicates from now on.
  [[nodiscard]] std::uint64_t ids_passed_by_age() const { return ids_passed_by_age_; }
  [[nodiscard]] std::uint64_t ids_passed_by_limit() const { return ids_passed_by_limit_; }

 private:
  struct Gap {
    std::uint64_t begin = 0;   // first missing id, unwrapped
    std::uint32_t length = 0;  // missing ids
    std::uint32_t since = 0;   // when it appeared, in ticks of 2^20 ns
    [[nodiscard]] std::uint64_t end() const { return begin + length; }
  };

  DuplicateCheck insert_out_of_order(Instant now, std::uint32_t id);
  [[nodiscard]] std::uint64_t unwrap(std::uint32_t id) const;
  [[nodiscard]] std::size_t find_gap(std::uint64_t id) const;  // count_ if in none
  [[nodiscard]] Gap& gap(std::size_t index) { return slots_[(head_ + index) & (slots_.size() - 1)]; }
  [[nodiscard]] const Gap& gap(std::size_t index) const { return slots_[(head_ + index) & (slots_.size() - 1)]; }
  void append_gap(const Gap& gap);
  void insert_gap(std::size_t index, const Gap& gap);
  void erase_gap(std::size_t index);
  void reserve_one();
  void pass_first_gap(std::uint64_t& counter);

  bool started_ = false;
  bool disorder_ = false;
  std::uint64_t next_ = 0;   // highest id seen + 1, unwrapped
  std::uint64_t first_ = 0;  // the first id ever seen, unwrapped; what lies below is not counted when passed
  std::vector<Gap> slots_;   // circular, a power of two
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  std::uint64_t ids_passed_by_age_ = 0;
  std::uint64_t ids_passed_by_limit_ = 0;
};

}  // namespace godwit
