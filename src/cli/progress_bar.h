// A bar that redraws itself on one line of a terminal, at most ten times a second and in whatever width the terminal
// has at that moment. Silent where standard error is no terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace godwit::cli {

struct ProgressState {
  std::string_view name;  // of what is moved; hostile
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  double bytes_per_second = 0;
};
// The bar in at most `columns` columns: parts are left out, least important first, where it is narrow, and the name is
// cut between characters.
[[nodiscard]] std::string draw_progress(const ProgressState& state, std::size_t columns, bool colour);

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
