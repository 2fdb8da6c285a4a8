// Bytes that wait for a slow reader, first in first out, in blocks: what has been read costs no memory, and nothing is
// moved. Unbounded: whoever pushes has a bound.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/bytes.h"

namespace godwit::cli {

class ByteQueue {
 public:
  static constexpr std::size_t kBlock = std::size_t{64} << 10;

  void push(ByteView bytes) {
    size_ += bytes.size();
    while (!bytes.empty()) {
      if (blocks_.empty() || blocks_.back().size() >= kBlock) blocks_.emplace_back();
      std::vector<std::uint8_t>& last = blocks_.back();
      const std::size_t count = std::min(bytes.size(), kBlock - last.size());
      last.insert(last.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
      bytes = bytes.subspan(count);
    }
  }
  // The first of them, as many as lie in one place; none when it is empty.
  [[nodiscard]] ByteView front() const {
    return blocks_.empty() ? ByteView{} : ByteView(blocks_.front()).subspan(read_);
  }
  // At most front().size().
  void pop(std::size_t count) {
    size_ -= count;
    read_ += count;
    if (blocks_.empty() || read_ < blocks_.front().size()) return;
    read_ = 0;
    blocks_.pop_front();
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  std::deque<std::vector<std::uint8_t>> blocks_;
  std::size_t read_ = 0;  // of the first block
  std::size_t size_ = 0;
};

}  // namespace godwit::cli
