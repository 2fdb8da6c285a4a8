#include "stream/stream_scheduler.h"

#include <algorithm>

#include "base/assert.h"

namespace godwit {

std::int64_t StreamScheduler::turn_bytes(std::uint32_t streams) {
  const std::uint32_t fragments = streams <= kFullTurnStreams
                                      ? kRunFragments
                                      : std::max(kSmallestTurnFragments, kRunFragments * kFullTurnStreams / streams);
  return std::int64_t{fragments} * static_cast<std::int64_t>(wire::kFragmentPayload);
}

void StreamScheduler::add(std::uint32_t stream, std::uint8_t urgency) {
  if (contains(stream)) return;
  GODWIT_ASSERT(urgency < kUrgencies);
  if (stream >= nodes_.size()) nodes_.resize(std::size_t{stream} + 1);
  Node& node = nodes_[stream];
  node = Node{.urgency = urgency, .active = true};
  Ring& ring = rings_[urgency];
  ++count_;
  ++ring.count;
  if (ring.current == kNone) {
    node.next = node.previous = stream;
    begin_turn(ring, stream);
    choose_current();
    return;
  }
  node.next = ring.current;
  node.previous = nodes_[ring.current].previous;
  nodes_[node.previous].next = stream;
  nodes_[ring.current].previous = stream;
}

void StreamScheduler::remove(std::uint32_t stream) {
  if (!contains(stream)) return;
  const Node node = nodes_[stream];
  nodes_[stream] = Node{};
  Ring& ring = rings_[node.urgency];
  --count_;
  --ring.count;
  if (ring.count == 0) {
    ring.current = kNone;
  } else {
    nodes_[node.previous].next = node.next;
    nodes_[node.next].previous = node.previous;
    if (ring.current == stream) begin_turn(ring, node.next);
  }
  choose_current();
}

void StreamScheduler::choose_current() {
  const auto* const most_urgent = std::ranges::find_if(rings_, [](const Ring& ring) { return ring.count > 0; });
  current_ = most_urgent == rings_.end() ? kNone : most_urgent->current;
}

}  // namespace godwit
