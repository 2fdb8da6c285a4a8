#include "commands/lab_instruments.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "measure/copying_cipher.h"
#include "measure/perf_counters.h"
#include "support/json.h"

namespace godwit::cli {
namespace {

using measure::Json;

class Instruments final : public PerfInstruments {
 public:
  explicit Instruments(bool cost) {
    if (cost) recorder_.emplace(measure::TickClock::calibrate());
  }

  trace::CostSink* cost_sink() override { return recorder_ ? &*recorder_ : nullptr; }

  void begin() override {
    counters_.emplace();
    description_ = counters_->describe();
    counters_->start();
    if (recorder_) recorder_->reset();
  }

  Figures end() override {
    if (counters_) {
      counted_ = counters_->stop();
      counters_.reset();
    }
    Figures figures{.counters = measure::to_json(counted_), .cost = Json()};
    figures.counters["available"] = description_;
    if (recorder_) {
      recorder_->probe(trace::CostStep::kOther);
      figures.cost = to_json(recorder_->profile());
    }
    return figures;
  }

 private:
  std::optional<measure::CostRecorder> recorder_;
  std::optional<measure::PerfCounters> counters_;  // counting, on the thread that called begin()
  measure::PerfCounts counted_;
  std::string description_;
};

std::unique_ptr<PacketCipher> make_cipher_with_a_copy(CipherKind kind, const SymmetricKey& key) {
  return make_copying_cipher(make_packet_cipher(kind, key));
}

}  // namespace

void LabInstruments::add_options(CLI::App& command) {
  CLI::Option* const cost =
      command.add_flag("--cost", cost_, "report where the time goes; figures only in godwit-probed");
  if (CLI::Option* const shards = command.get_option_no_throw("--shards")) cost->excludes(shards);
  command.add_flag("--copying-cipher", copying_cipher_, "copy every packet once more on either way")->group("");
  command.add_option("--acks-per-packet", acks_per_packet_, "most acknowledgements of one packet of their own")
      ->check(CLI::Range(1, 288))
      ->group("");
}

void LabInstruments::configure(NodeConfig& config) const {
  if (copying_cipher_) config.endpoint.make_cipher = &make_cipher_with_a_copy;
  if (acks_per_packet_ == 0) return;
  AckPolicy& policy = config.endpoint.acknowledgement;
  policy.acks_per_packet = acks_per_packet_;
  policy.threshold = std::min(policy.threshold, acks_per_packet_);
}

std::unique_ptr<PerfInstruments> LabInstruments::make_instruments() const {
  return std::make_unique<Instruments>(cost_);
}

Json to_json(const measure::CostProfile& profile) {
  Json steps = Json::array();
  for (const measure::StepProfile& step : profile.steps) {
    if (step.samples == 0) continue;
    const measure::Histogram& samples = step.sample_nanoseconds;
    steps.push_back({{"step", trace::cost_step_name(step.step)},
                     {"nanoseconds", step.nanoseconds},
                     {"raw_nanoseconds", step.raw_nanoseconds},
                     {"samples", step.samples},
                     {"sample_p50", samples.percentile(50)},
                     {"sample_p90", samples.percentile(90)},
                     {"sample_p99", samples.percentile(99)},
                     {"sample_p999", samples.percentile(99.9)}});
  }
  return {{"clock", profile.clock},
          {"probes", profile.probes},
          {"probe_nanoseconds", profile.probe_nanoseconds},
          {"steps", std::move(steps)}};
}

}  // namespace godwit::cli
