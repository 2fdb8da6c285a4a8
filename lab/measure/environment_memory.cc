#include <fmt/format.h>
#include <unistd.h>

#include "measure/environment_checks.h"

namespace godwit::measure {

namespace {

constexpr std::int64_t kMib = 1024;  // in the kB of /proc/meminfo

std::optional<std::int64_t> meminfo(const SystemFiles& files, std::string_view key) {
  const std::optional<std::string> table = files.read("/proc/meminfo");
  const std::optional<std::string> text = table ? value_of(*table, key) : std::nullopt;
  if (!text) return std::nullopt;
  const std::vector<std::string_view> words = split_words(*text);
  return words.empty() ? std::nullopt : parse_integer(words[0]);
}

void check_available(const SystemFiles& files, Findings& findings) {
  const auto total = meminfo(files, "MemTotal");
  const auto available = meminfo(files, "MemAvailable");
  if (!total || !available) {
    findings.unknown("memory.available", "cannot be read");
    return;
  }
  const std::string value = fmt::format("{} of {} MiB", *available / kMib, *total / kMib);
  if (*available < 512 * kMib) {
    findings.invalid("memory.available", value, {3}, "runs with many connections would swap or be killed",
                     "free some memory");
  } else {
    findings.ok("memory.available", value);
  }
}

void check_swap(const SystemFiles& files, Findings& findings) {
  const auto total = meminfo(files, "SwapTotal");
  const auto free = meminfo(files, "SwapFree");
  if (!total || !free) {
    findings.unknown("memory.swap", "cannot be read");
  } else if (*total == 0) {
    findings.ok("memory.swap", "none");
  } else if (*free == *total) {
    findings.ok("memory.swap", fmt::format("{} MiB, none in use", *total / kMib));
  } else {
    findings.costs("memory.swap", fmt::format("{} of {} MiB in use", (*total - *free) / kMib, *total / kMib),
                   "a page read back costs milliseconds", "swapoff -a");
  }
}

void check_huge_pages(const SystemFiles& files, Findings& findings) {
  const std::optional<std::string> modes = files.read_line("/sys/kernel/mm/transparent_hugepage/enabled");
  if (!modes) {
    findings.unknown("memory.huge_pages", "not shown");
  } else if (modes->find("[always]") != std::string::npos) {
    findings.costs("memory.huge_pages", "always",
                   "pages are merged in the background while is measured: noise in the tail",
                   "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
  } else {
    findings.ok("memory.huge_pages", modes->find("[madvise]") != std::string::npos ? "madvise" : "never");
  }
}

void check_page_size(const EnvironmentOptions& options, Findings& findings) {
  if (!may_probe(options)) {
    findings.unknown("memory.page_size", kNotProbed);
    return;
  }
  findings.ok("memory.page_size", fmt::format("{} bytes", ::sysconf(_SC_PAGESIZE)));
}

void check_nodes(const SystemFiles& files, Findings& findings) {
  std::size_t nodes = 0;
  for (const std::string& name : files.list("/sys/devices/system/node")) {
    if (name.starts_with("node") && name.size() > 4 && name[4] >= '0' && name[4] <= '9') ++nodes;
  }
  if (nodes > 1) {
    findings.costs("memory.nodes", fmt::format("{} nodes", nodes), "memory of another node takes up to twice as long",
                   "numactl --cpunodebind=0 --membind=0");
  } else if (nodes == 1) {
    findings.ok("memory.nodes", "one node");
  } else {
    findings.unknown("memory.nodes", "not shown");
  }
}

}  // namespace

void check_memory(const EnvironmentOptions& options, Findings& findings) {
  check_available(options.files, findings);
  check_swap(options.files, findings);
  check_huge_pages(options.files, findings);
  check_page_size(options, findings);
  check_nodes(options.files, findings);
}

}  // namespace godwit::measure
