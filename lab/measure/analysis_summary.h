// What an analysis comes to: the cost of a packet by component on either side, the limits that follow, and the changes
// that would gain most. Every figure is computed from stored breakdowns. Where the steps of a side do not sum to its
// whole (breakdown.h), a component's figure becomes a range, because the time that is missing or too much may belong to
// any of them. Pure computation; report/screen.h shows it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/breakdown.h"
#include "measure/results.h"

namespace godwit::measure {

// Names of the breakdowns that the summary looks for first.
inline constexpr char kShippedScenario[] = "stream, batched";
inline constexpr char kSingleScenario[] = "stream, one datagram a call";
// Member of a case's parameters that names the breakdown the case belongs to.
inline constexpr char kBreakdownParameter[] = "breakdown";

struct Range {
  double low = 0;
  double high = 0;  // infinite for a rate or a gain that nothing measured bounds

  [[nodiscard]] bool is_figure() const { return low == high; }
  [[nodiscard]] double middle() const { return (low + high) / 2; }
};

struct ComponentCost {
  CostGroup group = CostGroup::kOwn;
  Range nanoseconds;  // per packet
  Range share;        // of the side's total
};

struct SideSummary {
  std::vector<ComponentCost> components;  // kernel, cipher, digest, transport, application
  Range total;                            // nanoseconds per packet: from the sum of the steps to the measured whole
  std::optional<double> remainder_share;  // of the whole, not explained by the steps; nothing without a whole

  [[nodiscard]] const ComponentCost& of(CostGroup group) const;
};

struct ScenarioSummary {
  std::string name;
  std::optional<SideSummary> sender;
  std::optional<SideSummary> receiver;
  // A processor for each side; of application bytes.
  Range packets_per_second;
  Range bits_per_second;
  Range bits_per_second_without_calls;
  std::optional<Interval> delivered;  // bit/s, measured end to end in the build without probes
  std::optional<double> datagrams_per_send_call;
  std::optional<double> datagrams_per_receive_call;
  std::string backend;

  // Both sides' steps sum to the whole, as far as that can be told.
  [[nodiscard]] bool sums_up() const;
  // "sender" or "receiver": the side that takes longer.
  [[nodiscard]] std::string_view slower_side() const;
};

// Steps that one change of the program would make cheaper on both sides.
struct ChangeGain {
  std::string what;
  Range halved;                   // share of packets per second gained at half of the steps' cost
  Range free;                     // … if they cost nothing
  Range free_packets_per_second;  // the limit then
};

struct AnalysisSummary {
  std::optional<ScenarioSummary> shipped;  // batched, or whatever else was measured first
  std::optional<ScenarioSummary> single;   // one datagram per system call, if it was measured beside it
  std::vector<ChangeGain> changes;         // of `shipped`, largest gain first, without those that gain nothing
};

[[nodiscard]] ScenarioSummary summarize_scenario(const Results& results, std::string_view name);
[[nodiscard]] AnalysisSummary summarize_analysis(const Results& results);

}  // namespace godwit::measure
