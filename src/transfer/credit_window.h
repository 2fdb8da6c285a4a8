// How much of a stream a receiver lets its sender have on the way (docs/file_transfer.md section 3).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace godwit {

inline constexpr std::uint64_t kLeastWindow = std::uint64_t{128} << 10;
inline constexpr std::uint64_t kGreatestWindow = std::uint64_t{8} << 20;

// The window of each of `streams` streams for a socket with a receive buffer of `granted_bytes`. All windows together
// stay within a quarter of it: the kernel charges a datagram of 1200 bytes about twice its size, and two streams
// overlap where one follows the other, so that even a sender on the same machine cannot overflow the buffer while this
// process is not running.
[[nodiscard]] constexpr std::uint64_t credit_window(std::size_t granted_bytes, std::uint32_t streams) {
  const std::uint64_t all = std::clamp<std::uint64_t>(granted_bytes / 4, 2 * kLeastWindow, kGreatestWindow);
  return std::max(all / std::max<std::uint32_t>(streams, 1), kLeastWindow / 2);
}

}  // namespace godwit
