// Which transmissions the packets of an extended session carried, by packet number: what the peer acknowledges there
// (docs/extended_sessions.md, section 5.2). SentPackets knows a packet's content by its frames' ids, which stay; a
// number is used once, so that an acknowledgement tells which transmission has come. Owned by Recovery.
// The packets of a run have one entry, that of its first number; the numbers that follow it are marked.
// A number is open until it is acknowledged or passes out of memory: one far below the highest acknowledged number
// will not be acknowledged any more, as its receiver refuses such packets. Bounded; constant time for each number.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/low_bits.h"
#include "base/number_range.h"

namespace godwit {

class SentNumbers {
 public:
  static constexpr std::uint64_t kMemory = 4096;                   // below the highest acknowledged number
  static constexpr std::uint64_t kLimit = std::uint64_t{1} << 17;  // of numbers remembered; the oldest are forgotten

  struct Entry {
    std::uint32_t first_id = 0;     // of consecutive ids, one for each tracked frame
    std::uint32_t send_number = 0;  // SentPacket::send_number of this transmission
    std::uint8_t frames = 0;        // 0: a packet without tracked frames, or a number that was left out
    std::uint8_t loss_episode = 0;  // in which this transmission was declared lost; 0: was not
  };

  // What is added next stands in packet `number`. Numbers never fall.
  void begin(std::uint64_t number) { present_ = number; }
  // A frame with this id goes out in the present packet. Frames of one packet have consecutive ids.
  void add(std::uint32_t id, std::uint32_t send_number) {
    if (present_ + 1 == next_ && first_ != next_) {
      ++entry(present_).frames;
      return;
    }
    open(present_) = {.first_id = id, .send_number = send_number, .frames = 1, .loss_episode = 0};
    latest_send_number_ = send_number;
  }
  // `count` packets with numbers from `number` on, each with one tracked frame, whose ids and send numbers go up by
  // one.
  void add_run(std::uint64_t number, std::uint32_t first_id, std::uint32_t send_number, std::uint32_t count) {
    open(number) = {.first_id = first_id, .send_number = send_number, .frames = 1, .loss_episode = 0};
    while (next_ - first_ + (count - 1) > entries_.size()) grow();
    set_bits(open_, next_, count - 1);
    set_bits(follows_, next_, count - 1);
    next_ += count - 1;
    latest_send_number_ = send_number + count - 1;
  }
  // No packet has this number: only who invents acknowledgements acknowledges it.
  void leave_out(std::uint64_t number) { open(number) = {.send_number = latest_send_number_}; }

  // Closes the open numbers within `range` and calls visit(number, entry, count) for them, lowest first. `count`
  // numbers in a row of one run are visited together, with the entry of the first.
  template <typename Visit>
  void acknowledge(const NumberRange& range, Visit&& visit) {
    const std::uint64_t end = range.last >= next_ ? next_ : range.last + 1;
    for (std::uint64_t number = std::max(range.first, first_); number < end;) {
      std::uint64_t& word = open_[word_of(number)];
      const std::uint64_t bit = number % 64;
      const std::uint64_t some = std::min<std::uint64_t>(64 - bit, end - number);
      const std::uint64_t mask = low_bits(some) << bit;
      std::uint64_t hits = word & mask;
      word &= ~mask;
      while (hits != 0) {
        const auto first = static_cast<unsigned>(std::countr_zero(hits));
        const std::uint64_t hit = number - bit + first;
        // Those behind it that are open, too, and follow it.
        const std::uint64_t behind = first == 63 ? 0 : (hits & follows_[word_of(number)]) >> (first + 1);
        const auto count = 1 + static_cast<unsigned>(std::countr_one(behind));
        visit(hit, at(hit), count);
        hits &= ~low_bits(first + count);
      }
      number += some;
    }
    highest_acknowledged_ = std::max(highest_acknowledged_, std::min(range.last, next_));
  }
  // Forgets what is closed, or will not be acknowledged any more, from the oldest number on.
  void release() {
    while (first_ != next_ && (!is_open(first_) || first_ + kMemory <= highest_acknowledged_)) {
      // What is closed up to the end of the word goes at once.
      const std::uint64_t left = std::min<std::uint64_t>(64 - first_ % 64, next_ - first_);
      const auto closed = static_cast<std::uint64_t>(std::countr_zero(open_[word_of(first_)] >> (first_ % 64)));
      forget_first(std::max<std::uint64_t>(1, std::min(closed, left)));
    }
  }
  // The transmission was declared lost in this episode.
  void mark_lost(std::uint32_t send_number, std::uint8_t loss_episode);

  // For tests: numbers remembered.
  [[nodiscard]] std::uint64_t size() const { return next_ - first_; }

 private:
  [[nodiscard]] std::size_t index(std::uint64_t number) const { return number & (entries_.size() - 1); }
  [[nodiscard]] std::size_t word_of(std::uint64_t number) const { return index(number) / 64; }
  [[nodiscard]] Entry& entry(std::uint64_t number) { return entries_[index(number)]; }
  [[nodiscard]] bool is_open(std::uint64_t number) const { return (open_[word_of(number)] >> (number % 64) & 1) != 0; }
  [[nodiscard]] bool follows(std::uint64_t number) const {
    return (follows_[word_of(number)] >> (number % 64) & 1) != 0;
  }
  // What the entry of a remembered number is, or would be if it had one.
  [[nodiscard]] Entry at(std::uint64_t number) const {
    std::uint64_t lead = number;
    while (follows(lead)) {
      const std::uint64_t word = follows_[word_of(lead)] << (63 - lead % 64);
      lead -= static_cast<std::uint64_t>(std::countl_one(word));
    }
    Entry result = entries_[index(lead)];
    if (lead == number) return result;
    const auto behind = static_cast<std::uint32_t>(number - lead);
    result.first_id += behind;
    result.send_number += behind;
    result.loss_episode = 0;
    return result;
  }
  // Its entry, its own from now on.
  Entry& own(std::uint64_t number) {
    if (follows(number)) {
      entry(number) = at(number);
      follows_[word_of(number)] &= ~(std::uint64_t{1} << (number % 64));
    }
    return entry(number);
  }
  void set_bits(std::vector<std::uint64_t>& bits, std::uint64_t from, std::uint64_t count) const {
    while (count > 0) {
      const std::uint64_t some = std::min<std::uint64_t>(64 - from % 64, count);
      bits[word_of(from)] |= low_bits(some) << (from % 64);
      from += some;
      count -= some;
    }
  }
  // `count` numbers, at most as many as are left of the first one's word.
  void forget_first(std::uint64_t count = 1) {
    // The entry of a run's first number ends with it.
    if (first_ + count != next_) own(first_ + count);
    const std::uint64_t ones = low_bits(count);
    open_[word_of(first_)] &= ~(ones << (first_ % 64));
    follows_[word_of(first_)] &= ~(ones << (first_ % 64));
    first_ += count;
  }
  // The entry of the next number that matters, which is open; those before it that carry nothing tracked are closed.
  Entry& open(std::uint64_t number) {
    if (number != next_ || next_ - first_ == entries_.size()) [[unlikely]]
      make_room(number);
    open_[word_of(number)] |= std::uint64_t{1} << (number % 64);
    next_ = number + 1;
    return entry(number);
  }
  void make_room(std::uint64_t number);
  void push_closed();
  void grow();

  std::vector<Entry> entries_;          // of number n at n modulo the size, a power of two from 64 on
  std::vector<std::uint64_t> open_;     // a bit for each of them
  std::vector<std::uint64_t> follows_;  // likewise: it has no entry, but that of a run's first number counts for it
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t present_ = 0;
  std::uint64_t highest_acknowledged_ = 0;
  std::uint32_t latest_send_number_ = 0;
};

}  // namespace godwit
