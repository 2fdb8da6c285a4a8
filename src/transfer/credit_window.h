// How much of a stream, and of all streams of a connection, a receiver lets its sender have on the way
// (docs/file_transfer.md section 3).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "wire/flow_windows.h"

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

// What a receiver of files or of a performance run grants in an extended session: to each stream what credit_window()
// says for `overlapping` streams, or `window` where it is given; to all of them four times what one stream may have,
// and with a given window eight times. The second stream of a pair begins before the first has ended, and files come
// several at a time.
[[nodiscard]] constexpr FlowWindows transfer_windows(std::size_t granted_bytes, std::uint32_t overlapping,
                                                     std::optional<std::uint64_t> window, bool by_hand) {
  const std::uint64_t stream = std::max(window.value_or(credit_window(granted_bytes, overlapping)), kLeastWindow / 2);
  const std::uint64_t streams = window ? 8 : 4;
  return {.stream = stream, .connection = std::min(stream, UINT64_MAX / streams) * streams, .by_hand = by_hand};
}

// The window that a sender is told where the transport's flow control holds it back, and no credit is sent besides.
inline constexpr std::uint64_t kNoWindow = UINT64_MAX;

}  // namespace godwit
