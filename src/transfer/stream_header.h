// The 32 bytes at the front of a data stream (docs/file_transfer.md section 2): whose bytes follow, from where, how
// many. Written by the senders of this folder, read by StreamInbox.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"

namespace godwit {

inline constexpr std::array<std::uint8_t, 4> kStreamMagic = {0x47, 0x57, 0x53, 0x01};  // "GWS", version 1
inline constexpr std::size_t kStreamHeaderSize = 32;
// The bytes that a file is cut into, and what a performance run sends in one stream.
inline constexpr std::uint64_t kDataStreamBytes = std::uint64_t{16} << 20;

struct StreamHeader {
  std::uint32_t logical = 0;   // perf -P; 0 for files
  std::uint64_t transfer = 0;  // or session
  std::uint64_t offset = 0;    // of the first byte in the file; perf: number of this stream on its logical stream
  std::uint64_t length = 0;    // of what follows, at least 1

  friend bool operator==(const StreamHeader&, const StreamHeader&) = default;
};

void write_stream_header(const StreamHeader& header, std::span<std::uint8_t, kStreamHeaderSize> out);
// Nothing without the magic, or when `length` is not what a stream of `total` bytes has room for.
[[nodiscard]] std::optional<StreamHeader> read_stream_header(std::span<const std::uint8_t, kStreamHeaderSize> bytes,
                                                             std::uint64_t total);

}  // namespace godwit
