// The real clock behind the core's Instant: CLOCK_BOOTTIME, so that a machine that slept notices how long (decisions
// 9).
#pragma once

#include "base/time.h"

namespace godwit {

// Nanoseconds since boot, suspended time included.
[[nodiscard]] Instant boot_time_now();
// What has to be added to it for the time of day, since 1970.
[[nodiscard]] Duration time_of_day_offset();

}  // namespace godwit
