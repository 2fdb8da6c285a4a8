#include "runtime/platform.h"

#ifdef __linux__

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <thread>

namespace godwit::platform {

void request_exact_timers() {
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

void run_on_processor(std::size_t processor) {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET(processor % std::max(1U, std::thread::hardware_concurrency()), &processors);
  pthread_setaffinity_np(pthread_self(), sizeof processors, &processors);
}

}  // namespace godwit::platform

#else

namespace godwit::platform {

void request_exact_timers() {}
void run_on_processor(std::size_t) {}

}  // namespace godwit::platform

#endif
