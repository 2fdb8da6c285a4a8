#include "measure/perf_counters.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "measure/system_files.h"
#include "support/json.h"

namespace godwit::measure {

namespace {

constexpr std::uint64_t kProofRounds = 20'000;

std::uint64_t config_of(PerfEvent event) {
  switch (event) {
    case PerfEvent::kInstructions: return PERF_COUNT_HW_INSTRUCTIONS;
    case PerfEvent::kCycles: return PERF_COUNT_HW_CPU_CYCLES;
    case PerfEvent::kCacheMisses: return PERF_COUNT_HW_CACHE_MISSES;
    case PerfEvent::kBranchMisses: return PERF_COUNT_HW_BRANCH_MISSES;
    case PerfEvent::kCount: break;
  }
  return PERF_COUNT_HW_INSTRUCTIONS;
}

int open_counter(PerfEvent event) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.config = config_of(event);
  attributes.disabled = 1;
  attributes.exclude_kernel = 1;  // what perf_event_paranoid = 2 allows, and what is the program's own
  attributes.exclude_hv = 1;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

std::string why_refused(int error) {
  switch (error) {
    case ENOENT:
    case EOPNOTSUPP: return "the processor shown to this system has no such counter";
    case EACCES:
    case EPERM: {
      const std::optional<std::string> level = SystemFiles().read_line("/proc/sys/kernel/perf_event_paranoid");
      return "not permitted (kernel.perf_event_paranoid = " + level.value_or("unknown") + ", or a sandbox)";
    }
    case ENOSYS: return "this kernel has no perf_event_open";
    default: return std::string("perf_event_open: ") + std::strerror(error);
  }
}

void enable(int descriptor) {
  ::ioctl(descriptor, PERF_EVENT_IOC_RESET, 0);
  ::ioctl(descriptor, PERF_EVENT_IOC_ENABLE, 0);
}

struct RawCount {
  std::uint64_t value = 0;
  std::uint64_t enabled = 0;
  std::uint64_t running = 0;
};

std::optional<RawCount> disable_and_read(int descriptor) {
  ::ioctl(descriptor, PERF_EVENT_IOC_DISABLE, 0);
  RawCount raw;
  if (::read(descriptor, &raw, sizeof raw) != static_cast<ssize_t>(sizeof raw)) return std::nullopt;
  return raw;
}

// A loop that needs a known number of instructions at least, and that no compiler removes.
void work() {
  for (std::uint64_t i = 0; i < kProofRounds; ++i) asm volatile("" ::"r"(i));
}

// Misses may honestly be few: for them, having been scheduled is all the proof there is.
bool really_counts(PerfEvent event, const RawCount& raw) {
  if (raw.running == 0) return false;
  if (event == PerfEvent::kInstructions) return raw.value >= kProofRounds;
  if (event == PerfEvent::kCycles) return raw.value >= kProofRounds / 8;
  return true;
}

}  // namespace

std::string_view name_of(PerfEvent event) {
  switch (event) {
    case PerfEvent::kInstructions: return "instructions";
    case PerfEvent::kCycles: return "cycles";
    case PerfEvent::kCacheMisses: return "cache_misses";
    case PerfEvent::kBranchMisses: return "branch_misses";
    case PerfEvent::kCount: break;
  }
  return "unknown";
}

PerfCounters::PerfCounters() {
  bool instructions_count = true;
  for (std::size_t i = 0; i < kPerfEvents; ++i) {
    const auto event = static_cast<PerfEvent>(i);
    descriptors_[i] = open_counter(event);
    if (descriptors_[i] < 0) {
      reasons_[i] = why_refused(errno);
    } else {
      enable(descriptors_[i]);
      work();
      const std::optional<RawCount> raw = disable_and_read(descriptors_[i]);
      // Where even instructions stay at zero, a zero of misses proves nothing.
      if (!raw || !really_counts(event, *raw) || !instructions_count) {
        ::close(std::exchange(descriptors_[i], -1));
        reasons_[i] = "the counter opens but does not count";
      }
    }
    if (event == PerfEvent::kInstructions) instructions_count = descriptors_[i] >= 0;
  }
}

PerfCounters::~PerfCounters() {
  for (const int descriptor : descriptors_) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

PerfCounters::PerfCounters(PerfCounters&& other) noexcept
    : descriptors_(other.descriptors_), reasons_(std::move(other.reasons_)) {
  other.descriptors_.fill(-1);
}

PerfCounters& PerfCounters::operator=(PerfCounters&& other) noexcept {
  std::swap(descriptors_, other.descriptors_);
  std::swap(reasons_, other.reasons_);
  return *this;
}

void PerfCounters::start() {
  for (const int descriptor : descriptors_) {
    if (descriptor >= 0) enable(descriptor);
  }
}

PerfCounts PerfCounters::stop() {
  PerfCounts counts;
  for (std::size_t i = 0; i < kPerfEvents; ++i) {
    if (descriptors_[i] < 0) continue;
    const std::optional<RawCount> raw = disable_and_read(descriptors_[i]);
    if (!raw || raw->running == 0) continue;
    if (raw->running < raw->enabled) {
      const double share = static_cast<double>(raw->running) / static_cast<double>(raw->enabled);
      counts.values[i] = static_cast<std::uint64_t>(static_cast<double>(raw->value) / share);
      counts.scaled = true;
    } else {
      counts.values[i] = raw->value;
    }
  }
  return counts;
}

std::string PerfCounters::describe() const {
  std::string present;
  std::string absent;
  for (std::size_t i = 0; i < kPerfEvents; ++i) {
    const auto event = static_cast<PerfEvent>(i);
    std::string& list = has(event) ? present : absent;
    if (!list.empty()) list += ", ";
    list += name_of(event);
  }
  if (absent.empty()) return present;
  for (std::size_t i = 0; i < kPerfEvents; ++i) {
    if (!reasons_[i].empty()) {
      return (present.empty() ? "none: " : present + "; no " + absent + ": ") + reasons_[i];
    }
  }
  return present;
}

Json to_json(const PerfCounts& counts) {
  Json json = Json::object();
  for (std::size_t i = 0; i < kPerfEvents; ++i) {
    const std::string name(name_of(static_cast<PerfEvent>(i)));
    json[name] = counts.values[i] ? Json(*counts.values[i]) : Json(nullptr);
  }
  json["scaled"] = counts.scaled;
  return json;
}

}  // namespace godwit::measure
