// The system's own counters before and after a run: datagrams the kernel dropped, processor time the hypervisor took,
// throttling. A figure taken while these moved is not a figure of the transport; `run_findings` in environment.h
// says what each costs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "measure/system_files.h"
#include "support/json_fwd.h"

namespace godwit::measure {

// UDP over IPv4 and IPv6 together, of the current network namespace (/proc/net/snmp, /proc/net/snmp6).
struct UdpCounters {
  std::uint64_t datagrams_in = 0;
  std::uint64_t datagrams_out = 0;
  std::uint64_t no_port = 0;
  std::uint64_t errors_in = 0;
  std::uint64_t receive_buffer_errors = 0;  // a socket's receive buffer was full
  std::uint64_t send_buffer_errors = 0;
  std::uint64_t checksum_errors = 0;
  std::uint64_t memory_errors = 0;

  // Datagrams that reached a socket and found no room.
  [[nodiscard]] std::uint64_t dropped() const { return receive_buffer_errors + memory_errors; }
};

struct SystemSnapshot {
  UdpCounters udp;
  bool udp_known = false;
  // Jiffies over all processors (/proc/stat).
  std::uint64_t busy = 0;
  std::uint64_t idle = 0;
  std::uint64_t steal = 0;
  std::uint64_t soft_interrupt = 0;
  bool processor_known = false;
  std::uint64_t context_switches = 0;
  std::uint64_t backlog_dropped = 0;  // per-CPU input queue overflows (/proc/net/softnet_stat)
  std::uint64_t thermal_throttles = 0;
  std::uint64_t group_throttles = 0;  // the CPU limit of this control group struck
  std::uint64_t pages_swapped = 0;
  std::optional<std::uint64_t> kernel_messages;  // lines of the kernel's log since boot; nothing where it is closed
  std::optional<double> hottest_celsius;
  double seconds = 0;  // CLOCK_MONOTONIC_RAW
};

// Nothing where the kernel's table cannot be read.
[[nodiscard]] std::optional<UdpCounters> read_udp_counters(const SystemFiles& files = {});
[[nodiscard]] SystemSnapshot take_system_snapshot(const SystemFiles& files = {});

// Differences of every counter; temperature is the later one; `seconds` is the time between.
[[nodiscard]] SystemSnapshot operator-(const SystemSnapshot& after, const SystemSnapshot& before);

// Share of processor time that the hypervisor gave to others, of a difference; 0 … 1.
[[nodiscard]] double steal_share(const SystemSnapshot& difference);

// Of a difference.
[[nodiscard]] Json to_json(const SystemSnapshot& difference);
[[nodiscard]] SystemSnapshot system_snapshot_from_json(JsonReader reader);

}  // namespace godwit::measure
