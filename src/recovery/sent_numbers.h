// Which transmissions the packets of an extended session carried, by packet number: what the peer acknowledges there
// (docs/extended_sessions.md, section 5.2). SentPackets knows a packet's content by its frames' ids, which stay; a
// number is used once, so that an acknowledgement tells which transmission has come. Owned by Recovery.
// A number is open until it is acknowledged or passes out of memory: one far below the highest acknowledged number
// will not be acknowledged any more, as its receiver refuses such packets. Bounded; constant time for each number.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

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
  // No packet has this number: only who invents acknowledgements acknowledges it.
  void leave_out(std::uint64_t number) { open(number) = {.send_number = latest_send_number_}; }

  // Closes the open numbers within `range` and calls visit(number, entry) for each, lowest first.
  template <typename Visit>
  void acknowledge(const NumberRange& range, Visit&& visit) {
    const std::uint64_t end = range.last >= next_ ? next_ : range.last + 1;
    for (std::uint64_t number = std::max(range.first, first_); number < end;) {
      std::uint64_t& word = open_[word_of(number)];
      const std::uint64_t bit = number % 64;
      const std::uint64_t some = std::min<std::uint64_t>(64 - bit, end - number);
      const std::uint64_t mask = (some == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << some) - 1) << bit;
      std::uint64_t hits = word & mask;
      word &= ~mask;
      for (; hits != 0; hits &= hits - 1) {
        const std::uint64_t hit = number - bit + static_cast<std::uint64_t>(std::countr_zero(hits));
        visit(hit, entry(hit));
      }
      number += some;
    }
    highest_acknowledged_ = std::max(highest_acknowledged_, std::min(range.last, next_));
  }
  // Forgets what is closed, or will not be acknowledged any more, from the oldest number on.
  void release() {
    while (first_ != next_ && (!is_open(first_) || first_ + kMemory <= highest_acknowledged_)) forget_first();
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
  void forget_first() {
    open_[word_of(first_)] &= ~(std::uint64_t{1} << (first_ % 64));
    ++first_;
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

  std::vector<Entry> entries_;  // of number n at n modulo the size, a power of two from 64 on
  std::vector<std::uint64_t> open_;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t present_ = 0;
  std::uint64_t highest_acknowledged_ = 0;
  std::uint32_t latest_send_number_ = 0;
};

}  // namespace godwit
