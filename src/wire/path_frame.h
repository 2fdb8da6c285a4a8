// The two frames of path validation (docs/extended_sessions.md, section 7), which exist in the extended form alone: a
// SymmetricMessage without receipts whose variant is above those of the deployed wire, with eight bytes of data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/limits.h"

namespace godwit::wire {

struct PathFrame {
  enum class Kind : std::uint32_t { kChallenge = 8, kResponse = 9 };
  Kind kind = Kind::kChallenge;
  std::uint64_t data = 0;

  friend bool operator==(const PathFrame&, const PathFrame&) = default;
};
inline constexpr std::size_t kPathFrameSize = kMessageOverhead + 8;

// Its packet id is 0: it is not acknowledged.
[[nodiscard]] inline std::array<std::uint8_t, kPathFrameSize> encode(const PathFrame& frame) {
  std::array<std::uint8_t, kPathFrameSize> bytes{};
  store_le(&bytes[12], static_cast<std::uint32_t>(frame.kind));
  store_le(&bytes[kMessageOverhead], frame.data);
  return bytes;
}

// The frame at the start of `plaintext`; nothing when another one stands there, or it is cut short.
[[nodiscard]] inline std::optional<PathFrame> read_path_frame(ByteView plaintext) {
  if (plaintext.size() < kPathFrameSize || load_le<std::uint64_t>(&plaintext[4]) != 0) return std::nullopt;
  const auto kind = static_cast<PathFrame::Kind>(load_le<std::uint32_t>(&plaintext[12]));
  if (kind != PathFrame::Kind::kChallenge && kind != PathFrame::Kind::kResponse) return std::nullopt;
  return PathFrame{.kind = kind, .data = load_le<std::uint64_t>(&plaintext[kMessageOverhead])};
}

}  // namespace godwit::wire
