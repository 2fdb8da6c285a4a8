// Passes each event to several sinks, in order.
#pragma once

#include <vector>

#include "trace/events.h"

namespace godwit::trace {

class TeeSink final : public Sink {
 public:
  // The sinks outlive it.
  void add(Sink& sink) { sinks_.push_back(&sink); }
  [[nodiscard]] bool empty() const { return sinks_.empty(); }
  void on_event(const Event& event) override {
    for (Sink* sink : sinks_) sink->on_event(event);
  }

 private:
  std::vector<Sink*> sinks_;
};

}  // namespace godwit::trace
