// Consecutive packet numbers of an extended session (docs/extended_sessions.md, section 4.2), both ends included.
#pragma once

#include <cstdint>

namespace godwit {

struct NumberRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  friend bool operator==(const NumberRange&, const NumberRange&) = default;
};

}  // namespace godwit
