#include <fmt/format.h>
#include <time.h>

#include "measure/cost_recorder.h"
#include "measure/environment_checks.h"
#include "measure/stopwatch.h"

namespace godwit::measure {

namespace {

std::int64_t nanoseconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

double cost_of_reading() {
  constexpr int kReadings = 2000;
  const std::uint64_t begin = raw_nanoseconds();
  std::uint64_t last = begin;
  for (int i = 0; i < kReadings; ++i) last = raw_nanoseconds();
  return static_cast<double>(last - begin) / kReadings;
}

void check_source(const SystemFiles& files, Findings& findings) {
  const std::string folder = "/sys/devices/system/clocksource/clocksource0/";
  const std::optional<std::string> source = files.read_line(folder + "current_clocksource");
  if (!source) {
    findings.unknown("clock.source", "not shown");
  } else if (*source == "tsc" || *source == "arch_sys_counter" || *source == "kvm-clock") {
    findings.ok("clock.source", *source);
  } else {
    findings.costs("clock.source", *source, "a clock reading is a system call or slower: about 1 us",
                   "boot with clocksource=tsc");
  }
}

void check_counter(const EnvironmentOptions& options, Findings& findings) {
  const TscUse use = tsc_use(options.files);
  if (!use.usable) {
    findings.costs(
        "clock.counter", use.reason,
        "cost probes read CLOCK_MONOTONIC_RAW: some 3 times the cost of a probe, so the breakdown is coarser",
        "boot with clocksource=tsc where the processor allows it");
    return;
  }
  if (!may_probe(options)) {
    findings.ok("clock.counter", use.reason);
    return;
  }
  const TickClock clock = TickClock::calibrate();
  if (!clock.uses_tsc()) {
    findings.costs("clock.counter", clock.reason(), "cost probes read CLOCK_MONOTONIC_RAW instead",
                   "a quieter machine");
    return;
  }
  const CostRecorder recorder(clock);
  findings.ok("clock.counter",
              fmt::format("{:.0f} MHz, a cost probe takes {:.0f} ns, a clock reading {:.0f} ns",
                          1000 / clock.nanoseconds_per_tick(), recorder.probe_nanoseconds(), cost_of_reading()));
}

void check_suspend(const EnvironmentOptions& options, Findings& findings) {
  if (!may_probe(options)) {
    findings.unknown("clock.suspend", kNotProbed);
    return;
  }
  const std::int64_t slept = nanoseconds_of(CLOCK_BOOTTIME) - nanoseconds_of(CLOCK_MONOTONIC);
  std::int64_t last = nanoseconds_of(CLOCK_BOOTTIME);
  bool backwards = false;
  for (int i = 0; i < 2000; ++i) {
    const std::int64_t now = nanoseconds_of(CLOCK_BOOTTIME);
    backwards = backwards || now < last;
    last = now;
  }
  if (backwards) {
    findings.invalid("clock.suspend", "the boot-time clock steps backwards", {1, 2, 3},
                     "timers and every latency are wrong", "another clock source");
  } else if (slept > 1'000'000'000) {
    findings.ok("clock.suspend",
                fmt::format("slept {} s since boot; the runtime's clock counts it", slept / 1'000'000'000));
  } else {
    findings.ok("clock.suspend", "never since boot");
  }
}

}  // namespace

void check_clock(const EnvironmentOptions& options, Findings& findings) {
  check_source(options.files, findings);
  check_counter(options, findings);
  check_suspend(options, findings);
}

}  // namespace godwit::measure
