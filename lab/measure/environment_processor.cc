#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <set>

#include "measure/environment_checks.h"
#include "measure/fingerprint.h"

namespace godwit::measure {

namespace {

constexpr char kCpu[] = "/sys/devices/system/cpu/";

bool has(const std::vector<std::string>& features, std::string_view name) {
  return std::find(features.begin(), features.end(), name) != features.end();
}

void check_cipher_support(const Fingerprint& machine, Findings& findings) {
  const std::vector<std::string>& features = machine.features;
  if (features.empty()) {
    findings.unknown("cpu.cipher_support", "the processor's flags cannot be read");
  } else if (has(features, "asimd")) {
    if (has(features, "pmull")) {
      findings.ok("cpu.cipher_support", "AES and PMULL instructions");
    } else {
      findings.costs("cpu.cipher_support", "no AES instructions", "AES-GCM in software: more than 10 times the time",
                     "");
    }
  } else if (!has(features, "aes") || !has(features, "pclmulqdq")) {
    findings.costs("cpu.cipher_support", "no AES or carry-less multiplication",
                   "AES-GCM in software: more than 10 times the time", "");
  } else if (has(features, "vaes") && has(features, "vpclmulqdq") && has(features, "avx512f")) {
    findings.ok("cpu.cipher_support", "VAES with AVX-512");
  } else if (has(features, "vaes")) {
    findings.costs("cpu.cipher_support", "VAES without AVX-512",
                   "packaged libraries have no wide GCM for it: sealing 1200 bytes takes about 4 times as long", "");
  } else {
    findings.costs("cpu.cipher_support", "AES-NI without VAES", "sealing 1200 bytes takes about 4 times as long", "");
  }
}

void check_virtualization(const Fingerprint& machine, Findings& findings) {
  if (machine.virtualization == "unknown") {
    findings.unknown("cpu.virtualization", "the processor's flags cannot be read");
  } else if (machine.virtualization == "none") {
    findings.ok("cpu.virtualization", "none");
  } else {
    findings.costs("cpu.virtualization", machine.virtualization,
                   "neighbours move single timings by up to 30 %; only interleaved ratios count",
                   "a machine of one's own");
  }
}

void check_governor(const Fingerprint& machine, Findings& findings) {
  if (machine.governor == "unknown") {
    findings.unknown("cpu.governor", "not shown (usual in guests: the host decides)");
  } else if (machine.governor == "performance") {
    findings.ok("cpu.governor", machine.governor);
  } else {
    findings.costs("cpu.governor", machine.governor, "the clock follows the load with delay: up to 30 % and much noise",
                   "cpupower frequency-set -g performance");
  }
}

void check_turbo(const Fingerprint& machine, Findings& findings) {
  if (machine.turbo == "unknown") {
    findings.unknown("cpu.turbo", "not shown (usual in guests: the host decides)");
  } else if (machine.turbo == "off") {
    findings.ok("cpu.turbo", "off");
  } else {
    findings.costs("cpu.turbo", "on", "the clock falls by up to 20 % as more processors work or heat up",
                   "echo 0 > /sys/devices/system/cpu/cpufreq/boost, or 1 > …/intel_pstate/no_turbo");
  }
}

void check_frequency(const SystemFiles& files, Findings& findings) {
  std::int64_t least = 0;
  std::int64_t most = 0;
  for (const std::string& policy : files.list(std::string(kCpu) + "cpufreq")) {
    const std::string folder = std::string(kCpu) + "cpufreq/" + policy;
    const auto low = files.read_number(folder + "/scaling_min_freq");
    const auto high = files.read_number(folder + "/scaling_max_freq");
    if (!low || !high) continue;
    least = least == 0 ? *low : std::min(least, *low);
    most = std::max(most, *high);
  }
  if (most == 0) {
    findings.unknown("cpu.frequency", "not shown (usual in guests: the host decides)");
  } else if (least == most) {
    findings.ok("cpu.frequency", fmt::format("fixed at {} MHz", most / 1000));
  } else {
    findings.costs("cpu.frequency", fmt::format("{} to {} MHz", least / 1000, most / 1000),
                   "the first measurements after idling run at the lower clock",
                   fmt::format("cpupower frequency-set -d {}kHz", most));
  }
}

void check_smt(const Fingerprint& machine, Findings& findings) {
  if (machine.smt == "unknown") {
    findings.unknown("cpu.smt", "not shown");
  } else if (machine.smt == "off") {
    findings.ok("cpu.smt", "off");
  } else {
    findings.costs("cpu.smt", "on", "sender and receiver may share one core: up to 40 %",
                   "echo off > /sys/devices/system/cpu/smt/control, or pin the ends to different cores");
  }
}

void check_count(const EnvironmentOptions& options, const Fingerprint& machine, Findings& findings) {
  std::uint64_t allowed = machine.processors;
  if (may_probe(options)) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0) allowed = static_cast<std::uint64_t>(CPU_COUNT(&set));
  }
  const std::string value = fmt::format("{} online, {} allowed to this process", machine.processors, allowed);
  if (machine.processors == 0) {
    findings.unknown("cpu.count", "cannot be read");
  } else if (allowed < 2) {
    findings.invalid("cpu.count", value, {2, 3},
                     "sender and receiver take turns on one processor: half the rate and all the waits",
                     "at least two processors, and no taskset around the program");
  } else {
    findings.ok("cpu.count", value);
  }
}

void check_isolation(const SystemFiles& files, Findings& findings) {
  const std::optional<std::string> isolated = files.read_line(std::string(kCpu) + "isolated");
  const std::string tickless = files.read_line(std::string(kCpu) + "nohz_full").value_or("");
  if (!isolated) {
    findings.unknown("cpu.isolation", "not shown");
  } else if (isolated->empty()) {
    findings.costs("cpu.isolation", "no processor is isolated",
                   "ticks, interrupts and other tasks run where is measured: 1 to 2 % and the tail",
                   "boot with isolcpus=… nohz_full=… rcu_nocbs=…");
  } else {
    findings.ok("cpu.isolation", fmt::format("isolated {}{}", *isolated,
                                             tickless.empty() || tickless == "(null)" ? "" : ", tickless " + tickless));
  }
}

// Where the devices' interrupts have gone since boot. Rows of /proc/interrupts: number, one count a processor, names;
// rows with letters (LOC, RES) are the processors' own.
void check_interrupts(const SystemFiles& files, Findings& findings) {
  const std::optional<std::string> table = files.read("/proc/interrupts");
  if (!table) {
    findings.unknown("cpu.interrupts", "cannot be read");
    return;
  }
  const std::vector<std::string_view> lines = split_lines(*table);
  const std::size_t processors = lines.empty() ? 0 : split_words(lines[0]).size();
  std::vector<double> counts(processors);
  double all = 0;
  for (const std::string_view line : lines) {
    const std::vector<std::string_view> words = split_words(line);
    if (words.size() <= processors || !words[0].ends_with(':')) continue;
    if (!parse_integer(words[0].substr(0, words[0].size() - 1))) continue;
    for (std::size_t i = 0; i < processors; ++i) {
      const auto count = static_cast<double>(parse_integer(words[i + 1]).value_or(0));
      counts[i] += count;
      all += count;
    }
  }
  constexpr std::size_t kShown = 4;
  std::string value = all == 0 ? "none from devices" : "devices interrupt";
  for (std::size_t i = 0; all > 0 && i < std::min(processors, kShown); ++i) {
    value += fmt::format("{} processor {} with {:.0f} %", i == 0 ? "" : ",", i, counts[i] / all * 100);
  }
  if (processors > kShown) value += fmt::format(" and {} more", processors - kShown);
  bool balanced = false;
  for (const std::string& entry : files.list("/proc")) {
    if (parse_integer(entry) && files.read_line("/proc/" + entry + "/comm") == "irqbalance") balanced = true;
  }
  if (balanced) {
    findings.costs("cpu.interrupts", value + "; irqbalance moves them",
                   "an interrupt may come to any processor at any time", "systemctl stop irqbalance");
  } else {
    findings.ok("cpu.interrupts", value);
  }
}

void check_idle_states(const SystemFiles& files, Findings& findings) {
  const std::optional<std::string> driver = files.read_line(std::string(kCpu) + "cpuidle/current_driver");
  std::int64_t deepest = 0;
  for (const std::string& state : files.list(std::string(kCpu) + "cpu0/cpuidle")) {
    const std::string folder = std::string(kCpu) + "cpu0/cpuidle/" + state;
    if (files.read_number(folder + "/disable").value_or(0) != 0) continue;
    deepest = std::max(deepest, files.read_number(folder + "/latency").value_or(0));
  }
  if (!driver || *driver == "none") {
    findings.unknown("cpu.idle_states", "no driver (usual in guests: the host decides)");
  } else if (deepest > 10) {
    findings.costs("cpu.idle_states", fmt::format("{}, wakes within {} us", *driver, deepest),
                   "blocking latency holds the wake-up of the processor", "cpupower idle-set -D 10");
  } else {
    findings.ok("cpu.idle_states", fmt::format("{}, wakes within {} us", *driver, deepest));
  }
}

void check_heat(const SystemFiles& files, Findings& findings) {
  const SystemSnapshot snapshot = take_system_snapshot(files);
  const bool counted = files.exists(std::string(kCpu) + "cpu0/thermal_throttle/core_throttle_count");
  const std::string heat = snapshot.hottest_celsius ? fmt::format(", {:.0f} degrees", *snapshot.hottest_celsius) : "";
  if (!counted) {
    findings.unknown("cpu.throttling", "no counter" + (heat.empty() ? ", no sensor" : heat));
  } else if (snapshot.thermal_throttles > 0) {
    findings.costs("cpu.throttling", fmt::format("{} times since boot{}", snapshot.thermal_throttles, heat),
                   "the clock falls when it is hot; each run says whether it happened meanwhile",
                   "better cooling, or turbo off");
  } else {
    findings.ok("cpu.throttling", "never since boot" + heat);
  }
}

void check_mitigations(const SystemFiles& files, Findings& findings) {
  const std::string folder = std::string(kCpu) + "vulnerabilities";
  const std::vector<std::string> names = files.list(folder);
  if (names.empty()) {
    findings.unknown("cpu.mitigations", "not shown");
    return;
  }
  std::vector<std::string> active;
  for (const std::string& name : names) {
    if (files.read_line(folder + "/" + name).value_or("").starts_with("Mitigation")) active.push_back(name);
  }
  if (active.empty()) {
    findings.ok("cpu.mitigations", "none active");
  } else {
    findings.costs("cpu.mitigations", fmt::format("{}", fmt::join(active, ", ")),
                   "system calls and context switches take 5 to 30 % longer",
                   "compare only with machines that have the same ones");
  }
}

void check_power(const SystemFiles& files, Findings& findings) {
  for (const std::string& supply : files.list("/sys/class/power_supply")) {
    if (files.read_line("/sys/class/power_supply/" + supply + "/status").value_or("") == "Discharging") {
      findings.costs("cpu.power", "on battery", "the clock is held down", "connect the power supply");
      return;
    }
  }
  findings.ok("cpu.power", "not on battery");
}

}  // namespace

void check_processor(const EnvironmentOptions& options, Findings& findings) {
  const Fingerprint machine = take_fingerprint("", {}, options.files, options.build);
  if (machine.processor == "unknown") {
    findings.unknown("cpu.model", "cannot be read");
  } else {
    findings.ok("cpu.model",
                fmt::format("{} ({}), microcode {}", machine.processor, machine.processor_id, machine.microcode));
  }
  check_count(options, machine, findings);
  check_cipher_support(machine, findings);
  check_virtualization(machine, findings);
  check_governor(machine, findings);
  check_turbo(machine, findings);
  check_frequency(options.files, findings);
  check_heat(options.files, findings);
  check_smt(machine, findings);
  check_isolation(options.files, findings);
  check_interrupts(options.files, findings);
  check_idle_states(options.files, findings);
  check_mitigations(options.files, findings);
  check_power(options.files, findings);
}

}  // namespace godwit::measure
