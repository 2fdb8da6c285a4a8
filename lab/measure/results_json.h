// The reading half of the result format, with every problem collected. Used by results.cc; tests go through it.
#pragma once

#include <string>
#include <vector>

#include "support/json_fwd.h"
#include "measure/results.h"

namespace godwit::measure {

[[nodiscard]] Results read_results(const Json& json, std::vector<std::string>& problems);

}  // namespace godwit::measure
