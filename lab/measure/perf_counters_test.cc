#include "measure/perf_counters.h"

#include <gtest/gtest.h>

#include <utility>

#include "support/json.h"

namespace godwit::measure {
namespace {

TEST(PerfCounters, OffersACounterOrAReasonNeverBoth) {
  const PerfCounters counters;
  for (std::size_t i = 0; i < kPerfEvents; ++i) {
    const auto event = static_cast<PerfEvent>(i);
    EXPECT_EQ(counters.has(event), counters.reason(event).empty()) << name_of(event);
  }
  EXPECT_FALSE(counters.describe().empty());
}

TEST(PerfCounters, CountsMoreInstructionsForMoreWorkOrNone) {
  PerfCounters counters;
  const auto count = [&counters](int rounds) {
    counters.start();
    for (int i = 0; i < rounds; ++i) asm volatile("" ::"r"(i));
    return counters.stop().of(PerfEvent::kInstructions);
  };
  const auto few = count(1'000);
  const auto many = count(1'000'000);
  EXPECT_EQ(few.has_value(), counters.has(PerfEvent::kInstructions));
  if (few && many) {
    EXPECT_GT(*many, *few + 500'000);
  }
}

TEST(PerfCounters, CanBeMoved) {
  PerfCounters first;
  const bool had = first.has(PerfEvent::kInstructions);
  PerfCounters second = std::move(first);
  EXPECT_EQ(second.has(PerfEvent::kInstructions), had);
  second.start();
  EXPECT_EQ(second.stop().of(PerfEvent::kInstructions).has_value(), had);
}

TEST(PerfCounters, WriteNullForWhatIsAbsent) {
  PerfCounts counts;
  counts.values[0] = 12;
  const Json json = to_json(counts);
  EXPECT_EQ(json["instructions"], 12);
  EXPECT_TRUE(json["cycles"].is_null());
}

}  // namespace
}  // namespace godwit::measure
