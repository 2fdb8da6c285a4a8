// A mask of the lowest bits of a word, also of all 64, by which a shift would be undefined.
#pragma once

#include <cstdint>

namespace godwit {

// `count` is at most 64.
[[nodiscard]] constexpr std::uint64_t low_bits(std::uint64_t count) {
  return count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

}  // namespace godwit
