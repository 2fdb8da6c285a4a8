#include "transfer/stream_header.h"

#include <algorithm>

namespace godwit {

void write_stream_header(const StreamHeader& header, std::span<std::uint8_t, kStreamHeaderSize> out) {
  std::copy(kStreamMagic.begin(), kStreamMagic.end(), out.begin());
  store_le(out.data() + 4, header.logical);
  store_le(out.data() + 8, header.transfer);
  store_le(out.data() + 16, header.offset);
  store_le(out.data() + 24, header.length);
}

std::optional<StreamHeader> read_stream_header(std::span<const std::uint8_t, kStreamHeaderSize> bytes,
                                               std::uint64_t total) {
  if (!std::equal(kStreamMagic.begin(), kStreamMagic.end(), bytes.begin())) return std::nullopt;
  const StreamHeader header{.logical = load_le<std::uint32_t>(bytes.data() + 4),
                            .transfer = load_le<std::uint64_t>(bytes.data() + 8),
                            .offset = load_le<std::uint64_t>(bytes.data() + 16),
                            .length = load_le<std::uint64_t>(bytes.data() + 24)};
  if (header.length == 0 || total < kStreamHeaderSize || header.length != total - kStreamHeaderSize)
    return std::nullopt;
  return header;
}

}  // namespace godwit
