// Which bytes of a file have come before their turn: ranges beyond the contiguous front, neighbours joined, so that the
// pieces of one stream are one range. Used by whatever follows a file that arrives in any order.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <optional>

namespace godwit {

class AheadRanges {
 public:
  // Requires that no byte of the range is there already.
  void add(std::uint64_t begin, std::uint64_t end) {
    auto next = ranges_.lower_bound(begin);
    if (next != ranges_.end() && next->first == end) {
      end = next->second;
      next = ranges_.erase(next);
    }
    if (next != ranges_.begin() && std::prev(next)->second == begin) {
      std::prev(next)->second = end;
    } else {
      ranges_.emplace(begin, end);
    }
  }
  // Removes the range that begins at `front`, and says where it ends.
  [[nodiscard]] std::optional<std::uint64_t> take(std::uint64_t front) {
    const auto first = ranges_.begin();
    if (first == ranges_.end() || first->first != front) return std::nullopt;
    const std::uint64_t end = first->second;
    ranges_.erase(first);
    return end;
  }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  // begin to end
};

}  // namespace godwit
