#include "report/terminal.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/tables.h"
#include "support/format.h"
#include "support/text_width.h"

namespace godwit::report {

namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 24;  // a wrapped column is not squeezed below

const char* code_of(Tone tone) {
  switch (tone) {
    case Tone::kPlain: return "";
    case Tone::kGood: return "\033[32m";
    case Tone::kBad: return "\033[1;31m";
    case Tone::kWarning: return "\033[33m";
    case Tone::kFaint: return "\033[2m";
    case Tone::kStrong: return "\033[1m";
  }
  return "";
}

std::string spaces(std::size_t count) {
  return std::string(count, ' ');
}

std::size_t column_width(const Table& table, std::size_t column) {
  std::size_t width = display_width(table.columns[column].title);
  for (const std::vector<Cell>& row : table.rows) width = std::max(width, display_width(row[column].text));
  return width;
}

std::string without_trailing_spaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

// One row, of which the last cell may take several lines.
std::string print_row(const std::vector<Cell>& cells, const std::vector<Column>& columns,
                      const std::vector<std::size_t>& widths, const TerminalOptions& options) {
  std::string head;
  std::size_t indentation = 0;
  for (std::size_t i = 0; i + 1 < cells.size(); ++i) {
    const std::string padding = spaces(widths[i] - display_width(cells[i].text));
    const std::string text = paint(cells[i].text, cells[i].tone, options);
    head += (columns[i].right ? padding + text : text + padding) + spaces(kGap);
    indentation += widths[i] + kGap;
  }
  const Cell& last = cells.back();
  const std::vector<std::string> lines = wrap_to_columns(last.text, widths.back());
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t used = display_width(lines[i]);
    const std::string padding = columns.back().right && used < widths.back() ? spaces(widths.back() - used) : "";
    const std::string line = (i == 0 ? head : spaces(indentation)) + padding + paint(lines[i], last.tone, options);
    out += without_trailing_spaces(line) + "\n";
  }
  return out;
}

Table without_column(const Table& table, std::size_t column) {
  Table narrower = table;
  const auto at = static_cast<std::ptrdiff_t>(column);
  narrower.columns.erase(narrower.columns.begin() + at);
  for (std::vector<Cell>& row : narrower.rows) row.erase(row.begin() + at);
  return narrower;
}

std::size_t total_width(const std::vector<std::size_t>& widths) {
  std::size_t total = kGap * (widths.size() - 1);
  for (const std::size_t width : widths) total += width;
  return total;
}

std::string indented(const std::string& label, const std::string& text, std::size_t width) {
  constexpr std::size_t kIndentation = 10;
  const std::string head = spaces(kIndentation) + label;
  const std::size_t room =
      width == 0 ? text.size() + 1 : std::max(kNarrowest, width - std::min(width, display_width(head)));
  std::string out;
  for (const std::string& line : wrap_to_columns(text, room)) {
    out += (out.empty() ? head : spaces(display_width(head))) + line + "\n";
  }
  return out;
}

}  // namespace

std::string paint(std::string_view text, Tone tone, const TerminalOptions& options) {
  const char* code = code_of(tone);
  if (!options.colour || *code == '\0' || text.empty()) return std::string(text);
  return std::string(code) + std::string(text) + "\033[0m";
}

std::string print_table(const Table& wide, const TerminalOptions& options) {
  if (wide.columns.empty()) return "";
  Table table = wide;
  std::vector<std::size_t> widths;
  const auto measure_widths = [&] {
    widths.clear();
    for (std::size_t i = 0; i < table.columns.size(); ++i) widths.push_back(column_width(table, i));
  };
  measure_widths();
  for (std::size_t i = table.columns.size(); options.width > 0 && i-- > 0 && total_width(widths) > options.width;) {
    if (!table.columns[i].minor || table.columns.size() == 1) continue;
    table = without_column(table, i);
    measure_widths();
  }
  if (options.width > 0 && total_width(widths) > options.width) {
    const std::size_t before = total_width(widths) - widths.back();
    widths.back() = std::max(kNarrowest, options.width - std::min(options.width, before));
  }
  std::string out;
  if (!table.title.empty()) out += paint(table.title, Tone::kStrong, options) + "\n";
  std::vector<Cell> titles;
  for (const Column& column : table.columns) titles.push_back({column.title, Tone::kFaint});
  out += print_row(titles, table.columns, widths, options);
  for (const std::vector<Cell>& row : table.rows) out += print_row(row, table.columns, widths, options);
  if (!table.note.empty()) {
    for (const std::string& line :
         wrap_to_columns(table.note, options.width == 0 ? table.note.size() + 1 : options.width)) {
      out += paint(line, Tone::kFaint, options) + "\n";
    }
  }
  return out;
}

std::string print_environment(const measure::EnvironmentReport& report, const TerminalOptions& options, bool all) {
  using measure::FindingVerdict;
  std::size_t longest = 0;
  for (const measure::Finding& finding : report.findings) longest = std::max(longest, display_width(finding.name));
  std::string out;
  for (const measure::Finding& finding : report.findings) {
    if (!all && finding.verdict == FindingVerdict::kOk) continue;
    const std::string verdict(to_string(finding.verdict));
    const std::vector<Column> columns(3);
    const std::size_t before = 8 + longest + 2 * kGap;
    const std::size_t room = options.width == 0 ? finding.value.size() + 1
                                                : std::max(kNarrowest, options.width - std::min(options.width, before));
    out += print_row({{verdict, tone_of(finding.verdict)}, {finding.name, Tone::kPlain}, {finding.value, Tone::kPlain}},
                     columns, {8, longest, room}, options);
    if (!finding.cost.empty()) out += indented("costs  ", finding.cost, options.width);
    if (!finding.fix.empty()) out += indented("fix    ", finding.fix, options.width);
    if (!finding.levels.empty())
      out += indented("voids  ", fmt::format("level {}", fmt::join(finding.levels, ", ")), options.width);
  }
  out += fmt::format("\n{} ok, {} cost, {} invalid, {} unknown. ", report.count(FindingVerdict::kOk),
                     report.count(FindingVerdict::kCosts), report.count(FindingVerdict::kInvalid),
                     report.count(FindingVerdict::kUnknown));
  std::vector<int> unfit;
  for (int level = 0; level < measure::kLevels; ++level) {
    if (!report.fit_for(level)) unfit.push_back(level);
  }
  out += unfit.empty()
             ? paint("Fit for every level.", Tone::kGood, options)
             : paint(fmt::format("Not fit for gating on level {}.", fmt::join(unfit, ", ")), Tone::kBad, options);
  return out + "\n";
}

std::string print_progress(std::size_t done, std::size_t all, std::string_view what, double elapsed_seconds,
                           const TerminalOptions& options) {
  std::string line = fmt::format("[{}/{}] {}", done, all, what);
  if (done > 0 && done < all) {
    const double left = elapsed_seconds / static_cast<double>(done) * static_cast<double>(all - done);
    line += fmt::format("  {} left", format_duration(left));
  } else if (done >= all) {
    line += fmt::format("  {}", format_duration(elapsed_seconds));
  }
  if (options.width == 0) return line + "\n";
  line = cut_to_columns(line, options.width - 1);
  return "\r\033[K" + line + (done >= all ? "\n" : "");
}

std::string ProgressPrinter::update(std::size_t done, std::size_t all, std::string_view what, double elapsed_seconds) {
  if (options_.width == 0) {
    if (last_ && elapsed_seconds < *last_ + seconds_between_) return "";
    last_ = elapsed_seconds;
  }
  drawn_ = true;
  return print_progress(done, all, what, elapsed_seconds, options_);
}

std::string ProgressPrinter::finish() {
  const bool clear = drawn_ && options_.width > 0;
  drawn_ = false;
  return clear ? "\r\033[K" : "";
}

}  // namespace godwit::report
