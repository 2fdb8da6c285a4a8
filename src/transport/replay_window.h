// Which packet numbers of an extended session have arrived: each is accepted once. What lies further back than the
// window is refused, as if it had been lost: the peer sends its content again under a new number.
#pragma once

#include <array>
#include <cstdint>

namespace godwit {

class ReplayWindow {
 public:
  static constexpr std::uint64_t kSize = 4096;

  [[nodiscard]] bool would_accept(std::uint64_t number) const {
    if (number >= next_) return true;
    if (next_ - number > kSize) return false;
    return (bits_[word(number)] >> (number % 64) & 1) == 0;
  }
  // Requires would_accept(number), and that the packet is authentic. True when it is the newest so far.
  bool record(std::uint64_t number) {
    const bool newest = number >= next_;
    if (newest) advance(number + 1);
    bits_[word(number)] |= std::uint64_t{1} << (number % 64);
    return newest;
  }
  // The number after the newest.
  [[nodiscard]] std::uint64_t next() const { return next_; }

 private:
  [[nodiscard]] static std::size_t word(std::uint64_t number) { return number / 64 % (kSize / 64); }

  void advance(std::uint64_t next) {
    if (next - next_ >= kSize) {
      bits_.fill(0);
    } else {
      // Numbers that leave the window make room for those that enter it.
      for (std::uint64_t number = next_; number < next; ++number) {
        bits_[word(number)] &= ~(std::uint64_t{1} << (number % 64));
      }
    }
    next_ = next;
  }

  std::array<std::uint64_t, kSize / 64> bits_{};
  std::uint64_t next_ = 0;
};

}  // namespace godwit
