#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "cli/console.h"
#include "cli/text_format.h"
#include "support/terminal_options.h"
#include "support/text_width.h"

namespace godwit::cli {
namespace {

constexpr Duration kRedrawInterval = 100ms;
constexpr Duration kRateInterval = 1s;
constexpr std::size_t kLongestName = 30;
constexpr std::size_t kLeastName = 8;
constexpr std::size_t kLongestBar = 40;
constexpr std::size_t kLeastBar = 10;

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::string draw_progress(const ProgressState& state, std::size_t columns, bool colour) {
  const double share =
      state.total == 0 ? 1.0 : std::min(1.0, static_cast<double>(state.done) / static_cast<double>(state.total));
  const bool knows_end = state.bytes_per_second > 0 && state.total >= state.done;
  const std::string left =
      knows_end ? format_clock(from_seconds(static_cast<double>(state.total - state.done) / state.bytes_per_second))
                : "-:--";
  // From the most to the least important; the name comes before them as far as there is room.
  const std::array<std::string, 4> parts = {fmt::format("{:3.0f} %", share * 100), "  " + left + " left",
                                            "  " + format_rate(state.bytes_per_second * 8),
                                            "  " + format_bytes(state.done)};
  const std::string name = printable_text(state.name, kLongestName);
  std::size_t used = parts[0].size();
  if (used > columns) return {};
  std::size_t shown = 1;
  const std::size_t least_name = std::min(kLeastName, report::display_width(name)) + 1;
  while (shown < parts.size() && used + parts[shown].size() + least_name <= columns) used += parts[shown++].size();
  std::string line;
  if (columns > used + 2) {
    line = report::cut_to_columns(name, columns - used - 1);
    used += report::display_width(line) + 1;
    constexpr std::size_t kBrackets = 3;  // and the space before them
    if (columns >= used + kBrackets + kLeastBar) {
      const std::size_t bar = std::min(columns - used - kBrackets, kLongestBar);
      const auto filled = static_cast<std::size_t>(share * static_cast<double>(bar));
      line += fmt::format(" [{}{}{}{}]", colour ? "\033[32m" : "", std::string(filled, '='), colour ? "\033[0m" : "",
                          std::string(bar - filled, ' '));
    }
    line += ' ';
  }
  // In the order in which they are read.
  line += parts[0];
  if (shown > 3) line += parts[3];
  if (shown > 2) line += parts[2];
  if (shown > 1) line += parts[1];
  return line;
}

ProgressBar::ProgressBar(bool enabled)
    : visible_(enabled && ::isatty(STDERR_FILENO) == 1), colour_(report::terminal_options(STDERR_FILENO).colour) {}

ProgressBar::~ProgressBar() {
  clear();
}

void ProgressBar::restart(Instant now) {
  mark_at_ = now;
  mark_done_ = 0;
  rate_ = 0;
  last_drawn_.reset();
}

void ProgressBar::update(Instant now, std::string_view name, std::uint64_t done, std::uint64_t total) {
  if (!visible_ || (last_drawn_ && now - *last_drawn_ < kRedrawInterval)) return;
  last_drawn_ = now;
  if (now - mark_at_ >= kRateInterval || rate_ == 0) {
    const double seconds = to_seconds(now - mark_at_);
    if (seconds > 0 && done >= mark_done_) rate_ = static_cast<double>(done - mark_done_) / seconds;
    if (now - mark_at_ >= kRateInterval) {
      mark_at_ = now;
      mark_done_ = done;
    }
  }
  // The last column stays free: a terminal that has written it goes to the next line.
  const std::string line = draw_progress({.name = name, .done = done, .total = total, .bytes_per_second = rate_},
                                         terminal_columns() - 1, colour_);
  print_progress_text("\r" + line + "\033[K");
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  print_progress_text("\r\033[K");
  drawn_ = false;
}

}  // namespace godwit::cli
