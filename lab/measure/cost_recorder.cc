#include "measure/cost_recorder.h"

#include <algorithm>
#include <utility>

#include "measure/statistics.h"

namespace godwit::measure {

namespace {

constexpr unsigned kSamplePrecisionBits = 6;
constexpr std::uint64_t kLongestSampleTicks = std::uint64_t{1} << 34U;  // some 5 s

// Probes back to back, through the interface as the data path calls it: what a sample of nothing costs.
double cost_of_a_probe(trace::CostSink& sink, const TickClock& clock) {
  constexpr int kBatches = 25;
  constexpr int kProbes = 1000;
  trace::CostSink* volatile hidden = &sink;  // no devirtualised, inlined probes here
  std::vector<double> costs;
  for (int batch = 0; batch < kBatches; ++batch) {
    trace::CostSink* const target = hidden;
    const std::uint64_t begin = clock.now();
    for (int i = 0; i < kProbes; i += 2) {
      target->probe(trace::CostStep::kSeal);
      target->probe(trace::CostStep::kOther);
    }
    costs.push_back(clock.nanoseconds(clock.now() - begin) / kProbes);
  }
  return median(costs);
}

}  // namespace

CostRecorder::CostRecorder(TickClock clock)
    : clock_(std::move(clock)), samples_(trace::kCostSteps, Histogram(kSamplePrecisionBits, kLongestSampleTicks)) {
  probe_nanoseconds_ = cost_of_a_probe(*this, clock_);
  reset();
}

// One reading a probe: what is left of this function after the reading, and the call into the next probe before its
// reading, fall into the next sample. That is one probe's cost a sample, which the profile takes off again.
void CostRecorder::probe(trace::CostStep next) {
  const std::uint64_t now = clock_.now();
  if (running_) {
    const auto index = static_cast<std::size_t>(current_);
    const std::uint64_t sample = now - last_;
    steps_[index].ticks += sample;
    ++steps_[index].samples;
    samples_[index].record(sample);
  }
  running_ = true;
  ++probes_;
  current_ = next < trace::CostStep::kCount ? next : trace::CostStep::kOther;
  last_ = now;
}

void CostRecorder::reset() {
  running_ = false;
  probes_ = 0;
  steps_ = {};
  for (Histogram& histogram : samples_) histogram.clear();
}

CostProfile CostRecorder::profile() const {
  CostProfile profile;
  profile.probes = probes_;
  profile.probe_nanoseconds = probe_nanoseconds_;
  profile.clock = clock_.name();
  for (std::size_t i = 0; i < trace::kCostSteps; ++i) {
    StepProfile step;
    step.step = static_cast<trace::CostStep>(i);
    step.samples = steps_[i].samples;
    step.raw_nanoseconds = clock_.nanoseconds(steps_[i].ticks);
    step.nanoseconds = std::max(0.0, step.raw_nanoseconds - static_cast<double>(step.samples) * probe_nanoseconds_);
    for (const Histogram::Bucket& bucket : samples_[i].buckets()) {
      const double middle = clock_.nanoseconds(bucket.low + (bucket.high - bucket.low) / 2);
      step.sample_nanoseconds.record(static_cast<std::uint64_t>(std::max(0.0, middle - probe_nanoseconds_) + 0.5),
                                     bucket.count);
    }
    profile.steps.push_back(std::move(step));
  }
  return profile;
}

}  // namespace godwit::measure
