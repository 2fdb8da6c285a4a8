#include "measure/finding.h"

#include <algorithm>
#include <utility>

#include "support/json.h"

namespace godwit::measure {

std::string_view to_string(FindingVerdict verdict) {
  switch (verdict) {
    case FindingVerdict::kOk: return "ok";
    case FindingVerdict::kCosts: return "costs";
    case FindingVerdict::kInvalid: return "invalid";
    case FindingVerdict::kUnknown: return "unknown";
  }
  return "unknown";
}

std::optional<FindingVerdict> parse_finding_verdict(std::string_view text) {
  for (const FindingVerdict verdict :
       {FindingVerdict::kOk, FindingVerdict::kCosts, FindingVerdict::kInvalid, FindingVerdict::kUnknown}) {
    if (to_string(verdict) == text) return verdict;
  }
  return std::nullopt;
}

int EnvironmentReport::exit_code() const {
  if (count(FindingVerdict::kInvalid) > 0) return 2;
  return count(FindingVerdict::kOk) == findings.size() ? 0 : 1;
}

bool EnvironmentReport::fit_for(int level) const {
  return reasons_against(level).empty();
}

std::vector<std::string> EnvironmentReport::reasons_against(int level) const {
  std::vector<std::string> reasons;
  for (const Finding& finding : findings) {
    if (finding.verdict != FindingVerdict::kInvalid) continue;
    if (std::find(finding.levels.begin(), finding.levels.end(), level) == finding.levels.end()) continue;
    reasons.push_back(finding.name + ": " + finding.value);
  }
  return reasons;
}

std::size_t EnvironmentReport::count(FindingVerdict verdict) const {
  return static_cast<std::size_t>(std::count_if(
      findings.begin(), findings.end(), [verdict](const Finding& finding) { return finding.verdict == verdict; }));
}

const Finding* EnvironmentReport::find(std::string_view name) const {
  const auto found =
      std::find_if(findings.begin(), findings.end(), [name](const Finding& f) { return f.name == name; });
  return found == findings.end() ? nullptr : &*found;
}

void Findings::ok(std::string name, std::string value) {
  findings_.push_back({.name = std::move(name), .value = std::move(value)});
}

void Findings::costs(std::string name, std::string value, std::string cost, std::string fix) {
  findings_.push_back({.name = std::move(name),
                       .value = std::move(value),
                       .verdict = FindingVerdict::kCosts,
                       .cost = std::move(cost),
                       .fix = std::move(fix)});
}

void Findings::invalid(std::string name, std::string value, std::vector<int> levels, std::string cost,
                       std::string fix) {
  findings_.push_back({.name = std::move(name),
                       .value = std::move(value),
                       .verdict = FindingVerdict::kInvalid,
                       .cost = std::move(cost),
                       .fix = std::move(fix),
                       .levels = std::move(levels)});
}

void Findings::unknown(std::string name, std::string why, std::string fix) {
  findings_.push_back(
      {.name = std::move(name), .value = std::move(why), .verdict = FindingVerdict::kUnknown, .fix = std::move(fix)});
}

Json to_json(const EnvironmentReport& report) {
  Json findings = Json::array();
  for (const Finding& finding : report.findings) {
    findings.push_back({{"name", finding.name},
                        {"value", finding.value},
                        {"verdict", to_string(finding.verdict)},
                        {"cost", finding.cost},
                        {"fix", finding.fix},
                        {"levels", finding.levels}});
  }
  Json fit = Json::array();
  for (int level = 0; level < kLevels; ++level) {
    if (report.fit_for(level)) fit.push_back(level);
  }
  return {{"exit_code", report.exit_code()}, {"fit_levels", fit}, {"findings", findings}};
}

EnvironmentReport environment_report_from_json(JsonReader reader) {
  EnvironmentReport report;
  for (JsonReader& entry : reader.objects("findings")) {
    Finding finding;
    finding.name = entry.text("name");
    finding.value = entry.text("value");
    const std::optional<FindingVerdict> verdict = parse_finding_verdict(entry.text("verdict"));
    if (!verdict) entry.problem("verdict", "expected \"ok\", \"costs\", \"invalid\" or \"unknown\"");
    finding.verdict = verdict.value_or(FindingVerdict::kUnknown);
    finding.cost = entry.text("cost");
    finding.fix = entry.text("fix");
    for (const double level : entry.numbers("levels")) {
      if (level < 0 || level >= kLevels) entry.problem("levels", "expected levels 0 to 3");
      finding.levels.push_back(static_cast<int>(level));
    }
    if (finding.verdict == FindingVerdict::kInvalid && finding.levels.empty()) {
      entry.problem("levels", "an invalid finding names the levels it invalidates");
    }
    report.findings.push_back(std::move(finding));
  }
  return report;
}

}  // namespace godwit::measure
