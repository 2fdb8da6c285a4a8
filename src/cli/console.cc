#include "cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "wire/utf8.h"

namespace godwit::cli {
namespace {

constexpr Duration kRedrawInterval = 100ms;
constexpr Duration kRateInterval = 1s;

bool is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

bool wants_colour() {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return is_terminal() && !dumb && (no_colour == nullptr || *no_colour == '\0');
}

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void print_to(std::FILE* file, std::string_view line) {
  fmt::print(file, "{}\n", line);
  std::fflush(file);
}

}  // namespace

void print_error(std::string_view text) {
  const bool colour = wants_colour();
  print_to(stderr, fmt::format("godwit: {}error:{} {}", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "",
                               printable_text(text, 500)));
}

void print_warning(std::string_view text) {
  const bool colour = wants_colour();
  print_to(stderr, fmt::format("godwit: {}warning:{} {}", colour ? "\033[1;33m" : "", colour ? "\033[0m" : "",
                               printable_text(text, 500)));
}

void print_line(std::string_view text) { print_to(stdout, text); }
void print_note(std::string_view text) { print_to(stderr, text); }

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.2f} {}", value, kUnits[unit]);
}

std::string format_rate(double bits_per_second) {
  constexpr std::array<std::string_view, 4> kUnits = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
  std::size_t unit = 0;
  while (bits_per_second >= 1000 && unit + 1 < kUnits.size()) {
    bits_per_second /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", bits_per_second, unit == 3 ? 2 : 1, kUnits[unit]);
}

std::string format_clock(Duration duration) {
  const auto seconds = static_cast<std::uint64_t>(std::max(0.0, to_seconds(duration)) + 0.5);
  if (seconds < 3600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string format_duration(Duration duration) {
  const double nanoseconds = static_cast<double>(duration.count());
  if (nanoseconds < 1e3) return fmt::format("{:.0f} ns", nanoseconds);
  if (nanoseconds < 1e6) return fmt::format("{:.1f} us", nanoseconds / 1e3);
  if (nanoseconds < 1e9) return fmt::format("{:.3f} ms", nanoseconds / 1e6);
  return fmt::format("{:.3f} s", nanoseconds / 1e9);
}

std::string printable_text(std::string_view text, std::size_t longest) {
  std::string result(text.substr(0, longest));
  const bool broken = !wire::is_valid_utf8(as_bytes(result));
  for (char& character : result) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7f || (broken && byte >= 0x80)) character = '?';
  }
  // The C1 controls, U+0080 to U+009F, move a terminal's cursor as well.
  for (std::size_t i = 0; i + 1 < result.size(); ++i) {
    const auto next = static_cast<unsigned char>(result[i + 1]);
    if (static_cast<unsigned char>(result[i]) == 0xc2 && next >= 0x80 && next < 0xa0) {
      result[i] = '?';
      result[i + 1] = '?';
    }
  }
  return result;
}

ProgressBar::ProgressBar(bool enabled) : visible_(enabled && is_terminal()), colour_(wants_colour()) {}

ProgressBar::~ProgressBar() { clear(); }

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
  const double share = total == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const std::string left =
      rate_ > 0 && total >= done ? format_clock(from_seconds(static_cast<double>(total - done) / rate_)) : "-:--";
  const std::string tail = fmt::format(" {:3.0f} %  {}  {}  {} left", share * 100, format_bytes(done),
                                       format_rate(rate_ * 8), left);
  const std::size_t width = terminal_width();
  const std::string shown = printable_text(name, 30);
  const std::size_t used = shown.size() + tail.size() + 4;
  const std::size_t bar = width > used + 10 ? std::min<std::size_t>(width - used, 40) : 0;
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(bar));
  std::string line = shown;
  if (bar > 0) {
    line += fmt::format(" [{}{}{}{}]", colour_ ? "\033[32m" : "", std::string(filled, '='), colour_ ? "\033[0m" : "",
                        std::string(bar - filled, ' '));
  }
  fmt::print(stderr, "\r{}{}\033[K", line, tail);
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace godwit::cli
