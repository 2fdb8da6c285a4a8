#include "measure/environment_checks.h"

namespace godwit::measure {

void check_build(const EnvironmentOptions& options, Findings& findings) {
  const BuildFacts& build = options.build;
  const std::string type = build.build_type + " by " + build.compiler;
  if (!build.optimised) {
    findings.invalid("build.type", type, {0, 1, 2, 3}, "not optimised: 3 to 20 times the time",
                     "cmake -DCMAKE_BUILD_TYPE=Release");
  } else {
    findings.ok("build.type", type);
  }
  if (!build.sanitizers.empty()) {
    findings.invalid("build.sanitizers", build.sanitizers, {0, 1, 2, 3}, "2 to 15 times the time",
                     "build without GODWIT_SANITIZE");
  } else {
    findings.ok("build.sanitizers", "none");
  }
  findings.ok("build.flags", build.flags.empty() ? "none" : build.flags);
  findings.ok("build.instruction_set", build.instruction_set);
  if (!build.commit_known) {
    findings.unknown("build.commit", "not built from a repository");
  } else if (build.dirty) {
    findings.costs("build.commit", build.commit + ", with changes", "nobody can build what was measured",
                   "commit first");
  } else {
    findings.ok("build.commit", build.commit);
  }
}

}  // namespace godwit::measure
