// Whose turn it is among the streams that can send: deficit round robin by bytes (Shreedhar and Varghese, SIGCOMM
// 1995), with a turn of about one segmentation batch, so that fairness does not cut batches short. A stream that
// overdraws its turn by part of a fragment starts the next one with that debt. This holds among streams of one urgency
// (the scale of RFC 9218 section 4.1): while a more urgent stream can send, no less urgent one has a turn, and one that
// is interrupted keeps what is left of its own. Streams that cannot send are in no ring and cost nothing. Owned by
// SendQueue; streams are named by slot index.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "wire/limits.h"

namespace godwit {

class StreamScheduler {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  // A turn is 54 full fragments, as many as 64 KiB of datagrams hold, while up to 16 streams take turns. With more it
  // shrinks, to 4 at least: every stream must bring new bytes within the receiver's idle limit, and a round of 1024
  // streams at the deployed rate would outlast it (wire spec 6.4, 8.2).
  static constexpr std::uint32_t kBatchFragments = 54;
  static constexpr std::uint32_t kFullTurnStreams = 16;
  static constexpr std::uint32_t kSmallestTurnFragments = 4;
  // From 0, the most urgent, to 7.
  static constexpr std::uint8_t kUrgencies = 8;
  static constexpr std::uint8_t kDefaultUrgency = 3;

  [[nodiscard]] bool empty() const { return current_ == kNone; }
  // The stream whose turn it is; kNone when there is none.
  [[nodiscard]] std::uint32_t current() const { return current_; }
  [[nodiscard]] bool contains(std::uint32_t stream) const {
    return rings_ != nullptr && stream < rings_->nodes.size() && rings_->nodes[stream].active;
  }

  // Takes its place behind all others of this urgency, which is below kUrgencies; no effect when it is there already.
  // May interrupt the current stream.
  void add(std::uint32_t stream, std::uint8_t urgency = kDefaultUrgency);
  // Its turn, if it has it, ends, and its debt is forgotten; no effect when it is not there.
  void remove(std::uint32_t stream);
  // Packets of `bytes` that the current stream may send before another one's turn, at least one.
  [[nodiscard]] std::uint32_t packets_left(std::size_t bytes) const {
    const Node& node = rings_->nodes[current_];
    if (node.next == current_) return kBatchFragments;
    const std::int64_t left = std::max<std::int64_t>(node.bytes_left, 1);
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(left) + bytes - 1) / bytes);
  }
  // The current stream sent `bytes`, not more than fill a turn; its turn ends when they are used up.
  void spend(std::size_t bytes) {
    Node& node = rings_->nodes[current_];
    node.bytes_left -= static_cast<std::int64_t>(bytes);
    if (node.bytes_left <= 0) [[unlikely]] {
      begin_turn(rings_->of_urgency[node.urgency], node.next);
      current_ = node.next;
    }
  }

  // Bytes of a turn among `streams` streams.
  [[nodiscard]] static std::int64_t turn_bytes(std::uint32_t streams);

 private:
  struct Node {
    std::int64_t bytes_left = 0;
    std::uint32_t next = kNone;  // a ring in order of turns
    std::uint32_t previous = kNone;
    std::uint8_t urgency = kDefaultUrgency;
    bool active = false;
  };
  // The streams of one urgency.
  struct Ring {
    std::uint32_t current = kNone;
    std::uint32_t count = 0;
  };
  struct Rings {
    std::vector<Node> nodes;  // by slot index
    std::array<Ring, kUrgencies> of_urgency{};
  };
  void begin_turn(Ring& ring, std::uint32_t stream) {
    ring.current = stream;
    rings_->nodes[stream].bytes_left += turn_bytes(ring.count);
  }
  // The current stream of the most urgent ring that has one.
  void choose_current();

  std::unique_ptr<Rings> rings_;  // from the first stream on: most idle connections have none
  std::uint32_t current_ = kNone;
};

}  // namespace godwit
