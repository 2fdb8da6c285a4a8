// What the laboratory reads of a performance run beside the transport's own counters: the processor's counters, and
// where the time went (trace/cost.h). It also adds the two slower ways that analyses compare with.
#pragma once

#include "cli/perf_instruments.h"
#include "measure/cost_recorder.h"

namespace godwit::cli {

class LabInstruments final : public PerfExtension {
 public:
  void add_options(CLI::App& command) override;
  void configure(NodeConfig& config) const override;
  [[nodiscard]] std::unique_ptr<PerfInstruments> make_instruments() const override;

 private:
  bool cost_ = false;
  bool copying_cipher_ = false;
  std::uint32_t acks_per_packet_ = 0;  // 0: the default
};

// The steps with their time, whole run: {"clock", "probes", "probe_nanoseconds", "steps": […]}.
[[nodiscard]] measure::Json to_json(const measure::CostProfile& profile);

}  // namespace godwit::cli
