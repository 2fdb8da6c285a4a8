// How a stream is cut into fragments (wire spec 6.3), as arithmetic without state: fragment numbers from 1, 1130 bytes
// each except the last and, with metadata, the first. Where packets may be larger (docs/extended_sessions.md, section
// 10) fragments come in groups, each of which fills a packet: 1130 bytes each but the last of a group, which has the
// rest. Sender side; a receiver believes no layout (recv_stream.h).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "wire/limits.h"

namespace godwit {

class FragmentLayout {
 public:
  // Requires 1 <= total <= wire::kMaxStreamBytes and at most wire::kMaxMetadata bytes of metadata.
  // With m bytes of metadata fragment 1 carries 1121 - m: one byte less than fits, so that its plaintext stays below
  // the 1164 … 1171 bytes at which relays of old releases fail (wire spec 6.5).
  explicit FragmentLayout(std::uint64_t total, std::optional<std::size_t> metadata_bytes = std::nullopt)
      : total_(total) {
    if (metadata_bytes) {
      now_ = {.number = 2, .offset = std::min<std::uint64_t>(total, wire::kMetadataFragmentPayload - *metadata_bytes)};
    }
    count_ = fragments_until_end();
  }

  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint32_t count() const { return count_; }
  // Requires 1 <= number <= count().
  [[nodiscard]] std::uint64_t offset(std::uint32_t number) const {
    if (number < now_.number) [[unlikely]]
      return offset_before(number);
    return now_.offset_of(number);
  }
  [[nodiscard]] std::size_t size(std::uint32_t number) const {
    if (number < now_.number) [[unlikely]]
      return static_cast<std::size_t>((number + 1 == now_.number ? now_.offset : offset_before(number + 1)) -
                                      offset_before(number));
    return static_cast<std::size_t>(std::min<std::uint64_t>(now_.size_of(number), total_ - now_.offset_of(number)));
  }
  // The last fragment of the group that this one is in.
  [[nodiscard]] std::uint32_t group_end(std::uint32_t number) const {
    const Groups groups = number < now_.number ? groups_before(number) : now_;
    if (groups.fragments == 1) [[likely]]
      return number;
    return std::min(number + groups.fragments - 1 - (number - groups.number) % groups.fragments, count_);
  }
  // The last fragment that ends within the first `limit` bytes; requires limit < total() and that no group size has
  // been set beyond it.
  [[nodiscard]] std::uint32_t last_within(std::uint64_t limit) const {
    if (limit < now_.offset) return 0;
    const std::uint64_t beyond = limit - now_.offset;
    return static_cast<std::uint32_t>(now_.number - 1 + beyond / now_.bytes * now_.fragments +
                                      beyond % now_.bytes / wire::kFragmentPayload);
  }

  // --- Larger packets ---
  [[nodiscard]] std::uint32_t group_bytes() const { return now_.bytes; }
  // From fragment `number` on groups have `bytes` bytes, at least 1130. Nothing of it has been sent, and it begins a
  // group; else, and after kMostChanges, nothing changes, and the fragments go into whatever packets there are.
  void set_group(std::uint32_t number, std::uint32_t bytes) {
    GODWIT_ASSERT(bytes >= wire::kFragmentPayload);
    if (number < now_.number || number > count_ || (number - now_.number) % now_.fragments != 0) return;
    if (number != now_.number) {
      if (former_.size() == kMostChanges) return;
      former_.push_back(now_);
    }
    now_ = {.number = number, .fragments = wire::fragments_in(bytes), .offset = now_.offset_of(number), .bytes = bytes};
    count_ = fragments_until_end();
  }

 private:
  static constexpr std::size_t kMostChanges = 256;

  struct Groups {
    std::uint32_t number = 1;                      // of its first fragment
    std::uint32_t fragments = 1;                   // of a group
    std::uint64_t offset = 0;                      // of its first byte
    std::uint32_t bytes = wire::kFragmentPayload;  // of a group

    [[nodiscard]] std::uint64_t offset_of(std::uint32_t fragment) const {
      const std::uint32_t index = fragment - number;
      if (fragments == 1) [[likely]]
        return offset + std::uint64_t{index} * bytes;
      return offset + std::uint64_t{index / fragments} * bytes +
             std::uint64_t{index % fragments} * wire::kFragmentPayload;
    }
    [[nodiscard]] std::size_t size_of(std::uint32_t fragment) const {
      if (fragments == 1) [[likely]]
        return bytes;
      const bool last = (fragment - number) % fragments == fragments - 1;
      return last ? bytes - (fragments - 1) * wire::kFragmentPayload : wire::kFragmentPayload;
    }
  };

  [[nodiscard]] std::uint32_t fragments_until_end() const {
    const std::uint64_t rest = total_ - now_.offset;
    const std::uint64_t fragments = rest / now_.bytes * now_.fragments + wire::fragment_count(rest % now_.bytes);
    return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(now_.number - 1 + fragments));
  }
  // Of a fragment before the present groups.
  [[nodiscard]] Groups groups_before(std::uint32_t number) const {
    for (std::size_t i = former_.size(); i-- > 0;) {
      if (former_[i].number <= number) return former_[i];
    }
    return {};  // fragment 1, alone with its metadata
  }
  [[nodiscard]] std::uint64_t offset_before(std::uint32_t number) const {
    return groups_before(number).offset_of(number);
  }

  std::uint64_t total_;
  std::uint32_t count_ = 0;
  Groups now_;
  std::vector<Groups> former_;  // in order; few streams ever have any
};

}  // namespace godwit
