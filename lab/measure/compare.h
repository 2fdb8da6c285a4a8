// Before against after, so that it cannot flatter: a case claims a change only if the paired samples exclude chance,
// corrected for the number of cases looked at, AND the effect exceeds what this machine does to a program compared with
// itself (the A/A threshold, in relative and in absolute units). Everything else is "no change" or, where the
// interval is too wide to say so, "cannot tell". Where time cannot tell and both programs' instructions were counted,
// the instructions decide. Pure functions; the runner in benches/ orders and takes the samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "measure/statistics.h"
#include "support/json_fwd.h"

namespace godwit::measure {

// Which direction of a case's unit is an improvement.
enum class Better : std::uint8_t { kLower, kHigher };
[[nodiscard]] std::string_view to_string(Better better);
[[nodiscard]] std::optional<Better> parse_better(std::string_view text);

// What an A/A comparison of a case may show without anything having changed.
struct NoiseThreshold {
  double relative = 0;    // share: 0.02 is 2 %
  double absolute = 0;    // in the case's unit
  std::size_t pairs = 0;  // A/A pairs it was measured with; 0: assumed
  [[nodiscard]] bool measured() const { return pairs > 0; }
};

// From pairs of the same program: the far end of the 99 % interval of the median ratio (and of the median difference),
// but at least half a percent. Equal lengths, at least one pair, positive values.
[[nodiscard]] NoiseThreshold noise_threshold(std::span<const double> first, std::span<const double> second);
// For cases without an A/A run: 2, 5, 10, 15 % for levels 0 … 3, what comparable suites see.
[[nodiscard]] NoiseThreshold assumed_threshold(int level);
// For interleaved pairs of a few milliseconds each, many times over in fresh processes: what a whole comparison of a
// program with itself stays within (scripts/measure_verdicts.py measures it).
[[nodiscard]] NoiseThreshold paired_threshold(int level);
// The larger of both in each unit: of several A/A runs, the noisiest counts.
[[nodiscard]] NoiseThreshold worst_of(const NoiseThreshold& one, const NoiseThreshold& other);

struct ComparedCase {
  std::string name{};
  std::string unit{};
  Better better = Better::kLower;
  // Paired: baseline[i] and candidate[i] were taken side by side in random order, and the lengths are equal. Unpaired
  // (a stored baseline): any lengths. Positive values.
  std::vector<double> baseline{};
  std::vector<double> candidate{};
  bool paired = true;
  NoiseThreshold noise_threshold{};
  // Instructions of the candidate over those of the baseline for the same operations; nothing where they were not
  // counted.
  std::optional<double> instruction_ratio{};
};

enum class Verdict : std::uint8_t { kFaster, kSlower, kNoChange, kCannotTell };
[[nodiscard]] std::string_view to_string(Verdict verdict);
[[nodiscard]] std::optional<Verdict> parse_verdict(std::string_view text);

struct ComparisonOptions {
  // Chance that a run without any change raises an alarm in any of its cases, before the threshold is applied. At 0.01,
  // twenty A/A runs raise more than one alarm once in sixty times.
  double family_alpha = 0.01;
  double confidence = 0.95;  // of each case's shown interval
  std::size_t resamples = 4000;
  std::uint64_t seed = 1;
  // How often the same cases are looked at while pairs are added: each look gets its part of `family_alpha`.
  std::size_t looks = 1;
  // Between two runs at different times a machine drifts by more than within one: the threshold of unpaired cases is
  // multiplied by this.
  double unpaired_threshold_factor = 2;
};

struct CaseVerdict {
  std::string name;
  std::string unit;
  Better better = Better::kLower;
  bool paired = true;
  double baseline = 0;  // medians, in the unit
  double candidate = 0;
  Interval ratio;                  // candidate / baseline
  double p = 1;                    // of this case alone
  double adjusted_p = 1;           // Holm, over all cases of the comparison
  NoiseThreshold noise_threshold;  // the one applied
  std::optional<double> instruction_ratio{};
  std::size_t samples = 0;
  Verdict verdict = Verdict::kCannotTell;
  std::string reason;  // one clause: why this verdict
};

struct Comparison {
  std::vector<CaseVerdict> cases;

  [[nodiscard]] std::size_t count(Verdict verdict) const;
  // Cases that claim a change.
  [[nodiscard]] std::size_t alarms() const { return count(Verdict::kFaster) + count(Verdict::kSlower); }
  // 0: no case is slower. 1: at least one is. 2: nothing could be decided.
  [[nodiscard]] int exit_code() const;
};

[[nodiscard]] Comparison compare(std::span<const ComparedCase> cases, const ComparisonOptions& options = {});

// The verdicts of an earlier look stand; cases that it could not tell get those of the later one, which has all
// pairs of the earlier one and more. Both were made with ComparisonOptions::looks of at least two.
[[nodiscard]] Comparison settle(const Comparison& earlier, const Comparison& later);

// Instructions below this share of a difference are noise of random keys and hash tables.
inline constexpr double kInstructionThreshold = 0.01;

// The fewest pairs with which a case can claim a change at all when `cases` are looked at; a runner takes half as many
// again, since real pairs do not all agree.
[[nodiscard]] std::size_t pairs_needed(std::size_t cases, double family_alpha = 0.01);

// Holm's step-down adjustment: valid whatever the dependence between the cases.
[[nodiscard]] std::vector<double> holm_adjust(std::span<const double> p_values);

[[nodiscard]] Json to_json(const NoiseThreshold& threshold);
[[nodiscard]] NoiseThreshold noise_threshold_from_json(JsonReader reader);
[[nodiscard]] Json to_json(const Comparison& comparison);
[[nodiscard]] Comparison comparison_from_json(JsonReader reader);

}  // namespace godwit::measure
