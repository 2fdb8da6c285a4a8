#include "measure/cost_probe.h"

#include <algorithm>
#include <utility>

#include "measure/statistics.h"

namespace godwit::measure {

namespace {

constexpr unsigned kLapPrecisionBits = 6;
constexpr std::uint64_t kLongestLapTicks = std::uint64_t{1} << 34U;  // some 5 s

// Marks back to back, through the interface as the data path calls it: what a lap of nothing costs.
double cost_of_a_mark(trace::CostSink& sink, const TickClock& clock) {
  constexpr int kBatches = 25;
  constexpr int kMarks = 1000;
  trace::CostSink* volatile hidden = &sink;  // no devirtualised, inlined marks here
  std::vector<double> costs;
  for (int batch = 0; batch < kBatches; ++batch) {
    trace::CostSink* const target = hidden;
    const std::uint64_t begin = clock.now();
    for (int i = 0; i < kMarks; i += 2) {
      target->mark(trace::CostStep::kSeal);
      target->mark(trace::CostStep::kOther);
    }
    costs.push_back(clock.nanoseconds(clock.now() - begin) / kMarks);
  }
  return median(costs);
}

}  // namespace

CostProbe::CostProbe(TickClock clock)
    : clock_(std::move(clock)), laps_(trace::kCostSteps, Histogram(kLapPrecisionBits, kLongestLapTicks)) {
  mark_nanoseconds_ = cost_of_a_mark(*this, clock_);
  reset();
}

// One reading a mark: what is left of this function after the reading, and the call into the next mark before its
// reading, fall into the next lap. That is one mark's cost a lap, which the profile takes off again.
void CostProbe::mark(trace::CostStep next) {
  const std::uint64_t now = clock_.now();
  if (running_) {
    const auto index = static_cast<std::size_t>(current_);
    const std::uint64_t lap = now - last_;
    steps_[index].ticks += lap;
    ++steps_[index].laps;
    laps_[index].record(lap);
  }
  running_ = true;
  ++marks_;
  current_ = next < trace::CostStep::kCount ? next : trace::CostStep::kOther;
  last_ = now;
}

void CostProbe::reset() {
  running_ = false;
  marks_ = 0;
  steps_ = {};
  for (Histogram& histogram : laps_) histogram.clear();
}

CostProfile CostProbe::profile() const {
  CostProfile profile;
  profile.marks = marks_;
  profile.mark_nanoseconds = mark_nanoseconds_;
  profile.clock = clock_.name();
  for (std::size_t i = 0; i < trace::kCostSteps; ++i) {
    StepProfile step;
    step.step = static_cast<trace::CostStep>(i);
    step.laps = steps_[i].laps;
    step.raw_nanoseconds = clock_.nanoseconds(steps_[i].ticks);
    step.nanoseconds = std::max(0.0, step.raw_nanoseconds - static_cast<double>(step.laps) * mark_nanoseconds_);
    for (const Histogram::Bucket& bucket : laps_[i].buckets()) {
      const double middle = clock_.nanoseconds(bucket.low + (bucket.high - bucket.low) / 2);
      step.lap_nanoseconds.record(static_cast<std::uint64_t>(std::max(0.0, middle - mark_nanoseconds_) + 0.5),
                                  bucket.count);
    }
    profile.steps.push_back(std::move(step));
  }
  return profile;
}

}  // namespace godwit::measure
