// Virtual time: what will happen, earliest first. Events of one instant happen in the order in which they were pushed,
// so that equal seeds give equal runs. Owned by Simulator; holds plain numbers, never bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/time.h"

namespace godwit::sim {

enum class EventKind : std::uint8_t {
  kDequeue,   // target: link; its transmitter is free again
  kArrival,   // target: link; packet: leaves the link's far end
  kHostWake,  // target: host; a timer may be due
  kInbox,     // target: host; reads what has arrived
  kFlow,      // target: flow; sends its next message
  kFault,     // target: index into Scenario::faults
  kFaultEnd,
  kCompetitor,  // target: competitor; packet: 0 start, 1 retransmission time-out
  kAttack,      // target: index into Scenario::attacks; its next step
  kSealed,      // target: host; a batch that was put off has been sealed
  kForged,      // target: host; packet: what the attacker delivers past the links
};

struct Event {
  Instant at{};
  std::uint64_t order = 0;
  EventKind kind = EventKind::kHostWake;
  std::uint32_t target = 0;
  std::uint32_t packet = 0;
};

class EventHeap {
 public:
  void push(Instant at, EventKind kind, std::uint32_t target, std::uint32_t packet = 0) {
    events_.push_back({.at = at, .order = next_order_++, .kind = kind, .target = target, .packet = packet});
    std::push_heap(events_.begin(), events_.end(), later);
  }
  [[nodiscard]] bool empty() const { return events_.empty(); }
  [[nodiscard]] std::size_t size() const { return events_.size(); }
  // Requires !empty().
  [[nodiscard]] const Event& next() const { return events_.front(); }
  Event pop() {
    GODWIT_ASSERT(!events_.empty());
    std::pop_heap(events_.begin(), events_.end(), later);
    const Event event = events_.back();
    events_.pop_back();
    return event;
  }

 private:
  static bool later(const Event& left, const Event& right) {
    return left.at != right.at ? left.at > right.at : left.order > right.order;
  }
  std::vector<Event> events_;
  std::uint64_t next_order_ = 0;
};

}  // namespace godwit::sim
