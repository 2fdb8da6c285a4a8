// Processor time, context switches and memory of another process, from /proc.
#pragma once

#include <sys/types.h>

#include <optional>

#include "measure/system_files.h"
#include "support/cpu_time.h"

namespace godwit::measure {

// User and system time in the kernel's ticks of 10 ms, corrected to the precise sum where the system offers the
// process's CPU clock. Nothing when there is no such process.
[[nodiscard]] std::optional<CpuUsage> cpu_usage_of(pid_t process, const SystemFiles& files = {});

}  // namespace godwit::measure
