#include "sim/shrink.h"

#include <functional>
#include <optional>
#include <vector>

#include "sim/simulator.h"

namespace godwit::sim {
namespace {

using Reduction = std::function<void(Scenario&)>;

template <typename T>
void without_each(std::vector<Reduction>& out, const Scenario& scenario, std::vector<T> Scenario::* list) {
  for (std::size_t i = 0; i < (scenario.*list).size(); ++i) {
    out.push_back([=](Scenario& s) { (s.*list).erase((s.*list).begin() + static_cast<std::ptrdiff_t>(i)); });
  }
}

void reduce_link(std::vector<Reduction>& out, std::size_t i, const LinkSpec& link) {
  const auto add = [&](bool present, void (*change)(LinkSpec&)) {
    if (present) out.push_back([i, change](Scenario& s) { change(s.links[i]); });
  };
  add(link.loss != LossSpec{}, [](LinkSpec& l) { l.loss = {}; });
  add(link.jitter > Duration::zero(), [](LinkSpec& l) { l.jitter = {}; });
  add(link.reorder > 0, [](LinkSpec& l) { l.reorder = 0; });
  add(link.duplicate > 0, [](LinkSpec& l) { l.duplicate = 0; });
  add(link.corrupt > 0, [](LinkSpec& l) { l.corrupt = 0; });
  add(!link.blackouts.empty(), [](LinkSpec& l) { l.blackouts.clear(); });
  add(!link.rate_changes.empty(), [](LinkSpec& l) { l.rate_changes.clear(); });
  add(!link.delay_spikes.empty(), [](LinkSpec& l) { l.delay_spikes.clear(); });
  add(!link.mtu_changes.empty(), [](LinkSpec& l) { l.mtu_changes.clear(); });
  add(link.policer.has_value(), [](LinkSpec& l) { l.policer.reset(); });
  add(link.mtu != 1500, [](LinkSpec& l) { l.mtu = 1500; });
  add(link.ecn != EcnRule::kPass, [](LinkSpec& l) { l.ecn = EcnRule::kPass; });
  add(link.aqm != Aqm::kDropTail, [](LinkSpec& l) { l.aqm = Aqm::kDropTail; });
  add(!link.rate.is_unlimited(), [](LinkSpec& l) { l.rate = Bandwidth::unlimited(); });
  add(link.delay != Duration(10ms), [](LinkSpec& l) { l.delay = 10ms; });
}

void reduce_flow(std::vector<Reduction>& out, std::size_t i, const FlowSpec& flow) {
  const auto add = [&](bool present, void (*change)(FlowSpec&)) {
    if (present) out.push_back([i, change](Scenario& s) { change(s.flows[i]); });
  };
  add(flow.count > 1, [](FlowSpec& f) { f.count = 1; });
  add(flow.count > 1, [](FlowSpec& f) { f.count /= 2; });
  add(flow.count > 1, [](FlowSpec& f) { --f.count; });
  add(flow.bytes >= 2 * kSmallestPayload, [](FlowSpec& f) { f.bytes /= 2; });
  add(flow.reply_bytes >= 2 * kSmallestPayload, [](FlowSpec& f) { f.reply_bytes /= 2; });
  add(flow.pause_every > 0, [](FlowSpec& f) { f.pause_every = 0; });
  add(flow.start > Duration::zero(), [](FlowSpec& f) { f.start = {}; });
  add(flow.window > 1, [](FlowSpec& f) { f.window = 1; });
  add(flow.interval > Duration::zero() && flow.kind != FlowKind::kMessages, [](FlowSpec& f) { f.interval = {}; });
}

void reduce_attack(std::vector<Reduction>& out, std::size_t i, const AttackSpec& attack) {
  const auto add = [&](bool present, void (*change)(AttackSpec&)) {
    if (present) out.push_back([i, change](Scenario& s) { change(s.attacks[i]); });
  };
  add(attack.count > 1, [](AttackSpec& a) { a.count = 1; });
  add(attack.count > 1, [](AttackSpec& a) { a.count /= 2; });
  add(attack.count > 1, [](AttackSpec& a) { --a.count; });
  add(attack.start > Duration::zero(), [](AttackSpec& a) { a.start = {}; });
  add(attack.other_interface, [](AttackSpec& a) { a.other_interface = false; });
}

std::vector<Reduction> reductions(const Scenario& scenario) {
  std::vector<Reduction> out;
  // Without any attack there is another scenario, whose hosts have other keys.
  if (scenario.attacks.size() > 1) without_each(out, scenario, &Scenario::attacks);
  without_each(out, scenario, &Scenario::faults);
  without_each(out, scenario, &Scenario::flows);
  without_each(out, scenario, &Scenario::competitors);
  for (std::size_t i = 0; i < scenario.hosts.size(); ++i) {
    if (scenario.hosts[i].nat) out.push_back([i](Scenario& s) { s.hosts[i].nat.reset(); });
    out.push_back([i](Scenario& s) {
      const CongestionKind kept = s.hosts[i].config.congestion;
      s.hosts[i].config = {};
      s.hosts[i].config.congestion = kept;
    });
    out.push_back([i](Scenario& s) { s.hosts[i].receive_interval = {}; });
    out.push_back([i](Scenario& s) { s.hosts[i].seal_delay = {}; });
  }
  for (std::size_t i = 0; i < scenario.links.size(); ++i) reduce_link(out, i, scenario.links[i]);
  for (std::size_t i = 0; i < scenario.flows.size(); ++i) reduce_flow(out, i, scenario.flows[i]);
  for (std::size_t i = 0; i < scenario.attacks.size(); ++i) reduce_attack(out, i, scenario.attacks[i]);
  return out;
}

std::size_t weight(const Scenario& scenario) {
  return reductions(scenario).size();
}

}  // namespace

ShrinkResult shrink(const Scenario& scenario, Rule rule, std::uint64_t most_runs) {
  ShrinkResult best{.scenario = scenario, .violation = {}};
  const auto breaks = [&](const Scenario& candidate) -> std::optional<Violation> {
    if (candidate.flows.empty() || candidate.problem()) return std::nullopt;
    ++best.runs;
    const SimulationResult result = Simulator(candidate).run();
    if (result.clean() || result.violations.front().rule != rule) return std::nullopt;
    return result.violations.front();
  };
  if (const auto violation = breaks(scenario)) best.violation = *violation;
  bool progress = true;
  while (progress && best.runs < most_runs) {
    progress = false;
    for (std::size_t i = 0; i < weight(best.scenario) && best.runs < most_runs; ++i) {
      Scenario candidate = best.scenario;
      reductions(best.scenario)[i](candidate);
      const auto violation = breaks(candidate);
      if (!violation) continue;
      // A default configuration put back for a default one is no progress.
      progress = progress || weight(candidate) < weight(best.scenario);
      best.scenario = std::move(candidate);
      best.violation = *violation;
      ++best.steps;
    }
  }
  return best;
}

}  // namespace godwit::sim
