#include "measure/stopwatch.h"

#include <gtest/gtest.h>

#include "measure/fake_files.h"

namespace godwit::measure {
namespace {

constexpr char kSource[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

TEST(Stopwatch, RunsForwards) {
  Stopwatch watch;
  const Duration first = watch.elapsed();
  EXPECT_GE(watch.elapsed(), first);
  EXPECT_GE(first, Duration::zero());
}

TEST(TscUse, TrustsACounterThatTheKernelTrusts) {
  if (!has_tsc()) GTEST_SKIP();
  FakeFiles fake;
  fake.write("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc\n");
  fake.write(kSource, "tsc\n");
  EXPECT_TRUE(tsc_use(fake.files()).usable);
}

TEST(TscUse, SaysWhyACounterIsNotUsable) {
  if (!has_tsc()) GTEST_SKIP();
  FakeFiles fake;
  EXPECT_EQ(tsc_use(fake.files()).reason, "the processor's flags cannot be read");
  fake.write("/proc/cpuinfo", "flags\t\t: fpu tsc constant_tsc\n");
  EXPECT_EQ(tsc_use(fake.files()).reason, "the processor lacks nonstop_tsc");
  fake.write("/proc/cpuinfo", "flags\t\t: fpu tsc constant_tsc nonstop_tsc\n");
  EXPECT_EQ(tsc_use(fake.files()).reason, "the kernel's clock source cannot be read");
  fake.write(kSource, "hpet\n");
  EXPECT_EQ(tsc_use(fake.files()).reason, "the kernel keeps time by hpet, not by tsc");
  EXPECT_FALSE(tsc_use(fake.files()).usable);
}

TEST(TickClock, FallsBackToTheRawClockAndSaysSo) {
  FakeFiles fake;
  const TickClock clock = TickClock::calibrate(2ms, fake.files());
  EXPECT_FALSE(clock.uses_tsc());
  EXPECT_EQ(clock.name(), "clock_monotonic_raw");
  EXPECT_EQ(clock.nanoseconds(17), 17);
  EXPECT_FALSE(clock.reason().empty());
}

TEST(TickClock, AgreesWithTheRawClock) {
  const TickClock clock = TickClock::calibrate();
  const std::uint64_t raw_before = raw_nanoseconds();
  const std::uint64_t before = clock.now();
  const std::uint64_t after = clock.now();
  const std::uint64_t raw_after = raw_nanoseconds();
  EXPECT_GE(after, before);
  // The ticks were read inside the raw interval, so they cannot have lasted much longer.
  EXPECT_LE(clock.nanoseconds(after - before), static_cast<double>(raw_after - raw_before) * 1.01 + 100);
}

}  // namespace
}  // namespace godwit::measure
