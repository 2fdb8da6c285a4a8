#include "runtime/clock.h"

#include <time.h>

namespace godwit {

Instant boot_time_now() {
  timespec reading{};
  clock_gettime(CLOCK_BOOTTIME, &reading);
  return Instant{std::chrono::seconds{reading.tv_sec} + Duration{reading.tv_nsec}};
}

}  // namespace godwit
