#include "wire/ack_frame.h"

#include <algorithm>

#include "base/assert.h"

namespace godwit::wire {
namespace {

constexpr std::uint64_t kMostNumbers = std::numeric_limits<std::uint32_t>::max();

}  // namespace

std::size_t encode(MutableBytes out, const AckFrame& frame) {
  GODWIT_ASSERT(frame.count > 0 && frame.count <= kMaxAckRanges && out.size() >= ack_frame_size(frame));
  const std::span<const NumberRange> ranges = frame.newest_first();
  std::size_t told = 0;
  std::uint8_t* at = out.data() + kAckFrameHeader;
  std::uint64_t lowest = 0;
  for (const NumberRange& range : ranges) {
    const std::uint64_t length = std::min(range.last - range.first + 1, kMostNumbers);
    if (told == 0) {
      store_le(out.data() + kMessageOverhead + 12, static_cast<std::uint32_t>(length));
    } else {
      const std::uint64_t gap = lowest - range.last - 1;
      if (gap > kMostNumbers) break;
      store_le(at, static_cast<std::uint32_t>(gap));
      store_le(at + 4, static_cast<std::uint32_t>(length));
      at += kAckRangeSize;
    }
    ++told;
    lowest = range.last + 1 - length;
    if (length < range.last - range.first + 1) break;
  }
  store_le(out.data(), std::uint32_t{0});
  store_le(out.data() + 4, std::uint64_t{0});
  store_le(out.data() + 12, frame.ecn ? kAckEcnFrameVariant : kAckFrameVariant);
  store_le(out.data() + kMessageOverhead, ranges.front().last);
  store_le(out.data() + kMessageOverhead + 8, frame.delay);
  store_le(out.data() + kMessageOverhead + 16, static_cast<std::uint32_t>(told - 1));
  if (frame.ecn) {
    store_le(at, frame.ecn->ect0);
    store_le(at + 8, frame.ecn->ect1);
    store_le(at + 16, frame.ecn->ce);
  }
  return ack_frame_size(told, frame.ecn.has_value());
}

std::expected<AckFrame, AckFrameFault> read_ack_frame(ByteView plaintext) {
  if (plaintext.size() < kAckFrameHeader) return std::unexpected(AckFrameFault::kCutShort);
  AckFrame frame;
  std::uint64_t last = load_le<std::uint64_t>(&plaintext[kMessageOverhead]);
  frame.delay = load_le<std::uint32_t>(&plaintext[kMessageOverhead + 8]);
  const std::size_t further = load_le<std::uint32_t>(&plaintext[kMessageOverhead + 16]);
  if (further >= kMaxAckRanges) return std::unexpected(AckFrameFault::kTooMany);
  const bool counts = load_le<std::uint32_t>(&plaintext[12]) == kAckEcnFrameVariant;
  if (plaintext.size() < ack_frame_size(further + 1, counts)) return std::unexpected(AckFrameFault::kCutShort);
  std::uint64_t length = load_le<std::uint32_t>(&plaintext[kMessageOverhead + 12]);
  const std::uint8_t* at = plaintext.data() + kAckFrameHeader;
  while (true) {
    if (length == 0) return std::unexpected(AckFrameFault::kEmpty);
    if (length - 1 > last) return std::unexpected(AckFrameFault::kBelowZero);
    const std::uint64_t first = last - (length - 1);
    frame.ranges[frame.count++] = {.first = first, .last = last};
    if (frame.count > further) break;
    const std::uint64_t gap = load_le<std::uint32_t>(at);
    length = load_le<std::uint32_t>(at + 4);
    at += kAckRangeSize;
    if (gap == 0) return std::unexpected(AckFrameFault::kEmpty);
    if (gap + 1 > first) return std::unexpected(AckFrameFault::kBelowZero);
    last = first - gap - 1;
  }
  if (counts) {
    frame.ecn = EcnCounts{.ect0 = load_le<std::uint64_t>(at),
                          .ect1 = load_le<std::uint64_t>(at + 8),
                          .ce = load_le<std::uint64_t>(at + 16)};
  }
  return frame;
}

}  // namespace godwit::wire
