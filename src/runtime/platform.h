// What the operating system offers this folder's threads beyond POSIX. Without effect where it has no such thing.
#pragma once

#include <cstddef>

namespace godwit::platform {

// Timers of the calling thread end as exactly as the kernel can: those of a pacer are worth microseconds, and Linux
// groups timers by fifty of them.
void request_exact_timers();
// The calling thread runs on one processor alone. Best effort: where there is no such processor, the scheduler chooses.
void run_on_processor(std::size_t processor);

}  // namespace godwit::platform
