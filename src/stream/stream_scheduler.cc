#include "stream/stream_scheduler.h"

#include <algorithm>

namespace godwit {

std::int64_t StreamScheduler::turn_bytes(std::uint32_t streams) {
  const std::uint32_t fragments = streams <= kFullTurnStreams
                                      ? kRunFragments
                                      : std::max(kSmallestTurnFragments, kRunFragments * kFullTurnStreams / streams);
  return std::int64_t{fragments} * static_cast<std::int64_t>(wire::kFragmentPayload);
}

void StreamScheduler::add(std::uint32_t stream) {
  if (contains(stream)) return;
  if (stream >= nodes_.size()) nodes_.resize(std::size_t{stream} + 1);
  Node& node = nodes_[stream];
  node = Node{.active = true};
  ++count_;
  if (current_ == kNone) {
    node.next = node.previous = stream;
    begin_turn(stream);
    return;
  }
  node.next = current_;
  node.previous = nodes_[current_].previous;
  nodes_[node.previous].next = stream;
  nodes_[current_].previous = stream;
}

void StreamScheduler::remove(std::uint32_t stream) {
  if (!contains(stream)) return;
  const Node node = nodes_[stream];
  nodes_[stream] = Node{};
  --count_;
  if (count_ == 0) {
    current_ = kNone;
    return;
  }
  nodes_[node.previous].next = node.next;
  nodes_[node.next].previous = node.previous;
  if (current_ == stream) begin_turn(node.next);
}

}  // namespace godwit
