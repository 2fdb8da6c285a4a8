// The doctor's groups of checks, one file each; only environment.cc and their tests call them. A check adds exactly one
// finding for each thing it knows to look for, whatever it finds.
#pragma once

#include "measure/environment.h"
#include "measure/finding.h"

namespace godwit::measure {

void check_processor(const EnvironmentOptions& options, Findings& findings);   // environment_processor.cc
void check_clock(const EnvironmentOptions& options, Findings& findings);       // environment_clock.cc
void check_memory(const EnvironmentOptions& options, Findings& findings);      // environment_memory.cc
void check_kernel(const EnvironmentOptions& options, Findings& findings);      // environment_kernel.cc
void check_load(const EnvironmentOptions& options, Findings& findings);        // environment_load.cc
void check_network(const EnvironmentOptions& options, Findings& findings);     // environment_network.cc
void check_interfaces(const EnvironmentOptions& options, Findings& findings);  // environment_interfaces.cc
void check_build(const EnvironmentOptions& options, Findings& findings);       // environment_build.cc

// Findings that need the real machine say so instead of vanishing.
[[nodiscard]] inline bool may_probe(const EnvironmentOptions& options) {
  return options.probe && options.files.is_real();
}
inline constexpr char kNotProbed[] = "not probed";
// Of a processor's time, taken by the host: above, pyperf and krun both refuse.
inline constexpr double kStealLimit = 0.01;

}  // namespace godwit::measure
