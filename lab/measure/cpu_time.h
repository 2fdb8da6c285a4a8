// Processor time, context switches and memory of this thread, this process or another process: what a figure of
// throughput has cost. Both ends of a transfer are asked, so that "CPU seconds per gigabyte" counts sender and
// receiver.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "support/json_fwd.h"
#include "measure/system_files.h"

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
// From /proc; user and system in the kernel's ticks of 10 ms, corrected to the precise sum where the system offers the
// process's CPU clock. Nothing when there is no such process.
[[nodiscard]] std::optional<CpuUsage> cpu_usage_of(pid_t process, const SystemFiles& files = {});

// What was used between two readings; the high-water mark is the later one's.
[[nodiscard]] CpuUsage operator-(const CpuUsage& after, const CpuUsage& before);
[[nodiscard]] CpuUsage operator+(const CpuUsage& one, const CpuUsage& other);

[[nodiscard]] Json to_json(const CpuUsage& usage);
[[nodiscard]] CpuUsage cpu_usage_from_json(JsonReader reader);

}  // namespace godwit::measure
