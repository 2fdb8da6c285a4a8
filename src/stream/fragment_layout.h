// How a stream is cut into fragments (wire spec 6.3), as arithmetic without state: fragment numbers from 1, 1130 bytes
// each except the last and, with metadata, the first. Sender side; a receiver believes no layout (recv_stream.h).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "wire/limits.h"

namespace godwit {

class FragmentLayout {
 public:
  // Requires 1 <= total <= wire::kMaxStreamBytes and at most wire::kMaxMetadata bytes of metadata.
  // With m bytes of metadata fragment 1 carries 1121 - m: one byte less than fits, so that its plaintext stays below
  // the 1164 … 1171 bytes at which relays of old releases fail (wire spec 6.5).
  explicit constexpr FragmentLayout(std::uint64_t total, std::optional<std::size_t> metadata_bytes = std::nullopt)
      : total_(total),
        first_(std::min<std::uint64_t>(
            total, metadata_bytes ? wire::kMetadataFragmentPayload - *metadata_bytes : wire::kFragmentPayload)),
        count_(static_cast<std::uint32_t>(1 + wire::fragment_count(total - first_))) {}

  [[nodiscard]] constexpr std::uint64_t total() const { return total_; }
  [[nodiscard]] constexpr std::uint32_t count() const { return count_; }
  // Requires 1 <= number <= count().
  [[nodiscard]] constexpr std::uint64_t offset(std::uint32_t number) const {
    return number == 1 ? 0 : first_ + std::uint64_t{number - 2} * wire::kFragmentPayload;
  }
  [[nodiscard]] constexpr std::size_t size(std::uint32_t number) const {
    if (number == 1) return static_cast<std::size_t>(first_);
    return static_cast<std::size_t>(std::min<std::uint64_t>(wire::kFragmentPayload, total_ - offset(number)));
  }

 private:
  std::uint64_t total_;
  std::uint64_t first_;  // payload bytes of fragment 1
  std::uint32_t count_;
};

}  // namespace godwit
