#include "measure/environment.h"

#include <fmt/format.h>

#include "measure/environment_checks.h"
#include "support/json.h"

namespace godwit::measure {

EnvironmentReport examine_environment(const EnvironmentOptions& options) {
  Findings findings;
  check_processor(options, findings);
  check_clock(options, findings);
  check_memory(options, findings);
  check_kernel(options, findings);
  check_load(options, findings);
  check_network(options, findings);
  check_interfaces(options, findings);
  check_build(options, findings);
  return {findings.take()};
}

Json doctor_json(const EnvironmentReport& report, const Fingerprint& fingerprint) {
  return {{"schema", "godwit-doctor"},
          {"schema_version", 2},
          {"fingerprint", to_json(fingerprint)},
          {"environment", to_json(report)}};
}

std::vector<Finding> run_findings(const SystemSnapshot& difference) {
  Findings findings;
  if (!difference.udp_known) {
    findings.unknown("run.udp_drops", "the kernel's UDP counters cannot be read");
  } else if (const std::uint64_t drops = difference.udp.dropped(); drops > 0) {
    findings.invalid("run.udp_drops", fmt::format("{} datagrams dropped at receive buffers", drops), {2, 3},
                     "what was dropped was paid for and is not in the goodput",
                     "larger socket buffers: see network.receive_buffer");
  } else {
    findings.ok("run.udp_drops", "none");
  }
  if (difference.udp_known && difference.udp.send_buffer_errors > 0) {
    findings.costs("run.udp_send_errors",
                   fmt::format("{} sends refused for want of memory", difference.udp.send_buffer_errors),
                   "the sender was held up", "larger send buffers: see network.send_buffer");
  }
  if (difference.backlog_dropped > 0) {
    findings.invalid("run.backlog_drops",
                     fmt::format("{} packets dropped before they reached a socket", difference.backlog_dropped), {2, 3},
                     "losses that no socket counts", "sysctl -w net.core.netdev_max_backlog=10000");
  }
  if (!difference.processor_known) {
    findings.unknown("run.steal", "/proc/stat cannot be read");
  } else if (const double steal = steal_share(difference); steal > kStealLimit) {
    findings.invalid("run.steal", fmt::format("{:.1f} % of processor time", steal * 100), {0, 1, 2, 3},
                     "the hypervisor ran others: every time is too long by an unknown amount", "a quieter host");
  } else {
    findings.ok("run.steal", fmt::format("{:.2f} % of processor time", steal * 100));
  }
  if (difference.kernel_messages.value_or(0) > 0) {
    findings.costs("run.kernel_messages", fmt::format("{} new", *difference.kernel_messages),
                   "the kernel had something to say while it was measured: a reset, an error or a throttle",
                   "dmesg | tail");
  }
  if (difference.thermal_throttles > 0) {
    findings.invalid("run.thermal_throttling", fmt::format("{} times", difference.thermal_throttles), {0, 1, 2, 3},
                     "the clock fell while it was hot", "better cooling, or turbo off");
  }
  if (difference.group_throttles > 0) {
    findings.invalid("run.group_throttling", fmt::format("{} times", difference.group_throttles), {0, 1, 2, 3},
                     "the control group's CPU limit stopped the program", "run outside the limited control group");
  }
  if (difference.pages_swapped > 0) {
    findings.invalid("run.swapping", fmt::format("{} pages", difference.pages_swapped), {1, 2, 3},
                     "milliseconds a page", "swapoff -a, or more memory");
  }
  return findings.take();
}

}  // namespace godwit::measure
