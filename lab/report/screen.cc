#include "report/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "support/format.h"
#include "support/text_width.h"

namespace godwit::report {

namespace {

class Screen {
 public:
  explicit Screen(const TerminalOptions& terminal) : terminal_(terminal) {
    terminal_.width = terminal.width == 0 ? kScreenColumns : std::min(terminal.width, kScreenColumns);
  }

  void line(const std::string& text, Tone tone = Tone::kPlain) {
    lines_.push_back(paint(cut_to_columns(text, terminal_.width), tone, terminal_));
  }
  // Wrapped; where `most` lines do not hold it, the last one is cut.
  void paragraph(const std::string& text, std::size_t most, Tone tone = Tone::kPlain) {
    const std::vector<std::string> all = wrap_to_columns(text, terminal_.width);
    for (std::size_t i = 0; i < all.size() && i < most; ++i) {
      const bool cut = i + 1 == most && all.size() > most;
      line(cut ? all[i] + " …" : all[i], tone);
    }
  }
  void table(const Table& table) {
    std::istringstream text(print_table(table, terminal_));
    for (std::string each; std::getline(text, each);) lines_.push_back(each);
  }
  // The shares go together where there is no room for them.
  void components(const measure::ScenarioSummary& scenario) {
    const std::string title = scenario_title(scenario);
    line(display_width(title) <= terminal_.width ? title : title.substr(0, title.find(": ")), Tone::kStrong);
    const bool fits = widest_line(print_table(component_table(scenario), {})) <= terminal_.width;
    table(component_table(scenario, fits));
  }
  void gap() { lines_.emplace_back(); }

  [[nodiscard]] std::string take() {
    // Empty lines are the first that a full screen can do without.
    while (lines_.size() > kScreenLines) {
      const auto empty = std::find(lines_.begin(), lines_.end(), std::string{});
      if (empty == lines_.end()) break;
      lines_.erase(empty);
    }
    std::string text;
    for (const std::string& each : lines_) text += each + "\n";
    return text;
  }

 private:
  static std::size_t widest_line(const std::string& text) {
    std::istringstream lines(text);
    std::size_t widest = 0;
    for (std::string each; std::getline(lines, each);) widest = std::max(widest, display_width(each));
    return widest;
  }

  TerminalOptions terminal_;
  std::vector<std::string> lines_;
};

}  // namespace

std::string print_screen(const measure::Results& results, const ScreenOptions& options) {
  const measure::AnalysisSummary summary = measure::summarize_analysis(results);
  const Fitness fitness = fitness_of(results);
  Screen screen(options.terminal);
  if (!fitness.fit) screen.paragraph(fitness.sentence(), 2, Tone::kBad);
  screen.paragraph(fmt::format("Godwit {} on {}", results.version, describe_machine(results.fingerprint)), 2,
                   Tone::kStrong);
  screen.line(fmt::format("{}, {}, {} run, {}", describe_build(results.fingerprint),
                          results.fingerprint.cipher.empty() ? "no cipher" : "cipher " + results.fingerprint.cipher,
                          results.mode, results.started_at),
              Tone::kFaint);
  for (const auto* const scenario : {&summary.shipped, &summary.single}) {
    if (!*scenario) continue;
    screen.gap();
    screen.components(**scenario);
  }
  if (summary.shipped) {
    screen.gap();
    screen.table(rates_table(summary));
    screen.paragraph(sums_sentence(summary), 3, Tone::kFaint);
    if (const Table gains = gains_table(summary); !gains.empty()) {
      screen.gap();
      screen.table(gains);
    }
    screen.gap();
    screen.paragraph("Finding: " + key_finding(summary), 5, Tone::kStrong);
  }
  for (const std::string& sentence : suite_sentences(results)) screen.paragraph(sentence, 3);
  screen.line(options.page.empty() ? "Everything else: --verbose. No page was written."
                                   : "Everything else: " + options.page + ", or --verbose.");
  if (fitness.fit) {
    screen.paragraph(fitness.sentence(), 2, Tone::kGood);
  } else {
    screen.line(fitness.sentence(), Tone::kBad);
  }
  return screen.take();
}

}  // namespace godwit::report
