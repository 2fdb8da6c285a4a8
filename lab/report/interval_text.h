// An estimate with its interval as people read it, in the manner of support/format.h.
#pragma once

#include <string>
#include <string_view>

#include "measure/statistics.h"

namespace godwit::report {

// "3.15 (3.10 – 3.21) µs": all three in the unit that suits the estimate.
[[nodiscard]] std::string format_interval(const measure::Interval& interval, std::string_view unit);

}  // namespace godwit::report
