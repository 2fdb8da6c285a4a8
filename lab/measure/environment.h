// The doctor: looks at everything that makes figures of this machine worse, noisier or void, and never stops at the
// first finding. `godwit doctor` prints the report, every run embeds it, results.h stores it. Each group of checks is
// one file environment_*.cc; what only shows over a run (drops, steal, throttling) comes from two snapshots.
#pragma once

#include <vector>

#include "base/time.h"
#include "support/build_facts.h"
#include "measure/finding.h"
#include "measure/fingerprint.h"
#include "support/json_fwd.h"
#include "measure/system_files.h"
#include "measure/system_snapshot.h"

namespace godwit::measure {

struct EnvironmentOptions {
  SystemFiles files;
  BuildFacts build = build_facts();
  // How long other processes and the hypervisor are watched.
  Duration watch = std::chrono::milliseconds(300);
  // Also ask the system itself: sockets, offload probes, counters, netlink. Off where `files` is not the real machine.
  bool probe = true;
};

// Takes the watch time and some milliseconds. Findings come in a stable order: processor, clock, memory, kernel, load,
// network, build.
[[nodiscard]] EnvironmentReport examine_environment(const EnvironmentOptions& options = {});

// What `godwit doctor --json` prints (docs/json.md, "environment"): schema, fingerprint and findings.
[[nodiscard]] Json doctor_json(const EnvironmentReport& report, const Fingerprint& fingerprint);

// What happened to the machine during a run, from the difference of two snapshots: names begin with "run.".
[[nodiscard]] std::vector<Finding> run_findings(const SystemSnapshot& difference);

}  // namespace godwit::measure
