// Which packet numbers of an extended session have arrived: each is accepted once. What lies further back than the
// window is refused, as if it had been lost: the peer sends its content again under a new number. Memory is taken by
// the first packet that comes out of order, and given back when the connection goes idle.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/low_bits.h"

namespace godwit {

class ReplayWindow {
 public:
  static constexpr std::uint64_t kSize = 4096;

  [[nodiscard]] bool would_accept(std::uint64_t number) const {
    if (number >= next_) return true;
    if (number < floor_ || next_ - number > kSize) return false;
    return ((*bits_)[word(number)] >> (number % 64) & 1) == 0;
  }
  // Requires would_accept(number), and that the packet is authentic. True when it is the newest so far.
  bool record(std::uint64_t number) {
    if (bits_ == nullptr) {
      if (number == next_) {
        floor_ = ++next_;
        return true;
      }
      bits_ = std::make_unique<Bits>();
    }
    const bool newest = number >= next_;
    if (newest) advance(number + 1);
    (*bits_)[word(number)] |= std::uint64_t{1} << (number % 64);
    return newest;
  }
  // The same of `count` numbers in a row from next() on, each of which is the newest when it comes.
  void record_next(std::uint64_t count) {
    if (bits_ == nullptr) {
      floor_ = next_ += count;
      return;
    }
    while (count > 0) {
      const std::uint64_t some = std::min<std::uint64_t>(64 - next_ % 64, count);
      (*bits_)[word(next_)] |= low_bits(some) << (next_ % 64);
      next_ += some;
      count -= some;
    }
  }
  // The number after the newest.
  [[nodiscard]] std::uint64_t next() const { return next_; }
  // Gives the memory back: what has not arrived yet has been lost.
  void release() {
    bits_.reset();
    floor_ = next_;
  }

 private:
  using Bits = std::array<std::uint64_t, kSize / 64>;

  [[nodiscard]] static std::size_t word(std::uint64_t number) { return number / 64 % (kSize / 64); }

  void advance(std::uint64_t next) {
    if (next - next_ >= kSize) {
      bits_->fill(0);
    } else {
      // Numbers that leave the window make room for those that enter it.
      for (std::uint64_t number = next_; number < next; ++number) {
        (*bits_)[word(number)] &= ~(std::uint64_t{1} << (number % 64));
      }
    }
    next_ = next;
  }

  std::unique_ptr<Bits> bits_;  // of the kSize numbers below next_, those from floor_ on
  std::uint64_t floor_ = 0;     // all below have arrived or are given up; equals next_ without bits_
  std::uint64_t next_ = 0;
};

}  // namespace godwit
