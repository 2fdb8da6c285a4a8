#include "measure/stopwatch.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace godwit::measure {

namespace {

struct Reading {
  std::uint64_t ticks;
  std::uint64_t nanoseconds;
};

// Both clocks at nearly one moment: of several attempts, the one in which least time passed between two readings of
// the counter. An interruption between the clocks would otherwise bend the rate.
Reading read_both() {
  Reading best{};
  std::uint64_t least = ~std::uint64_t{0};
  for (int attempt = 0; attempt < 8; ++attempt) {
    const std::uint64_t before = read_tsc();
    const std::uint64_t nanoseconds = raw_nanoseconds();
    const std::uint64_t after = read_tsc();
    if (after - before < least) {
      least = after - before;
      best = {before + (after - before) / 2, nanoseconds};
    }
  }
  return best;
}

Reading read_both_after(std::uint64_t nanoseconds) {
  while (raw_nanoseconds() < nanoseconds) {
  }
  return read_both();
}

double rate(const Reading& from, const Reading& to) {
  return static_cast<double>(to.nanoseconds - from.nanoseconds) / static_cast<double>(to.ticks - from.ticks);
}

bool has_flag(std::string_view flags, std::string_view wanted) {
  const std::vector<std::string_view> words = split_words(flags);
  return std::find(words.begin(), words.end(), wanted) != words.end();
}

}  // namespace

TscUse tsc_use(const SystemFiles& files) {
  if (!has_tsc()) return {false, "this processor family offers no time-stamp counter to this build"};
  const std::optional<std::string> cpuinfo = files.read("/proc/cpuinfo");
  const std::optional<std::string> flags = cpuinfo ? value_of(*cpuinfo, "flags") : std::nullopt;
  if (!flags) return {false, "the processor's flags cannot be read"};
  for (const std::string_view flag : {"constant_tsc", "nonstop_tsc"}) {
    if (!has_flag(*flags, flag)) return {false, "the processor lacks " + std::string(flag)};
  }
  const std::optional<std::string> source =
      files.read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  if (!source) return {false, "the kernel's clock source cannot be read"};
  if (*source != "tsc") return {false, "the kernel keeps time by " + *source + ", not by tsc"};
  return {true, "constant, never stops, and the kernel keeps time by it"};
}

TickClock TickClock::raw(std::string reason) {
  TickClock clock;
  clock.reason_ = std::move(reason);
  return clock;
}

TickClock TickClock::calibrate(Duration span, const SystemFiles& files) {
  const TscUse use = tsc_use(files);
  if (!use.usable) return raw(use.reason);
  const std::uint64_t half = static_cast<std::uint64_t>(std::max<Duration::rep>(span.count() / 2, 1'000'000));
  const Reading first = read_both();
  const Reading middle = read_both_after(first.nanoseconds + half);
  const Reading last = read_both_after(middle.nanoseconds + half);
  if (middle.ticks <= first.ticks || last.ticks <= middle.ticks) return raw("the time-stamp counter went backwards");
  const double disagreement = std::abs(rate(first, middle) / rate(middle, last) - 1);
  if (disagreement > 0.001) return raw("two calibrations of the time-stamp counter disagree by more than 0.1 %");
  TickClock clock;
  clock.tsc_ = true;
  clock.nanoseconds_per_tick_ = rate(first, last);
  clock.reason_ = use.reason;
  return clock;
}

}  // namespace godwit::measure
