// The sink that turns cost probes (trace/cost.h) into time a step: sample by sample with the time-stamp counter where
// it can be trusted. One recorder a thread: a Node owns none, the caller passes one to each. A probe costs some 10 to
// 25 ns; the recorder measures it at construction, and the profile is what remains without it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "measure/stopwatch.h"
#include "support/histogram.h"
#include "support/json_fwd.h"
#include "trace/cost.h"

namespace godwit::measure {

// Time of one step over the whole run.
struct StepProfile {
  trace::CostStep step = trace::CostStep::kOther;
  double nanoseconds = 0;      // without the cost of the probes, never negative
  double raw_nanoseconds = 0;  // with it
  std::uint64_t samples = 0;
  Histogram sample_nanoseconds{6};  // each without the cost of one probe
};

struct CostProfile {
  std::vector<StepProfile> steps;  // one a CostStep, in its order
  std::uint64_t probes = 0;
  double probe_nanoseconds = 0;  // own cost of one probe
  std::string clock;             // TickClock::name
};

class CostRecorder final : public trace::CostSink {
 public:
  // Takes about a millisecond for its own calibration.
  explicit CostRecorder(TickClock clock);

  void probe(trace::CostStep next) override;
  void rename_sample(trace::CostStep step) override { current_ = step < trace::CostStep::kCount ? step : current_; }
  // Forgets everything; the next probe begins the first sample. For the end of a warm-up.
  void reset();

  // The running sample is not counted: probe kOther first to close it.
  [[nodiscard]] CostProfile profile() const;
  [[nodiscard]] double probe_nanoseconds() const { return probe_nanoseconds_; }

 private:
  struct Step {
    std::uint64_t ticks = 0;
    std::uint64_t samples = 0;
  };

  TickClock clock_;
  double probe_nanoseconds_ = 0;
  std::uint64_t last_ = 0;
  trace::CostStep current_ = trace::CostStep::kOther;
  bool running_ = false;
  std::uint64_t probes_ = 0;
  std::array<Step, trace::kCostSteps> steps_{};
  std::vector<Histogram> samples_;  // in ticks
};

}  // namespace godwit::measure
