// Events as lines for a person: seconds, connection, what happened. Writes through a callback; does no I/O of its own.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trace/events.h"

namespace godwit::trace {

class TextSink final : public Sink {
 public:
  using Output = std::function<void(std::string_view line)>;

  // `output` gets whole lines without their end; the view is valid during the call only.
  explicit TextSink(Output output) : output_(std::move(output)) {}

  void on_event(const Event& event) override;

 private:
  Output output_;
  std::string line_;
};

// Passes each event to several sinks, in order.
class TeeSink final : public Sink {
 public:
  // The sinks outlive it.
  void add(Sink& sink) { sinks_.push_back(&sink); }
  void on_event(const Event& event) override {
    for (Sink* sink : sinks_) sink->on_event(event);
  }

 private:
  std::vector<Sink*> sinks_;
};

}  // namespace godwit::trace
