// The frame by which a receiver of the extended form says which packets have come (docs/extended_sessions.md, section
// 5.2): ranges of packet numbers, newest first, and how long the latest of them waited for the frame. It is not
// acknowledged itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <span>

#include "base/bytes.h"
#include "base/number_range.h"
#include "wire/limits.h"

namespace godwit::wire {

inline constexpr std::uint32_t kAckFrameVariant = 18;
inline constexpr std::size_t kMaxAckRanges = 64;
inline constexpr std::size_t kAckRangeSize = 4 + 4;                               // gap before it, length
inline constexpr std::size_t kAckFrameHeader = kMessageOverhead + 8 + 4 + 4 + 4;  // with one range
inline constexpr std::size_t kLargestAckFrame = kAckFrameHeader + (kMaxAckRanges - 1) * kAckRangeSize;

struct AckFrame {
  std::uint32_t delay = 0;                          // microseconds
  std::size_t count = 0;                            // of ranges, from 1 to kMaxAckRanges
  std::array<NumberRange, kMaxAckRanges> ranges{};  // newest first; none touches the next one

  [[nodiscard]] std::span<const NumberRange> newest_first() const { return std::span(ranges).first(count); }
};

// Why what begins like this frame is none. All but the first are rules that a peer has broken.
enum class AckFrameFault : std::uint8_t {
  kCutShort,
  kTooMany,    // more ranges than the frame may have
  kEmpty,      // a range, or the gap before it, without a number
  kBelowZero,  // a range that begins below number 0
};

[[nodiscard]] constexpr std::size_t ack_frame_size(std::size_t ranges) {
  return kAckFrameHeader + (ranges - 1) * kAckRangeSize;
}

// Whether the frame at the start of `plaintext` is of this kind, well-formed or not.
[[nodiscard]] inline bool is_ack_frame(ByteView plaintext) {
  return plaintext.size() >= kMessageOverhead && load_le<std::uint32_t>(plaintext.data()) == 0 &&
         load_le<std::uint64_t>(&plaintext[4]) == 0 && load_le<std::uint32_t>(&plaintext[12]) == kAckFrameVariant;
}

// Writes the frame to the front of `out` and returns its size. Requires room for ack_frame_size(frame.count) bytes.
// Of a range or a gap above 2^32 - 1 numbers the part that is nearest to the newest one is told.
std::size_t encode(MutableBytes out, const AckFrame& frame);
// Requires is_ack_frame(plaintext). The frame has ack_frame_size(count) bytes.
[[nodiscard]] std::expected<AckFrame, AckFrameFault> read_ack_frame(ByteView plaintext);

}  // namespace godwit::wire
