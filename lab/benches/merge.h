// Several runs of the suite as one result: where the machine may be had for a minute at a time only. Cases measured
// again replace the earlier ones; the last comparison and the worst finding of each name stay; ablations, curves and
// grids are drawn anew from all cases.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "measure/results.h"

namespace godwit::bench {

// In the order taken. Refused when machine, system or build of two runs differ in more than the commit.
[[nodiscard]] Result<measure::Results> merge_results(const std::vector<measure::Results>& runs);

}  // namespace godwit::bench
