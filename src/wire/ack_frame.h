// The frame by which a receiver of the extended form says which packets have come (docs/extended_sessions.md, section
// 5.2): ranges of packet numbers, newest first, and how long the latest of them waited for the frame. It is not
// acknowledged itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/ecn.h"
#include "base/number_range.h"
#include "wire/limits.h"

namespace godwit::wire {

inline constexpr std::uint32_t kAckFrameVariant = 18;
inline constexpr std::uint32_t kAckEcnFrameVariant = 20;  // with counts of marks at its end
inline constexpr std::size_t kMaxAckRanges = 64;
inline constexpr std::size_t kAckRangeSize = 4 + 4;                               // gap before it, length
inline constexpr std::size_t kAckFrameHeader = kMessageOverhead + 8 + 4 + 4 + 4;  // with one range
inline constexpr std::size_t kAckEcnCounts = 8 + 8 + 8;
inline constexpr std::size_t kLargestAckFrame = kAckFrameHeader + (kMaxAckRanges - 1) * kAckRangeSize + kAckEcnCounts;

struct AckFrame {
  std::uint32_t delay = 0;                          // microseconds
  std::size_t count = 0;                            // of ranges, from 1 to kMaxAckRanges
  std::array<NumberRange, kMaxAckRanges> ranges{};  // newest first; none touches the next one
  std::optional<EcnCounts> ecn{};                   // only between sides that both have capability::kEcn

  [[nodiscard]] std::span<const NumberRange> newest_first() const { return std::span(ranges).first(count); }
};

// Why what begins like this frame is none. All but the first are rules that a peer has broken.
enum class AckFrameFault : std::uint8_t {
  kCutShort,
  kTooMany,    // more ranges than the frame may have
  kEmpty,      // a range, or the gap before it, without a number
  kBelowZero,  // a range that begins below number 0
};

[[nodiscard]] constexpr std::size_t ack_frame_size(std::size_t ranges, bool ecn = false) {
  return kAckFrameHeader + (ranges - 1) * kAckRangeSize + (ecn ? kAckEcnCounts : 0);
}
[[nodiscard]] constexpr std::size_t ack_frame_size(const AckFrame& frame) {
  return ack_frame_size(frame.count, frame.ecn.has_value());
}

// Whether the frame at the start of `plaintext` is of this kind, well-formed or not; with counts of marks only if
// `ecn`.
[[nodiscard]] inline bool is_ack_frame(ByteView plaintext, bool ecn = true) {
  if (plaintext.size() < kMessageOverhead || load_le<std::uint32_t>(plaintext.data()) != 0) return false;
  if (load_le<std::uint64_t>(&plaintext[4]) != 0) return false;
  const auto variant = load_le<std::uint32_t>(&plaintext[12]);
  return variant == kAckFrameVariant || (ecn && variant == kAckEcnFrameVariant);
}

// Writes the frame to the front of `out` and returns its size. Requires room for ack_frame_size(frame) bytes.
// Of a range or a gap above 2^32 - 1 numbers the part that is nearest to the newest one is told.
std::size_t encode(MutableBytes out, const AckFrame& frame);
// Requires is_ack_frame(plaintext). What has been read has ack_frame_size(frame) bytes.
[[nodiscard]] std::expected<AckFrame, AckFrameFault> read_ack_frame(ByteView plaintext);

}  // namespace godwit::wire
