// What every fuzz target shares: a fuzzer's bytes read as a sequence of decisions. Beyond the end everything reads as
// zero, so that targets need no checks and any prefix of an input is an input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"

namespace godwit::fuzz {

using Bytes = std::vector<std::uint8_t>;

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  // In [0, bound); 0 < bound <= 256.
  std::size_t below(std::size_t bound) { return byte() % bound; }
  bool coin() { return (byte() & 1) != 0; }
  // True for one byte value in `of`.
  bool one_in(std::size_t of) { return below(of) == of - 1; }
  std::uint16_t u16() {
    const unsigned low = byte();
    return static_cast<std::uint16_t>(low | unsigned{byte()} << 8);
  }

  // Numbers at which arithmetic of lengths, offsets and counters tends to go wrong, and small ones.
  std::uint64_t number() {
    switch (below(8)) {
      case 0: return 0;
      case 1: return 1;
      case 2: return byte();
      case 3: return u16();
      case 4: return UINT64_MAX - byte();
      case 5: return std::uint64_t{1} << below(64);
      case 6: return (std::uint64_t{1} << below(64)) - 1 - byte();
      default: return std::uint64_t{byte()} * 1130;
    }
  }
  std::uint32_t number32() { return static_cast<std::uint32_t>(number()); }

  // The next bytes of the input as they are; fewer when it ends.
  ByteView take(std::size_t count) {
    count = std::min(count, rest_.size());
    const ByteView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  ByteView take_rest() { return take(rest_.size()); }

 private:
  ByteView rest_;
};

}  // namespace godwit::fuzz
