// The bytes of an outgoing stream of unknown length (docs/extended_sessions.md, section 5.1), cut into fragments as the
// application appends them, in pieces that fill a packet each: a piece is closed when it is full or has been sent. Kept
// until they are acknowledged. Owned by SendStream.
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
      // What has been sent, if only in part, takes nothing more.
      const bool closed =
          pieces_.empty() || next_ > pieces_.back().first || pieces_.back().bytes.size() >= pieces_.back().capacity;
      if (closed) pieces_.push_back({.first = end(), .capacity = group_});
      Piece& last = pieces_.back();
      const std::size_t count = std::min(bytes.size(), last.capacity - last.bytes.size());
      last.bytes.insert(last.bytes.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
      bytes = bytes.subspan(count);
    }
  }
  // Nothing more will be appended.
  void finish() { ended_ = true; }
  // Bytes of a piece that is begun from now on, at least 1130: each fills a packet.
  void set_group(std::uint32_t bytes) { group_ = bytes; }
  [[nodiscard]] std::uint32_t group_bytes() const { return group_; }

  // Fragment numbers, from 1 on: the next to be sent for the first time, and the one after the last there is.
  [[nodiscard]] std::uint32_t next() const { return next_; }
  [[nodiscard]] std::uint32_t end() const {
    return pieces_.empty() ? next_ : pieces_.back().first + pieces_.back().fragments();
  }
  // Bytes of the next fragment, as it would be sent now; 0 when there is none.
  [[nodiscard]] std::size_t next_size() const { return next_ == end() ? 0 : payload(next_, 1).size(); }
  // The last fragment that can share a packet with this one. Requires number < end().
  [[nodiscard]] std::uint32_t group_end(std::uint32_t number) const {
    const Piece& its = pieces_[find(number)];
    return its.first + its.fragments() - 1;
  }
  // The next fragments have been handed out for sending.
  void on_sent(std::uint32_t count) {
    sent_ += payload(next_, count).size();
    next_ += count;
  }
  // Of fragments of one piece that are not acknowledged; requires number < end().
  [[nodiscard]] ByteView payload(std::uint32_t number, std::uint32_t count) const {
    const Piece& its = pieces_[find(number)];
    const std::size_t offset = std::size_t{number - its.first} * wire::kFragmentPayload;
    return ByteView(its.bytes).subspan(offset).first(
        std::min(its.bytes.size() - offset, std::size_t{count} * wire::kFragmentPayload));
  }
  // Each fragment once; requires that they have been sent.
  void on_acknowledged(std::uint32_t first, std::uint32_t count) {
    while (count > 0) {
      Piece& its = pieces_[find(first)];
      const std::uint32_t here = std::min(count, its.first + its.fragments() - first);
      its.acknowledged += here;
      if (its.acknowledged == its.fragments() && next_ >= its.first + its.fragments()) {
        held_ -= its.bytes.size();
        its.done = its.fragments();
        its.bytes = {};
      }
      first += here;
      count -= here;
    }
    while (!pieces_.empty() && pieces_.front().done > 0) pieces_.pop_front();
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
    for (std::size_t i = pieces_.size(); i-- > 0 && pieces_[i].first + pieces_[i].fragments() > next_;) {
      const std::size_t gone =
          next_ > pieces_[i].first ? payload(pieces_[i].first, next_ - pieces_[i].first).size() : 0;
      unsent += pieces_[i].bytes.size() - gone;
    }
    return sent_ + unsent;
  }

 private:
  // Consecutive fragments that may share a packet: 1130 bytes each but the last.
  struct Piece {
    std::uint32_t first = 1;  // number of its first fragment
    std::uint32_t capacity = wire::kFragmentPayload;
    std::uint32_t acknowledged = 0;
    std::uint32_t done = 0;  // the fragments that it had; 0 while some are not acknowledged
    std::vector<std::uint8_t> bytes;

    [[nodiscard]] std::uint32_t fragments() const { return done > 0 ? done : wire::fragments_in(bytes.size()); }
  };
  [[nodiscard]] std::size_t find(std::uint32_t number) const {
    const auto behind = std::ranges::upper_bound(pieces_, number, {}, &Piece::first);
    GODWIT_ASSERT(behind != pieces_.begin());
    return static_cast<std::size_t>(behind - pieces_.begin()) - 1;
  }

  std::deque<Piece> pieces_;
  std::uint32_t next_ = 1;
  std::uint32_t group_ = wire::kFragmentPayload;
  std::uint64_t sent_ = 0;
  std::uint64_t held_ = 0;
  bool ended_ = false;
  bool end_acknowledged_ = false;
};

}  // namespace godwit
