#include "measure/process_cpu_time.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace godwit::measure {

namespace {

std::uint64_t status_number(const std::string& status, std::string_view key) {
  const std::optional<std::string> text = value_of(status, key);
  if (!text) return 0;
  const std::vector<std::string_view> words = split_words(*text);
  if (words.empty()) return 0;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, parse_integer(words[0]).value_or(0)));
}

}  // namespace

std::optional<CpuUsage> cpu_usage_of(pid_t process, const SystemFiles& files) {
  const std::string folder = "/proc/" + std::to_string(process);
  const std::optional<std::string> stat = files.read(folder + "/stat");
  if (!stat) return std::nullopt;
  // The command stands in parentheses and may hold anything, even parentheses: the fields begin after the last one.
  const std::size_t close = stat->rfind(')');
  if (close == std::string::npos) return std::nullopt;
  const std::vector<std::string_view> fields = split_words(std::string_view(*stat).substr(close + 1));
  // proc(5) counts from 1 with the command as field 2: minflt is 10, majflt 12, utime 14, stime 15.
  if (fields.size() < 13) return std::nullopt;
  const auto field = [&fields](std::size_t number) { return parse_integer(fields[number - 3]).value_or(0); };
  const auto ticks_per_second = static_cast<std::int64_t>(::sysconf(_SC_CLK_TCK));
  const auto from_ticks = [ticks_per_second](std::int64_t ticks) {
    return std::chrono::nanoseconds(ticks * (1'000'000'000 / ticks_per_second));
  };
  CpuUsage usage;
  usage.user = from_ticks(field(14));
  usage.system = from_ticks(field(15));
  usage.minor_faults = static_cast<std::uint64_t>(field(10));
  usage.major_faults = static_cast<std::uint64_t>(field(12));
  if (const std::optional<std::string> status = files.read(folder + "/status")) {
    usage.voluntary_switches = status_number(*status, "voluntary_ctxt_switches");
    usage.involuntary_switches = status_number(*status, "nonvoluntary_ctxt_switches");
    usage.largest_resident_bytes = status_number(*status, "VmHWM") * 1024;
  }
  clockid_t clock{};
  timespec exact{};
  if (files.is_real() && ::clock_getcpuclockid(process, &clock) == 0 && ::clock_gettime(clock, &exact) == 0) {
    const Duration sum = std::chrono::seconds(exact.tv_sec) + std::chrono::nanoseconds(exact.tv_nsec);
    usage.user = std::max(Duration::zero(), sum - usage.system);
  }
  return usage;
}

}  // namespace godwit::measure
