#include "runtime/clock.h"

#include <time.h>

namespace godwit {

// Other systems than Linux have no clock that counts suspended time as well.
#ifdef CLOCK_BOOTTIME
constexpr clockid_t kClock = CLOCK_BOOTTIME;
#else
constexpr clockid_t kClock = CLOCK_MONOTONIC;
#endif

Instant boot_time_now() {
  timespec reading{};
  clock_gettime(kClock, &reading);
  return Instant{std::chrono::seconds{reading.tv_sec} + Duration{reading.tv_nsec}};
}

Duration time_of_day_offset() {
  timespec reading{};
  clock_gettime(CLOCK_REALTIME, &reading);
  return std::chrono::seconds{reading.tv_sec} + Duration{reading.tv_nsec} - boot_time_now().time_since_epoch();
}

}  // namespace godwit
