// One thing the doctor looked at: what it found, whether that is fit to measure on, what it costs, how to fix it, and
// which levels of the suite it invalidates. What could not be learnt is "unknown", which is not "ok".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/json_fwd.h"

namespace godwit::measure {

enum class FindingVerdict : std::uint8_t {
  kOk,
  kCosts,    // figures are worse or noisier than this machine could give, but true
  kInvalid,  // figures of `levels` must not be gated on or compared
  kUnknown,  // the system does not say
};
[[nodiscard]] std::string_view to_string(FindingVerdict verdict);
[[nodiscard]] std::optional<FindingVerdict> parse_finding_verdict(std::string_view text);

struct Finding {
  std::string name;   // "area.what", stable: scripts look for it
  std::string value;  // what was found, for a person
  FindingVerdict verdict = FindingVerdict::kOk;
  std::string cost{};         // what it costs; empty when nothing
  std::string fix{};          // what to do about it: a command where there is one
  std::vector<int> levels{};  // invalidated levels, rising; empty unless kInvalid
};

inline constexpr int kLevels = 4;

struct EnvironmentReport {
  std::vector<Finding> findings;

  // 0: every finding is ok. 1: something costs or is unknown. 2: some level is invalid.
  [[nodiscard]] int exit_code() const;
  [[nodiscard]] bool fit_for(int level) const;
  // "load.processes: cc1plus 97 %" for each finding that invalidates the level.
  [[nodiscard]] std::vector<std::string> reasons_against(int level) const;
  [[nodiscard]] std::size_t count(FindingVerdict verdict) const;
  [[nodiscard]] const Finding* find(std::string_view name) const;
};

// Collects findings; the checks speak through it.
class Findings {
 public:
  void ok(std::string name, std::string value);
  void costs(std::string name, std::string value, std::string cost, std::string fix);
  void invalid(std::string name, std::string value, std::vector<int> levels, std::string cost, std::string fix);
  void unknown(std::string name, std::string why, std::string fix = "");
  [[nodiscard]] std::vector<Finding> take() { return std::move(findings_); }

 private:
  std::vector<Finding> findings_;
};

[[nodiscard]] Json to_json(const EnvironmentReport& report);
[[nodiscard]] EnvironmentReport environment_report_from_json(JsonReader reader);

}  // namespace godwit::measure
