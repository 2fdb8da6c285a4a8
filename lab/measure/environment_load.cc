#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <thread>

#include "measure/environment_checks.h"
#include "measure/fingerprint.h"
#include "measure/process_cpu_time.h"

namespace godwit::measure {

namespace {

constexpr double kBusyShare = 0.05;     // of one processor: worth naming
constexpr double kInvalidShare = 0.25;  // of one processor, all others together
constexpr std::size_t kNamed = 3;

struct ProcessTime {
  std::string name;
  Duration used{};
};

std::map<std::int64_t, ProcessTime> times_of_others(const SystemFiles& files) {
  std::map<std::int64_t, ProcessTime> times;
  for (const std::string& entry : files.list("/proc")) {
    const auto process = parse_integer(entry);
    if (!process || *process == ::getpid()) continue;
    const std::optional<CpuUsage> usage = cpu_usage_of(static_cast<pid_t>(*process), files);
    if (!usage) continue;  // it has ended meanwhile
    times[*process] = {files.read_line("/proc/" + entry + "/comm").value_or("?"), usage->total()};
  }
  return times;
}

void check_average(const SystemFiles& files, Findings& findings) {
  const std::string text = files.read_line("/proc/loadavg").value_or("");
  const std::vector<std::string_view> words = split_words(text);
  if (words.size() < 4) {
    findings.unknown("load.average", "cannot be read");
    return;
  }
  const double last_minute = std::strtod(std::string(words[0]).c_str(), nullptr);
  const auto processors = static_cast<double>(std::max<std::uint64_t>(1, take_fingerprint("", {}, files).processors));
  const std::string value = fmt::format("{:.2f} over the last minute, {} tasks runnable", last_minute,
                                        words[3].substr(0, words[3].find('/')));
  // The average remembers what ended a minute ago: it warns, the processes of this moment decide.
  if (last_minute > 0.2 * processors) {
    findings.costs("load.average", value, "caches and processors were in use until just now", "wait a minute");
  } else {
    findings.ok("load.average", value);
  }
}

void check_processes(const std::map<std::int64_t, ProcessTime>& before,
                     const std::map<std::int64_t, ProcessTime>& after, double seconds, Findings& findings) {
  if (seconds <= 0 || after.empty()) {
    findings.unknown("load.processes", "not watched");
    return;
  }
  struct Busy {
    double share;
    std::string name;
  };
  std::vector<Busy> busy;
  double all = 0;
  for (const auto& [process, time] : after) {
    const auto earlier = before.find(process);
    const Duration used = time.used - (earlier == before.end() ? Duration::zero() : earlier->second.used);
    const double share = to_seconds(used) / seconds;
    all += share;
    if (share >= kBusyShare) busy.push_back({share, time.name});
  }
  std::sort(busy.begin(), busy.end(), [](const Busy& one, const Busy& other) { return one.share > other.share; });
  std::string value = fmt::format("{:.0f} % of a processor", all * 100);
  for (std::size_t i = 0; i < std::min(busy.size(), kNamed); ++i) {
    value += fmt::format("{}{} {:.0f} %", i == 0 ? ": " : ", ", busy[i].name, busy[i].share * 100);
  }
  if (busy.size() > kNamed) value += fmt::format(" and {} more", busy.size() - kNamed);
  if (all >= kInvalidShare) {
    findings.invalid("load.processes", value, {0, 1, 2, 3}, "they take turns with what is measured",
                     "end them, or wait for them");
  } else if (all >= kBusyShare) {
    findings.costs("load.processes", value, "some noise in the tail", "end them, or wait for them");
  } else {
    findings.ok("load.processes", value);
  }
}

void check_steal(const SystemSnapshot& difference, Findings& findings) {
  if (!difference.processor_known) {
    findings.unknown("load.steal", "cannot be read");
    return;
  }
  const double share = steal_share(difference);
  const std::string value = fmt::format("{:.1f} % of processor time", share * 100);
  if (share > kStealLimit) {
    findings.invalid("load.steal", value, {0, 1, 2, 3},
                     "the hypervisor runs others: every time is too long by an unknown amount", "a quieter host");
  } else {
    findings.ok("load.steal", value);
  }
}

}  // namespace

void check_load(const EnvironmentOptions& options, Findings& findings) {
  check_average(options.files, findings);
  const SystemSnapshot before = take_system_snapshot(options.files);
  const auto times_before = times_of_others(options.files);
  if (options.watch > Duration::zero()) std::this_thread::sleep_for(options.watch);
  const auto times_after = times_of_others(options.files);
  const SystemSnapshot difference = take_system_snapshot(options.files) - before;
  const double seconds = options.watch > Duration::zero() ? difference.seconds : 0;
  check_processes(times_before, times_after, seconds, findings);
  check_steal(difference, findings);
}

}  // namespace godwit::measure
