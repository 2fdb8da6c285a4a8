#include "runtime/clock.h"

#include <time.h>

namespace godwit {

Instant boot_time_now() {
  timespec reading{};
  clock_gettime(CLOCK_BOOTTIME, &reading);
  return Instant{std::chrono::seconds{reading.tv_sec} + Duration{reading.tv_nsec}};
}

Duration time_of_day_offset() {
  timespec reading{};
  clock_gettime(CLOCK_REALTIME, &reading);
  return std::chrono::seconds{reading.tv_sec} + Duration{reading.tv_nsec} - boot_time_now().time_since_epoch();
}

}  // namespace godwit
