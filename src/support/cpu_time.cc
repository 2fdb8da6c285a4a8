#include "support/cpu_time.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>

#include "support/json.h"

namespace godwit::measure {

namespace {

Duration from_timeval(const timeval& value) {
  return std::chrono::seconds(value.tv_sec) + std::chrono::microseconds(value.tv_usec);
}

CpuUsage usage_of(int who, clockid_t precise) {
  rusage raw{};
  ::getrusage(who, &raw);
  CpuUsage usage;
  usage.user = from_timeval(raw.ru_utime);
  usage.system = from_timeval(raw.ru_stime);
  usage.voluntary_switches = static_cast<std::uint64_t>(raw.ru_nvcsw);
  usage.involuntary_switches = static_cast<std::uint64_t>(raw.ru_nivcsw);
  usage.minor_faults = static_cast<std::uint64_t>(raw.ru_minflt);
  usage.major_faults = static_cast<std::uint64_t>(raw.ru_majflt);
  usage.largest_resident_bytes = static_cast<std::uint64_t>(raw.ru_maxrss) * 1024;
  // getrusage may lag by a scheduler tick; the CPU clock does not. The split between user and system is kept.
  timespec exact{};
  if (::clock_gettime(precise, &exact) == 0) {
    const Duration sum = std::chrono::seconds(exact.tv_sec) + std::chrono::nanoseconds(exact.tv_nsec);
    usage.user = std::max(Duration::zero(), sum - usage.system);
  }
  return usage;
}

}  // namespace

CpuUsage cpu_usage_of_this_thread() {
  return usage_of(RUSAGE_THREAD, CLOCK_THREAD_CPUTIME_ID);
}

CpuUsage cpu_usage_of_this_process() {
  return usage_of(RUSAGE_SELF, CLOCK_PROCESS_CPUTIME_ID);
}

CpuUsage operator-(const CpuUsage& after, const CpuUsage& before) {
  return {.user = after.user - before.user,
          .system = after.system - before.system,
          .voluntary_switches = after.voluntary_switches - before.voluntary_switches,
          .involuntary_switches = after.involuntary_switches - before.involuntary_switches,
          .minor_faults = after.minor_faults - before.minor_faults,
          .major_faults = after.major_faults - before.major_faults,
          .largest_resident_bytes = after.largest_resident_bytes};
}

CpuUsage operator+(const CpuUsage& one, const CpuUsage& other) {
  return {.user = one.user + other.user,
          .system = one.system + other.system,
          .voluntary_switches = one.voluntary_switches + other.voluntary_switches,
          .involuntary_switches = one.involuntary_switches + other.involuntary_switches,
          .minor_faults = one.minor_faults + other.minor_faults,
          .major_faults = one.major_faults + other.major_faults,
          .largest_resident_bytes = std::max(one.largest_resident_bytes, other.largest_resident_bytes)};
}

Json to_json(const CpuUsage& usage) {
  return {{"user_seconds", to_seconds(usage.user)},
          {"system_seconds", to_seconds(usage.system)},
          {"voluntary_switches", usage.voluntary_switches},
          {"involuntary_switches", usage.involuntary_switches},
          {"minor_faults", usage.minor_faults},
          {"major_faults", usage.major_faults},
          {"largest_resident_bytes", usage.largest_resident_bytes}};
}

CpuUsage cpu_usage_from_json(JsonReader reader) {
  CpuUsage usage;
  usage.user = from_seconds(reader.number("user_seconds"));
  usage.system = from_seconds(reader.number("system_seconds"));
  usage.voluntary_switches = reader.count("voluntary_switches");
  usage.involuntary_switches = reader.count("involuntary_switches");
  usage.minor_faults = reader.count("minor_faults");
  usage.major_faults = reader.count("major_faults");
  usage.largest_resident_bytes = reader.count("largest_resident_bytes");
  return usage;
}

}  // namespace godwit::measure
