// For tests and for looking at reports: a complete result file with every kind of content, invented but plausible, and
// the same for the same seed.
#pragma once

#include <cstdint>

#include "measure/results.h"

namespace godwit::measure {

// `speed` scales every time: 1.05 is a machine or a commit that is 5 % slower.
[[nodiscard]] Results make_sample_results(std::uint64_t seed = 1, double speed = 1);

}  // namespace godwit::measure
