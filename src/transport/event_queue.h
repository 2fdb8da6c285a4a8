// Events of all connections of an endpoint in order, until the application polls them. Storage is reused: an event
// costs no allocation in the steady state. Bounded by the work of one input, because the application drains it in
// between.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "transport/event.h"

namespace godwit {

class EventQueue {
 public:
  template <typename T>
  void push(ConnectionId connection, T&& event) {
    events_.emplace_back(connection, std::forward<T>(event));
  }

  // Null when there is none. Valid until the next call of any member.
  [[nodiscard]] EndpointEvent* poll() {
    if (next_ == events_.size()) {
      events_.clear();
      next_ = 0;
      return nullptr;
    }
    return &events_[next_++];
  }
  [[nodiscard]] std::size_t size() const { return events_.size() - next_; }

 private:
  std::vector<EndpointEvent> events_;
  std::size_t next_ = 0;
};

}  // namespace godwit
