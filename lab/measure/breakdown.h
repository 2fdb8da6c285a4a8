// Where a packet's time goes, from a cost profile: nanoseconds a step and packet, what remains unexplained against the
// same path without probes, and what the limit would be if a step were free. Pure computation; `godwit analyze` takes
// the profiles, results.h stores the breakdown, report/ draws it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/cost_recorder.h"
#include "measure/path_facts.h"
#include "measure/statistics.h"
#include "support/json_fwd.h"
#include "trace/cost.h"

namespace godwit::measure {

// Who owns a step's cost. "Own" is what the transport adds beyond cipher and kernel: its target is 60 ns a side.
enum class CostGroup : std::uint8_t { kOwn, kCipher, kKernel, kDigest, kApplication, kIdle };
[[nodiscard]] CostGroup group_of(trace::CostStep step);
[[nodiscard]] std::string_view to_string(CostGroup group);
[[nodiscard]] std::optional<trace::CostStep> parse_cost_step(std::string_view name);

// Parts must sum to the whole without probes within this share.
inline constexpr double kBreakdownTolerance = 0.05;
inline constexpr double kOwnTargetNanoseconds = 60;

struct BreakdownStep {
  trace::CostStep step = trace::CostStep::kOther;
  double nanoseconds = 0;  // a packet
  double share = 0;        // of the sum of all steps
  double samples = 0;      // a packet: below 1 where one sample serves a batch
  double sample_p50 = 0;   // nanoseconds of single samples
  double sample_p90 = 0;
  double sample_p99 = 0;
  double sample_p999 = 0;
  double free_packets_per_second = 0;  // this side's limit if the step cost nothing; 0 when nothing else costs
};

struct Breakdown {
  std::string name;  // what was sent: "stream 1200 B, batched"
  std::string side;  // "sender" or "receiver"
  std::uint64_t packets = 0;
  std::uint64_t payload_bytes = 0;            // application bytes in those packets
  std::vector<BreakdownStep> steps;           // busy steps that had a sample, in data-path order, kOther last
  double sum_nanoseconds = 0;                 // a packet, all busy steps
  double idle_nanoseconds = 0;                // a packet
  std::optional<Interval> plain_nanoseconds;  // a packet, the same path in the plain build of the same run
  double probe_nanoseconds = 0;
  double probes = 0;  // a packet
  std::string clock;
  std::optional<PathFacts> path;  // of the plain runs

  [[nodiscard]] double own_nanoseconds() const;
  [[nodiscard]] double packets_per_second() const;
  [[nodiscard]] double bits_per_second() const;  // of application bytes
  [[nodiscard]] double payload_bytes_per_packet() const;
  // Whole without probes minus sum of parts, a packet; nothing without a figure of the plain build.
  [[nodiscard]] std::optional<double> remainder_nanoseconds() const;
  [[nodiscard]] std::optional<double> remainder_share() const;
  // The parts sum to the whole within the tolerance; nothing when that cannot be told.
  [[nodiscard]] std::optional<bool> sums_up() const;
  // One sentence for a report: by how much the parts miss the whole.
  [[nodiscard]] std::string verdict() const;
};

struct BreakdownInput {
  std::string name;
  std::string side;
  std::uint64_t packets = 0;  // at least 1
  std::uint64_t payload_bytes = 0;
  std::optional<Interval> plain_nanoseconds;
};
[[nodiscard]] Breakdown make_breakdown(const CostProfile& profile, const BreakdownInput& input);

// Sender and receiver on a processor each: the slower one sets the pace.
struct PipelineLimit {
  std::string side;  // whose step is free; empty for the first entry, the limit as it is
  trace::CostStep step = trace::CostStep::kOther;
  double packets_per_second = 0;
  double bits_per_second = 0;
  double gain = 0;  // share over the limit as it is
};
// The limit as it is, then one entry for each step of either side, largest gain first.
[[nodiscard]] std::vector<PipelineLimit> pipeline_limits(const Breakdown& sender, const Breakdown& receiver);

[[nodiscard]] Json to_json(const Breakdown& breakdown);
[[nodiscard]] Breakdown breakdown_from_json(JsonReader reader);

}  // namespace godwit::measure
