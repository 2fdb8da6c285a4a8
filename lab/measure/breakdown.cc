#include "measure/breakdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/assert.h"
#include "support/json.h"

namespace godwit::measure {

namespace {

using trace::CostStep;

// A rate without cost would be infinite; JSON and readers are better served by "no limit known".
double per_second(double nanoseconds) {
  return nanoseconds > 0 ? 1e9 / nanoseconds : 0;
}

}  // namespace

CostGroup group_of(CostStep step) {
  switch (step) {
    case CostStep::kIdle: return CostGroup::kIdle;
    case CostStep::kSeal:
    case CostStep::kOpen: return CostGroup::kCipher;
    case CostStep::kSendCall:
    case CostStep::kReceiveCall: return CostGroup::kKernel;
    case CostStep::kDigest: return CostGroup::kDigest;
    case CostStep::kApplication: return CostGroup::kApplication;
    case CostStep::kOther:
    case CostStep::kEncode:
    case CostStep::kBookkeeping:
    case CostStep::kRoute:
    case CostStep::kDecode:
    case CostStep::kReassemble:
    case CostStep::kAcknowledge:
    case CostStep::kCount: break;
  }
  return CostGroup::kOwn;
}

std::string_view to_string(CostGroup group) {
  switch (group) {
    case CostGroup::kOwn: return "transport";
    case CostGroup::kCipher: return "cipher";
    case CostGroup::kKernel: return "kernel";
    case CostGroup::kDigest: return "digest";
    case CostGroup::kApplication: return "application";
    case CostGroup::kIdle: return "idle";
  }
  return "transport";
}

std::optional<CostStep> parse_cost_step(std::string_view name) {
  for (std::size_t i = 0; i < trace::kCostSteps; ++i) {
    if (trace::cost_step_name(static_cast<CostStep>(i)) == name) return static_cast<CostStep>(i);
  }
  return std::nullopt;
}

double Breakdown::own_nanoseconds() const {
  double sum = 0;
  for (const BreakdownStep& step : steps) {
    if (group_of(step.step) == CostGroup::kOwn) sum += step.nanoseconds;
  }
  return sum;
}

double Breakdown::packets_per_second() const {
  return per_second(sum_nanoseconds);
}

double Breakdown::payload_bytes_per_packet() const {
  return packets == 0 ? 0 : static_cast<double>(payload_bytes) / static_cast<double>(packets);
}

double Breakdown::bits_per_second() const {
  return packets_per_second() * payload_bytes_per_packet() * 8;
}

std::optional<double> Breakdown::remainder_nanoseconds() const {
  if (!plain_nanoseconds) return std::nullopt;
  return plain_nanoseconds->estimate - sum_nanoseconds;
}

std::optional<double> Breakdown::remainder_share() const {
  if (!plain_nanoseconds || plain_nanoseconds->estimate <= 0) return std::nullopt;
  return *remainder_nanoseconds() / plain_nanoseconds->estimate;
}

std::optional<bool> Breakdown::sums_up() const {
  const std::optional<double> share = remainder_share();
  if (!share) return std::nullopt;
  return std::abs(*share) <= kBreakdownTolerance;
}

std::string Breakdown::verdict() const {
  const std::optional<double> share = remainder_share();
  if (!share) return "The parts cannot be compared with a whole: no run without probes was taken.";
  const double missed = std::abs(*share) * 100;
  const char* direction = *share >= 0 ? "less" : "more";
  if (*sums_up()) return fmt::format("The parts sum to {:.1f} % {} than the whole without probes.", missed, direction);
  return fmt::format(
      "The parts do NOT sum up: they are {:.1f} % {} than the whole without probes, beyond the {:.0f} % allowed.",
      missed, direction, kBreakdownTolerance * 100);
}

Breakdown make_breakdown(const CostProfile& profile, const BreakdownInput& input) {
  GODWIT_ASSERT(input.packets > 0);
  const auto packets = static_cast<double>(input.packets);
  Breakdown breakdown;
  breakdown.name = input.name;
  breakdown.side = input.side;
  breakdown.packets = input.packets;
  breakdown.payload_bytes = input.payload_bytes;
  breakdown.plain_nanoseconds = input.plain_nanoseconds;
  breakdown.probe_nanoseconds = profile.probe_nanoseconds;
  breakdown.probes = static_cast<double>(profile.probes) / packets;
  breakdown.clock = profile.clock;
  for (const StepProfile& source : profile.steps) {
    if (source.samples == 0) continue;
    if (source.step == CostStep::kIdle) {
      breakdown.idle_nanoseconds = source.nanoseconds / packets;
      continue;
    }
    BreakdownStep step;
    step.step = source.step;
    step.nanoseconds = source.nanoseconds / packets;
    step.samples = static_cast<double>(source.samples) / packets;
    step.sample_p50 = static_cast<double>(source.sample_nanoseconds.percentile(50));
    step.sample_p90 = static_cast<double>(source.sample_nanoseconds.percentile(90));
    step.sample_p99 = static_cast<double>(source.sample_nanoseconds.percentile(99));
    step.sample_p999 = static_cast<double>(source.sample_nanoseconds.percentile(99.9));
    breakdown.sum_nanoseconds += step.nanoseconds;
    breakdown.steps.push_back(step);
  }
  // What no probe claims comes last: it is read as a remainder.
  const auto other = std::find_if(breakdown.steps.begin(), breakdown.steps.end(),
                                  [](const BreakdownStep& step) { return step.step == CostStep::kOther; });
  if (other != breakdown.steps.end()) std::rotate(other, other + 1, breakdown.steps.end());
  for (BreakdownStep& step : breakdown.steps) {
    step.share = breakdown.sum_nanoseconds > 0 ? step.nanoseconds / breakdown.sum_nanoseconds : 0;
    step.free_packets_per_second = per_second(breakdown.sum_nanoseconds - step.nanoseconds);
  }
  return breakdown;
}

std::vector<PipelineLimit> pipeline_limits(const Breakdown& sender, const Breakdown& receiver) {
  const double bits = sender.payload_bytes_per_packet() * 8;
  const auto limit = [bits](std::string side, CostStep step, double slower, double now) {
    PipelineLimit entry;
    entry.side = std::move(side);
    entry.step = step;
    entry.packets_per_second = per_second(slower);
    entry.bits_per_second = entry.packets_per_second * bits;
    entry.gain = now > 0 && entry.packets_per_second > 0 ? entry.packets_per_second / now - 1 : 0;
    return entry;
  };
  std::vector<PipelineLimit> limits;
  const double as_it_is = std::max(sender.sum_nanoseconds, receiver.sum_nanoseconds);
  limits.push_back(limit("", CostStep::kOther, as_it_is, 0));
  const double now = limits.front().packets_per_second;
  for (const BreakdownStep& step : sender.steps) {
    const double without = sender.sum_nanoseconds - step.nanoseconds;
    limits.push_back(limit(sender.side, step.step, std::max(without, receiver.sum_nanoseconds), now));
  }
  for (const BreakdownStep& step : receiver.steps) {
    const double without = receiver.sum_nanoseconds - step.nanoseconds;
    limits.push_back(limit(receiver.side, step.step, std::max(sender.sum_nanoseconds, without), now));
  }
  std::sort(limits.begin() + 1, limits.end(), [](const PipelineLimit& one, const PipelineLimit& other) {
    return std::tuple(-one.gain, other.side, one.step) < std::tuple(-other.gain, one.side, other.step);
  });
  return limits;
}

Json to_json(const Breakdown& breakdown) {
  Json steps = Json::array();
  for (const BreakdownStep& step : breakdown.steps) {
    steps.push_back({{"step", trace::cost_step_name(step.step)},
                     {"group", to_string(group_of(step.step))},
                     {"nanoseconds", step.nanoseconds},
                     {"share", step.share},
                     {"samples", step.samples},
                     {"sample_p50", step.sample_p50},
                     {"sample_p90", step.sample_p90},
                     {"sample_p99", step.sample_p99},
                     {"sample_p999", step.sample_p999},
                     {"free_packets_per_second", step.free_packets_per_second}});
  }
  const std::optional<bool> sums_up = breakdown.sums_up();
  return {{"name", breakdown.name},
          {"side", breakdown.side},
          {"packets", breakdown.packets},
          {"payload_bytes", breakdown.payload_bytes},
          {"steps", steps},
          {"sum_nanoseconds", breakdown.sum_nanoseconds},
          {"own_nanoseconds", breakdown.own_nanoseconds()},
          {"idle_nanoseconds", breakdown.idle_nanoseconds},
          {"plain_nanoseconds", breakdown.plain_nanoseconds ? to_json(*breakdown.plain_nanoseconds) : Json(nullptr)},
          {"remainder_nanoseconds", number_or_null(breakdown.remainder_nanoseconds())},
          {"sums_up", sums_up ? Json(*sums_up) : Json(nullptr)},
          {"probe_nanoseconds", breakdown.probe_nanoseconds},
          {"probes", breakdown.probes},
          {"clock", breakdown.clock},
          {"path", breakdown.path ? to_json(*breakdown.path) : Json(nullptr)}};
}

Breakdown breakdown_from_json(JsonReader reader) {
  Breakdown breakdown;
  breakdown.name = reader.text("name");
  breakdown.side = reader.text("side");
  breakdown.packets = reader.count("packets");
  breakdown.payload_bytes = reader.count("payload_bytes");
  double sum = 0;
  for (JsonReader& entry : reader.objects("steps")) {
    BreakdownStep step;
    const std::optional<CostStep> known = parse_cost_step(entry.text("step"));
    if (!known) entry.problem("step", "no such step");
    step.step = known.value_or(CostStep::kOther);
    step.nanoseconds = entry.number("nanoseconds");
    step.share = entry.number("share");
    step.samples = entry.number("samples");
    step.sample_p50 = entry.number("sample_p50");
    step.sample_p90 = entry.number("sample_p90");
    step.sample_p99 = entry.number("sample_p99");
    step.sample_p999 = entry.number("sample_p999");
    step.free_packets_per_second = entry.number("free_packets_per_second");
    sum += step.nanoseconds;
    breakdown.steps.push_back(step);
  }
  breakdown.sum_nanoseconds = reader.number("sum_nanoseconds");
  if (std::abs(sum - breakdown.sum_nanoseconds) > 1e-6 * std::max(1.0, sum)) {
    reader.problem("sum_nanoseconds", "is not the sum of the steps");
  }
  breakdown.idle_nanoseconds = reader.number("idle_nanoseconds");
  if (reader.has("plain_nanoseconds") && !reader.value()["plain_nanoseconds"].is_null()) {
    breakdown.plain_nanoseconds = interval_from_json(reader.object("plain_nanoseconds"));
  }
  breakdown.probe_nanoseconds = reader.number("probe_nanoseconds");
  breakdown.probes = reader.number("probes");
  breakdown.clock = reader.text("clock");
  if (reader.has("path") && !reader.value()["path"].is_null()) {
    breakdown.path = path_facts_from_json(reader.object("path"));
  }
  return breakdown;
}

}  // namespace godwit::measure
