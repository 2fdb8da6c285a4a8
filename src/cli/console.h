// Standard output for results, standard error for one-line errors, warnings and progress. Progress and colour appear on
// a terminal only, and no colour where NO_COLOR is set (no-color.org).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace godwit::cli {

// "godwit: error: TEXT" on standard error, one line whatever the text holds.
void print_error(std::string_view text);
void print_warning(std::string_view text);
// A line on standard output, flushed, so that whoever reads a pipe sees it at once.
void print_line(std::string_view text);
// A line on standard error, for what is said beside results.
void print_note(std::string_view text);

// "1.50 GiB", "640 KiB", "12 B".
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);
// "9.53 Gbit/s", "100.0 Mbit/s".
[[nodiscard]] std::string format_rate(double bits_per_second);
// "1:02:03", "0:07".
[[nodiscard]] std::string format_clock(Duration duration);
// "1.234 ms", "56.7 us".
[[nodiscard]] std::string format_duration(Duration duration);
// Safe to print: control characters and broken UTF-8 become '?'.
[[nodiscard]] std::string printable_text(std::string_view text, std::size_t longest = 200);

// A bar that redraws itself on one line of a terminal, at most ten times a second. Silent elsewhere.
class ProgressBar {
 public:
  explicit ProgressBar(bool enabled = true);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  [[nodiscard]] bool visible() const { return visible_; }
  // Forgets the rate: another file begins.
  void restart(Instant now);
  void update(Instant now, std::string_view name, std::uint64_t done, std::uint64_t total);
  // Takes the bar off the screen, so that a line can be printed in its place.
  void clear();

 private:
  bool visible_;
  bool colour_;
  bool drawn_ = false;
  std::optional<Instant> last_drawn_;
  // The rate shown is over the last few seconds.
  Instant mark_at_{};
  std::uint64_t mark_done_ = 0;
  double rate_ = 0;  // bytes per second
};

}  // namespace godwit::cli
