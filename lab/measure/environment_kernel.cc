#include <fmt/format.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include <cstdlib>

#include "measure/environment_checks.h"
#include "measure/perf_counters.h"
#include "udp/kernel_version.h"

namespace godwit::measure {

namespace {

void check_version(const SystemFiles& files, Findings& findings) {
  const std::optional<std::string> release = files.read_line("/proc/sys/kernel/osrelease");
  const std::optional<KernelVersion> version = release ? KernelVersion::parse(*release) : std::nullopt;
  if (!version) {
    findings.unknown("kernel.version", release ? *release : "cannot be read");
  } else if (has_segmentation_defect(*version)) {
    findings.invalid("kernel.version", *release, {2, 3},
                     "kernels 7.0 to 7.1.4 damage batches of equal datagrams; offload stays off",
                     "a kernel of 7.1.5 or later");
  } else {
    findings.ok("kernel.version", *release);
  }
}

void check_address_layout(const EnvironmentOptions& options, Findings& findings) {
  const auto mode = options.files.read_number("/proc/sys/kernel/randomize_va_space");
  const bool off_here =
      may_probe(options) && (static_cast<unsigned>(::personality(0xffffffff)) & ADDR_NO_RANDOMIZE) != 0;
  if (off_here) {
    findings.ok("kernel.address_layout", "fixed for this process");
  } else if (!mode) {
    findings.unknown("kernel.address_layout", "cannot be read");
  } else if (*mode == 0) {
    findings.ok("kernel.address_layout", "fixed");
  } else {
    findings.costs("kernel.address_layout", "random",
                   "level 0 moves by 1 to 3 % from process to process; repetitions in fresh processes average it",
                   "setarch -R in front of the command");
  }
}

void check_counters(const EnvironmentOptions& options, Findings& findings) {
  if (!may_probe(options)) {
    findings.unknown("kernel.counters", kNotProbed);
    return;
  }
  const PerfCounters counters;
  if (counters.has(PerfEvent::kInstructions)) {
    findings.ok("kernel.counters", counters.describe());
  } else {
    findings.costs(
        "kernel.counters", counters.describe(),
        "no instructions or cache misses in results; level 0 counts instructions through callgrind on demand",
        counters.reason(PerfEvent::kInstructions).starts_with("not permitted")
            ? "sysctl -w kernel.perf_event_paranoid=1, outside sandboxes"
            : "a machine, or a kind of guest, that shows its counters");
  }
}

// Version 2: one file "max 100000"; version 1: two files.
void check_processor_limit(const SystemFiles& files, Findings& findings) {
  const std::optional<std::string> groups = files.read("/proc/self/cgroup");
  if (!groups) {
    findings.unknown("kernel.cpu_limit", "cannot be read");
    return;
  }
  double processors = 0;
  for (const std::string_view line : split_lines(*groups)) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    if (controllers.empty()) {
      const std::string limit = files.read_line("/sys/fs/cgroup" + path + "/cpu.max").value_or("max");
      const std::vector<std::string_view> words = split_words(limit);
      const auto quota = words.size() == 2 ? parse_integer(words[0]) : std::nullopt;
      const auto period = words.size() == 2 ? parse_integer(words[1]) : std::nullopt;
      if (quota && period && *period > 0) processors = static_cast<double>(*quota) / static_cast<double>(*period);
    } else if (controllers == "cpu" || controllers.find("cpu,") != std::string_view::npos) {
      const auto quota = files.read_number("/sys/fs/cgroup/cpu" + path + "/cpu.cfs_quota_us");
      const auto period = files.read_number("/sys/fs/cgroup/cpu" + path + "/cpu.cfs_period_us");
      if (quota && period && *quota > 0 && *period > 0)
        processors = static_cast<double>(*quota) / static_cast<double>(*period);
    }
  }
  if (processors > 0) {
    findings.invalid("kernel.cpu_limit", fmt::format("{:.1f} processors", processors), {0, 1, 2, 3},
                     "the scheduler stops the program for tens of milliseconds at a time",
                     "run outside the limited control group");
  } else {
    findings.ok("kernel.cpu_limit", "none");
  }
}

void check_resource_limits(const EnvironmentOptions& options, Findings& findings) {
  if (!may_probe(options)) {
    findings.unknown("kernel.limits", kNotProbed);
    return;
  }
  rlimit files{};
  rlimit locked{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  ::getrlimit(RLIMIT_MEMLOCK, &locked);
  const std::string locked_text =
      locked.rlim_cur == RLIM_INFINITY ? "unlimited" : fmt::format("{} KiB", locked.rlim_cur / 1024);
  const std::string value = fmt::format("{} descriptors, {} locked memory", files.rlim_cur, locked_text);
  if (files.rlim_cur < 1024) {
    findings.costs("kernel.limits", value, "runs with many sockets cannot open them all", "ulimit -n 4096");
  } else {
    findings.ok("kernel.limits", value);
  }
}

void check_priority(const EnvironmentOptions& options, Findings& findings) {
  if (!may_probe(options)) {
    findings.unknown("kernel.priority", kNotProbed);
    return;
  }
  const int nice = ::getpriority(PRIO_PROCESS, 0);
  if (nice > 0) {
    findings.costs("kernel.priority", fmt::format("nice {}", nice), "any other process goes first", "run without nice");
  } else {
    findings.ok("kernel.priority", nice == 0 ? "normal" : fmt::format("nice {}", nice));
  }
}

void check_supervision(const EnvironmentOptions& options, Findings& findings) {
  const std::optional<std::string> status = options.files.read("/proc/self/status");
  const std::optional<std::string> tracer = status ? value_of(*status, "TracerPid") : std::nullopt;
  const char* preload = may_probe(options) ? std::getenv("LD_PRELOAD") : nullptr;
  if (!tracer) {
    findings.unknown("kernel.supervision", "cannot be read");
  } else if (*tracer != "0") {
    findings.invalid("kernel.supervision", "a debugger or strace is attached", {0, 1, 2, 3},
                     "each system call stops twice", "run without it");
  } else if (preload != nullptr && *preload != '\0') {
    findings.costs("kernel.supervision", "LD_PRELOAD is set", "foreign code runs inside the program",
                   "unset LD_PRELOAD");
  } else {
    findings.ok("kernel.supervision", "no debugger, nothing preloaded");
  }
}

}  // namespace

void check_kernel(const EnvironmentOptions& options, Findings& findings) {
  check_version(options.files, findings);
  check_address_layout(options, findings);
  check_counters(options, findings);
  check_processor_limit(options.files, findings);
  check_resource_limits(options, findings);
  check_priority(options, findings);
  check_supervision(options, findings);
}

}  // namespace godwit::measure
