// Events of all connections of an endpoint in order, until the application polls them. Storage is reused: an event
// costs no allocation in the steady state. Bounded by the work of one input, because the application drains it in
// between. Invariant: what the views of a queued event point into outlives it, though its connection has ended.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "stream/recv_streams.h"
#include "transport/event.h"

namespace godwit {

class EventQueue {
 public:
  template <typename T>
  void push(ConnectionId connection, T&& event) {
    events_.emplace_back(connection, std::forward<T>(event));
  }

  // The streams of a session that has ended: events in the queue may be views of their memory.
  void keep(std::unique_ptr<RecvStreams> streams) { ended_streams_.push_back(std::move(streams)); }

  // Null when there is none. Valid until the next call of any member.
  [[nodiscard]] EndpointEvent* poll() {
    if (next_ == events_.size()) {
      events_.clear();
      ended_streams_.clear();
      next_ = 0;
      return nullptr;
    }
    return &events_[next_++];
  }
  [[nodiscard]] std::size_t size() const { return events_.size() - next_; }

 private:
  std::vector<EndpointEvent> events_;
  std::vector<std::unique_ptr<RecvStreams>> ended_streams_;
  std::size_t next_ = 0;
};

}  // namespace godwit
