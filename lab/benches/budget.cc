#include "benches/budget.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "benches/output.h"
#include "benches/repetition.h"
#include "crypto/packet_cipher.h"
#include "support/build_facts.h"

namespace godwit::bench {
namespace {

constexpr std::uint64_t kFixedOperations = 4096;
constexpr const char* kInstructions = "instructions";

// Instructions follow from compiler, build type, and the code that libraries choose for the processor: valgrind shows
// them AVX2 at most.
std::string build_of() {
  const measure::BuildFacts facts = measure::build_facts();
  return facts.compiler + ", " + facts.build_type + (cipher_available(CipherKind::kIpsecMbAvx2) ? ", AVX2" : "");
}

// What `allowed`, a number or one for each build, says about this build.
std::optional<double> limit_of(const measure::Json& allowed, const std::string& build) {
  if (allowed.is_number()) return allowed.get<double>();
  if (!allowed.is_object()) return std::nullopt;
  const auto own = allowed.find(build);
  return own != allowed.end() && own->is_number() ? std::optional(own->get<double>()) : std::nullopt;
}

// By build; an empty object where `budget` has none.
measure::Json instructions_in(const measure::Json& budget, const std::string& bench_case) {
  const measure::Json nothing = measure::Json::object();
  return budget.value("cases", nothing).value(bench_case, nothing).value(kInstructions, nothing);
}

// Pure computation and virtual time, and the back ends by themselves, whose system calls follow from the batches.
bool has_exact_counts(const Case& bench_case) {
  return bench_case.level() <= 1 || bench_case.name.starts_with("level2/backend/") ||
         bench_case.name == "level3/connections/idle/1000";
}

}  // namespace

CountTable count_all(const std::vector<const Case*>& cases, std::vector<std::string>& failures) {
  CountTable table;
  for (const Case* bench_case : cases) {
    if (!has_exact_counts(*bench_case)) continue;
    const Repetition repetition = execute(
        *bench_case, {.iterations = bench_case->name.find("handshake") != std::string::npos ? 16 : kFixedOperations});
    if (!repetition.outcome.skipped.empty()) continue;
    if (!repetition.error.empty() || !repetition.outcome.verified) {
      failures.push_back(bench_case->name + ": " +
                         (repetition.error.empty() ? "not verified: " + repetition.outcome.proof : repetition.error));
      continue;
    }
    for (const auto& [name, value] : repetition.outcome.counts) table[bench_case->name][name] = value;
  }
  return table;
}

int run_under_callgrind(const std::vector<const Case*>& cases, int repeat_every) {
  for (const Case* bench_case : cases) {
    const Repetition repetition =
        execute(*bench_case, {.iterations = 1, .mode = RunMode::kInstructions, .repeat_every = repeat_every});
    if (!repetition.error.empty()) put(stderr, "{}: {}\n", bench_case->name, repetition.error);
  }
  return 0;
}

Result<CountTable> count_instructions_of(const std::string& program, const std::vector<const Case*>& cases,
                                         const InstructionOptions& options) {
  if (std::system("valgrind --version >/dev/null 2>&1") != 0)
    return failure(ErrorCode::kUnsupported, "valgrind is not installed");
  std::string pattern = (std::filesystem::temp_directory_path() / "godwit-callgrind-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return failure(ErrorCode::kSystem, "no temporary folder");
  const std::filesystem::path folder = pattern;
  std::string names;
  for (const Case* bench_case : cases) {
    if (bench_case->level() <= options.highest_level && !bench_case->whole) names += bench_case->name + "\n";
  }
  std::ofstream(folder / "cases") << names;
  const std::string command = fmt::format(
      "valgrind -q --tool=callgrind --collect-atstart=no --callgrind-out-file={}/out '{}' --under-callgrind {}/cases "
      "--repeat-every {} >/dev/null 2>{}/log",
      folder.string(), program, folder.string(), options.repeat_every, folder.string());
  const int code = std::system(command.c_str());
  CountTable table;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("out.")) continue;
    std::ifstream file(entry.path());
    std::string line;
    std::string name;
    while (std::getline(file, line)) {
      constexpr std::string_view kTrigger = "desc: Trigger: Client Request: ";
      if (line.starts_with(kTrigger)) name = line.substr(kTrigger.size());
      for (const std::string_view label : {"summary: ", "totals: "}) {
        if (!line.starts_with(label) || name.empty()) continue;
        table[name][kInstructions] = std::strtod(line.c_str() + label.size(), nullptr) / Bench::kCountedOperations;
      }
    }
  }
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (code != 0 && table.empty()) return failure(ErrorCode::kSystem, "callgrind did not finish");
  return table;
}

measure::Json budget_to_json(const CountTable& counts, const measure::Json& former) {
  const std::string build = build_of();
  measure::Json cases = measure::Json::object();
  for (const auto& [name, values] : counts) {
    measure::Json entry = measure::Json::object();
    for (const auto& [count, value] : values) {
      if (count != kInstructions) entry[count] = value;
    }
    measure::Json instructions = instructions_in(former, name);
    if (const auto own = values.find(kInstructions); own != values.end()) instructions[build] = own->second;
    if (!instructions.empty()) entry[kInstructions] = std::move(instructions);
    cases[name] = std::move(entry);
  }
  return {{"schema", "godwit-budget"}, {"schema_version", 3}, {"cases", std::move(cases)}};
}

std::vector<std::string> check_budget(const measure::Json& budget, const CountTable& counts,
                                      std::vector<std::string>& notes, double tolerance) {
  std::vector<std::string> problems;
  const auto cases = budget.find("cases");
  if (cases == budget.end() || !cases->is_object()) return {"the budget has no cases"};
  const std::string build = build_of();
  std::size_t compared = 0;
  std::size_t instructions_compared = 0;
  for (const auto& [name, values] : counts) {
    const auto bench_case = cases->find(name);
    if (bench_case == cases->end()) {
      notes.push_back(name + " is not in the budget");
      continue;
    }
    for (const auto& [count, value] : values) {
      const auto allowed = bench_case->find(count);
      const auto most = allowed == bench_case->end() ? std::nullopt : limit_of(*allowed, build);
      if (!most) continue;
      const bool instructions = count == kInstructions;
      // A full socket buffer may cost a send call more now and then; everything else is exact.
      const double slack = instructions ? tolerance : count == "send_calls" ? 0.05 : 0;
      const double limit = *most * (1 + slack) + 1e-9;
      ++(instructions ? instructions_compared : compared);
      if (value > limit) problems.push_back(fmt::format("{}: {} {:.4g}, allowed {:.4g}", name, count, value, *most));
    }
  }
  if (compared == 0) problems.emplace_back("nothing was compared");
  notes.push_back(fmt::format("{} counts compared, and the instructions of {} cases", compared, instructions_compared));
  if (instructions_compared == 0) notes.push_back("the budget has no instructions of this build: " + build);
  return problems;
}

}  // namespace godwit::bench
