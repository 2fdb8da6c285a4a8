// The sink that turns cost marks (trace/cost.h) into time a step: lap by lap with the time-stamp counter where it can
// be trusted. One probe a thread: a Node owns none, the caller passes one to each. A mark costs some 10 to 25 ns; the
// probe measures its own cost at construction, and the profile is what remains without it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "support/histogram.h"
#include "support/json_fwd.h"
#include "measure/stopwatch.h"
#include "trace/cost.h"

namespace godwit::measure {

// Time of one step over the whole run.
struct StepProfile {
  trace::CostStep step = trace::CostStep::kOther;
  double nanoseconds = 0;      // without the cost of the marks, never negative
  double raw_nanoseconds = 0;  // with it
  std::uint64_t laps = 0;
  Histogram lap_nanoseconds{6};  // each without the cost of one mark
};

struct CostProfile {
  std::vector<StepProfile> steps;  // one a CostStep, in its order
  std::uint64_t marks = 0;
  double mark_nanoseconds = 0;  // own cost of one mark
  std::string clock;            // TickClock::name
};

class CostProbe final : public trace::CostSink {
 public:
  // Takes about a millisecond for its own calibration.
  explicit CostProbe(TickClock clock);

  void mark(trace::CostStep next) override;
  void rename_lap(trace::CostStep step) override { current_ = step < trace::CostStep::kCount ? step : current_; }
  // Forgets everything; the next mark begins the first lap. For the end of a warm-up.
  void reset();

  // The running lap is not counted: mark kOther first to close it.
  [[nodiscard]] CostProfile profile() const;
  [[nodiscard]] double mark_nanoseconds() const { return mark_nanoseconds_; }

 private:
  struct Step {
    std::uint64_t ticks = 0;
    std::uint64_t laps = 0;
  };

  TickClock clock_;
  double mark_nanoseconds_ = 0;
  std::uint64_t last_ = 0;
  trace::CostStep current_ = trace::CostStep::kOther;
  bool running_ = false;
  std::uint64_t marks_ = 0;
  std::array<Step, trace::kCostSteps> steps_{};
  std::vector<Histogram> laps_;  // in ticks
};

}  // namespace godwit::measure
