// The bytes of an outgoing stream of unknown length (docs/extended_sessions.md, section 5.1), cut into fragments as the
// application appends them: a fragment is closed when it is full or has been sent. Kept until they are acknowledged.
// Owned by SendStream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "wire/limits.h"

namespace godwit {

class OpenPieces {
 public:
  // Requires !ended().
  void append(ByteView bytes) {
    GODWIT_ASSERT(!ended_);
    held_ += bytes.size();
    while (!bytes.empty()) {
      if (next_ == end() || pieces_.back().bytes.size() == wire::kFragmentPayload) pieces_.emplace_back();
      std::vector<std::uint8_t>& last = pieces_.back().bytes;
      const std::size_t count = std::min(bytes.size(), wire::kFragmentPayload - last.size());
      last.insert(last.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
      bytes = bytes.subspan(count);
    }
  }
  // Nothing more will be appended.
  void finish() { ended_ = true; }

  // Fragment numbers, from 1 on: the next to be sent for the first time, and the one after the last there is.
  [[nodiscard]] std::uint32_t next() const { return next_; }
  [[nodiscard]] std::uint32_t end() const { return first_ + static_cast<std::uint32_t>(pieces_.size()); }
  // Bytes of the next fragment, as it would be sent now; 0 when there is none.
  [[nodiscard]] std::size_t next_size() const { return next_ == end() ? 0 : piece(next_).bytes.size(); }
  // The next fragment has been handed out for sending.
  void on_sent() {
    sent_ += piece(next_).bytes.size();
    ++next_;
  }
  // Of a fragment that is not acknowledged; requires number < end().
  [[nodiscard]] ByteView payload(std::uint32_t number) const { return piece(number).bytes; }
  // Each fragment once; requires that they have been sent.
  void on_acknowledged(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t number = first; number != first + count; ++number) {
      Piece& acknowledged = pieces_[number - first_];
      held_ -= acknowledged.bytes.size();
      acknowledged.bytes = {};
      acknowledged.acknowledged = true;
    }
    while (!pieces_.empty() && pieces_.front().acknowledged) {
      pieces_.pop_front();
      ++first_;
    }
  }
  void on_end_acknowledged() { end_acknowledged_ = true; }

  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool finished() const { return end_acknowledged_ && pieces_.empty(); }
  // Bytes that have been sent, each once; and that are held, sent or not.
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_; }
  [[nodiscard]] std::uint64_t held_bytes() const { return held_; }
  // Of the whole stream. Requires ended().
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t unsent = 0;
    for (std::uint32_t number = next_; number != end(); ++number) unsent += piece(number).bytes.size();
    return sent_ + unsent;
  }

 private:
  struct Piece {
    std::vector<std::uint8_t> bytes;
    bool acknowledged = false;
  };
  [[nodiscard]] const Piece& piece(std::uint32_t number) const {
    GODWIT_ASSERT(number - first_ < pieces_.size());
    return pieces_[number - first_];
  }

  std::deque<Piece> pieces_;
  std::uint32_t first_ = 1;  // number of the first of them
  std::uint32_t next_ = 1;
  std::uint64_t sent_ = 0;
  std::uint64_t held_ = 0;
  bool ended_ = false;
  bool end_acknowledged_ = false;
};

}  // namespace godwit
