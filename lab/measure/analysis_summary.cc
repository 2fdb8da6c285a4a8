#include "measure/analysis_summary.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "base/assert.h"

namespace godwit::measure {

namespace {

using trace::CostStep;

constexpr CostGroup kComponents[] = {CostGroup::kKernel, CostGroup::kCipher, CostGroup::kDigest, CostGroup::kOwn,
                                     CostGroup::kApplication};
constexpr double kHalf = 0.5;
// Gains below a thousandth are not told.
constexpr double kNoGain = 0.001;

// One side as the limits need it. A side that was not measured costs nothing.
struct Side {
  const Breakdown* breakdown = nullptr;

  [[nodiscard]] bool has_range() const { return breakdown != nullptr && !breakdown->sums_up().value_or(true); }
  // What a packet costs: the measured whole where the steps do not sum to it.
  [[nodiscard]] double total() const {
    if (breakdown == nullptr) return 0;
    return has_range() ? breakdown->plain_nanoseconds->estimate : breakdown->sum_nanoseconds;
  }
  // The remainder may belong to these steps in full, or not at all.
  [[nodiscard]] Range widened(double nanoseconds) const {
    if (!has_range()) return {nanoseconds, nanoseconds};
    const double remainder = *breakdown->remainder_nanoseconds();
    return {std::max(0.0, nanoseconds + std::min(0.0, remainder)), nanoseconds + std::max(0.0, remainder)};
  }
  template <typename Belongs>
  [[nodiscard]] Range cost_of(Belongs belongs) const {
    double sum = 0;
    if (breakdown == nullptr) return {};
    for (const BreakdownStep& step : breakdown->steps) {
      if (belongs(step.step)) sum += step.nanoseconds;
    }
    // A step that never occurs on this side has no part in its remainder.
    return sum > 0 ? widened(sum) : Range{};
  }
  // What is left when a part of the cost of some steps is gone.
  [[nodiscard]] Range without(const Range& cost, double part) const {
    return {std::max(0.0, total() - part * cost.high), std::max(0.0, total() - part * cost.low)};
  }
};

constexpr double kUnbounded = std::numeric_limits<double>::infinity();

// The slower side sets the pace.
Range slower_of(const Range& one, const Range& other) {
  return {std::max(one.low, other.low), std::max(one.high, other.high)};
}

// Per second. Nothing measured is no rate; a cost that may be nothing bounds none.
Range rates_of(const Range& nanoseconds) {
  if (nanoseconds.high <= 0) return {};
  return {1e9 / nanoseconds.high, nanoseconds.low > 0 ? 1e9 / nanoseconds.low : kUnbounded};
}

Range times(const Range& range, double factor) {
  return {range.low * factor, range.high * factor};
}

struct Pipeline {
  Side sender;
  Side receiver;

  [[nodiscard]] double slower() const { return std::max(sender.total(), receiver.total()); }
  // Nanoseconds per packet of the slower side when `part` of what these steps cost is gone on both.
  template <typename Belongs>
  [[nodiscard]] Range without(Belongs belongs, double part) const {
    return slower_of(sender.without(sender.cost_of(belongs), part), receiver.without(receiver.cost_of(belongs), part));
  }
  [[nodiscard]] Range gain(const Range& nanoseconds) const {
    const auto share = [this](double then) { return then > 0 ? std::max(0.0, slower() / then - 1) : kUnbounded; };
    return {share(nanoseconds.high), share(nanoseconds.low)};
  }
};

const Breakdown* find_side(const Results& results, std::string_view name, std::string_view side) {
  const auto found = std::find_if(results.breakdowns.begin(), results.breakdowns.end(),
                                  [&](const Breakdown& b) { return b.name == name && b.side == side; });
  return found == results.breakdowns.end() ? nullptr : &*found;
}

Pipeline pipeline_of(const Results& results, std::string_view name) {
  return {.sender = {find_side(results, name, "sender")}, .receiver = {find_side(results, name, "receiver")}};
}

std::optional<SideSummary> summarize_side(const Side& side) {
  if (side.breakdown == nullptr) return std::nullopt;
  SideSummary summary;
  summary.remainder_share = side.breakdown->remainder_share();
  summary.total = {side.breakdown->sum_nanoseconds, side.breakdown->sum_nanoseconds};
  if (side.has_range()) {
    summary.total.low = std::min(summary.total.low, side.total());
    summary.total.high = std::max(summary.total.high, side.total());
  }
  for (const CostGroup group : kComponents) {
    ComponentCost component{.group = group, .nanoseconds = {}, .share = {}};
    component.nanoseconds = side.cost_of([group](CostStep step) { return group_of(step) == group; });
    if (side.total() > 0) component.share = times(component.nanoseconds, 1 / side.total());
    component.share.high = std::min(1.0, component.share.high);
    component.share.low = std::min(component.share.low, component.share.high);
    summary.components.push_back(component);
  }
  return summary;
}

std::string_view text_of(const Texts& texts, std::string_view name) {
  const auto found = std::find_if(texts.begin(), texts.end(), [name](const auto& text) { return text.first == name; });
  return found == texts.end() ? std::string_view{} : std::string_view(found->second);
}

std::optional<double> figure_of(const Figures& figures, std::string_view name) {
  for (const auto& [key, value] : figures) {
    if (key == name) return value;
  }
  return std::nullopt;
}

// The case of the runs from which the breakdown was taken; older files do not name the breakdown.
const BenchmarkResult* case_of(const Results& results, std::string_view name) {
  for (const BenchmarkResult& bench_case : results.benchmarks) {
    if (text_of(bench_case.parameters, kBreakdownParameter) == name) return &bench_case;
  }
  const char* const known = name == kShippedScenario  ? "level2/analyze/auto"
                            : name == kSingleScenario ? "level2/analyze/sendto"
                                                      : "";
  const BenchmarkResult* const bench_case = results.find(known);
  return bench_case != nullptr && text_of(bench_case->parameters, kBreakdownParameter).empty() ? bench_case : nullptr;
}

struct Change {
  const char* what;
  std::vector<CostStep> steps;
};

const std::vector<Change>& possible_changes() {
  static const std::vector<Change> changes = {
      {"system calls", {CostStep::kSendCall, CostStep::kReceiveCall}},
      {"cipher", {CostStep::kSeal, CostStep::kOpen}},
      {"digest", {CostStep::kDigest}},
      {"message headers", {CostStep::kEncode, CostStep::kDecode}},
      {"bookkeeping", {CostStep::kBookkeeping}},
      {"acknowledgements", {CostStep::kAcknowledge}},
      {"reassembly", {CostStep::kReassemble}},
      {"connection look-up", {CostStep::kRoute}},
      {"application handler", {CostStep::kApplication}},
      {"unattributed", {CostStep::kOther}},
  };
  return changes;
}

std::vector<ChangeGain> gains_of(const Pipeline& pipeline) {
  std::vector<ChangeGain> gains;
  for (const Change& change : possible_changes()) {
    const auto belongs = [&change](CostStep step) {
      return std::find(change.steps.begin(), change.steps.end(), step) != change.steps.end();
    };
    const Range free = pipeline.without(belongs, 1);
    ChangeGain gain{.what = change.what,
                    .halved = pipeline.gain(pipeline.without(belongs, kHalf)),
                    .free = pipeline.gain(free),
                    .free_packets_per_second = rates_of(free)};
    if (gain.free.high >= kNoGain) gains.push_back(std::move(gain));
  }
  std::ranges::sort(gains, std::greater{},
                    [](const ChangeGain& gain) { return std::pair(gain.free.middle(), gain.halved.middle()); });
  return gains;
}

}  // namespace

const ComponentCost& SideSummary::of(CostGroup group) const {
  const auto found = std::find_if(components.begin(), components.end(),
                                  [group](const ComponentCost& component) { return component.group == group; });
  GODWIT_ASSERT(found != components.end());
  return *found;
}

bool ScenarioSummary::sums_up() const {
  return (!sender || sender->total.is_figure()) && (!receiver || receiver->total.is_figure());
}

std::string_view ScenarioSummary::slower_side() const {
  if (!receiver) return "sender";
  if (!sender) return "receiver";
  return sender->total.middle() >= receiver->total.middle() ? "sender" : "receiver";
}

ScenarioSummary summarize_scenario(const Results& results, std::string_view name) {
  const Pipeline pipeline = pipeline_of(results, name);
  ScenarioSummary summary;
  summary.name = name;
  summary.sender = summarize_side(pipeline.sender);
  summary.receiver = summarize_side(pipeline.receiver);
  const Range nothing;
  summary.packets_per_second = rates_of(slower_of(summary.sender ? summary.sender->total : nothing,
                                                  summary.receiver ? summary.receiver->total : nothing));
  const Breakdown* const measured =
      pipeline.sender.breakdown != nullptr ? pipeline.sender.breakdown : pipeline.receiver.breakdown;
  const double bits = measured == nullptr ? 0 : measured->payload_bytes_per_packet() * 8;
  summary.bits_per_second = times(summary.packets_per_second, bits);
  const auto is_call = [](CostStep step) { return group_of(step) == CostGroup::kKernel; };
  summary.bits_per_second_without_calls = times(rates_of(pipeline.without(is_call, 1)), bits);
  if (const BenchmarkResult* const bench_case = case_of(results, name); bench_case != nullptr) {
    if (bench_case->unit == "bit/s") summary.delivered = bench_case->summary.median;
    summary.datagrams_per_send_call = figure_of(bench_case->metrics, "datagrams_per_send_call");
    summary.datagrams_per_receive_call = figure_of(bench_case->metrics, "datagrams_per_receive_call");
    summary.backend = text_of(bench_case->parameters, "backend");
  }
  return summary;
}

AnalysisSummary summarize_analysis(const Results& results) {
  AnalysisSummary summary;
  const auto has = [&results](std::string_view name) {
    return std::any_of(results.breakdowns.begin(), results.breakdowns.end(),
                       [name](const Breakdown& breakdown) { return breakdown.name == name; });
  };
  if (results.breakdowns.empty()) return summary;
  // What was named alone on the command line is what is shown.
  const std::string first = has(kShippedScenario) ? std::string(kShippedScenario) : results.breakdowns.front().name;
  summary.shipped = summarize_scenario(results, first);
  if (first != kSingleScenario && has(kSingleScenario)) summary.single = summarize_scenario(results, kSingleScenario);
  summary.changes = gains_of(pipeline_of(results, first));
  return summary;
}

}  // namespace godwit::measure
