#include "stream/stream_scheduler.h"

#include <algorithm>

#include "base/assert.h"

namespace godwit {

std::int64_t StreamScheduler::turn_bytes(std::uint32_t streams) {
  const std::uint32_t fragments = streams <= kFullTurnStreams
                                      ? kBatchFragments
                                      : std::max(kSmallestTurnFragments, kBatchFragments * kFullTurnStreams / streams);
  return std::int64_t{fragments} * static_cast<std::int64_t>(wire::kFragmentPayload);
}

void StreamScheduler::add(std::uint32_t stream, std::uint8_t urgency) {
  if (contains(stream)) return;
  GODWIT_ASSERT(urgency < kUrgencies);
  if (rings_ == nullptr) rings_ = std::make_unique<Rings>();
  std::vector<Node>& nodes = rings_->nodes;
  if (stream >= nodes.size()) nodes.resize(std::size_t{stream} + 1);
  Node& node = nodes[stream];
  node = Node{.urgency = urgency, .active = true};
  Ring& ring = rings_->of_urgency[urgency];
  ++ring.count;
  if (ring.current == kNone) {
    node.next = node.previous = stream;
    begin_turn(ring, stream);
    choose_current();
    return;
  }
  node.next = ring.current;
  node.previous = nodes[ring.current].previous;
  nodes[node.previous].next = stream;
  nodes[ring.current].previous = stream;
}

void StreamScheduler::remove(std::uint32_t stream) {
  if (!contains(stream)) return;
  std::vector<Node>& nodes = rings_->nodes;
  const Node node = nodes[stream];
  nodes[stream] = Node{};
  Ring& ring = rings_->of_urgency[node.urgency];
  --ring.count;
  if (ring.count == 0) {
    ring.current = kNone;
  } else {
    nodes[node.previous].next = node.next;
    nodes[node.next].previous = node.previous;
    if (ring.current == stream) begin_turn(ring, node.next);
  }
  choose_current();
}

void StreamScheduler::choose_current() {
  const auto* const most_urgent =
      std::ranges::find_if(rings_->of_urgency, [](const Ring& ring) { return ring.count > 0; });
  current_ = most_urgent == rings_->of_urgency.end() ? kNone : most_urgent->current;
}

}  // namespace godwit
