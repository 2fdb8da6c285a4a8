// Marks taken several times over, for `godwit analyze`: the time by which a run with every mark doubled is longer than
// one without is what a mark costs where it stands. A loop of marks alone would overstate it, since the processor
// overlaps a mark with the work around it.
#pragma once

#include "measure/cost_probe.h"
#include "trace/cost.h"

namespace godwit::cli {

class RepeatedMarks final : public trace::CostSink {
 public:
  // `probe` may be null and outlives it.
  RepeatedMarks(measure::CostProbe* probe, int times) : probe_(probe), times_(times) {}

  void mark(trace::CostStep next) override {
    for (int i = 0; i < times_; ++i) probe_->mark(next);
  }
  // What to hand to the transport: the probe itself where marks are taken once.
  [[nodiscard]] trace::CostSink* sink() {
    if (probe_ == nullptr || times_ == 1) return probe_;
    return this;
  }

 private:
  measure::CostProbe* probe_;
  int times_;
};

}  // namespace godwit::cli
