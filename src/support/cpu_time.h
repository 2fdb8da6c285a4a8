// Processor time, context switches and memory of this thread or this process: what a figure of
// throughput has cost. Both ends of a transfer are asked, so that "CPU seconds per gigabyte" counts sender and
// receiver.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "support/json_fwd.h"

namespace godwit::measure {

struct CpuUsage {
  Duration user{};
  Duration system{};
  std::uint64_t voluntary_switches = 0;    // the task went to sleep
  std::uint64_t involuntary_switches = 0;  // the scheduler took the processor away: on a quiet machine near zero
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
  std::uint64_t largest_resident_bytes = 0;  // a high-water mark: it does not shrink in differences

  [[nodiscard]] Duration total() const { return user + system; }
};

[[nodiscard]] CpuUsage cpu_usage_of_this_thread();
[[nodiscard]] CpuUsage cpu_usage_of_this_process();

// What was used between two readings; the high-water mark is the later one's.
[[nodiscard]] CpuUsage operator-(const CpuUsage& after, const CpuUsage& before);
[[nodiscard]] CpuUsage operator+(const CpuUsage& one, const CpuUsage& other);

[[nodiscard]] Json to_json(const CpuUsage& usage);
[[nodiscard]] CpuUsage cpu_usage_from_json(JsonReader reader);

}  // namespace godwit::measure
