// The processor's own counters (instructions, cycles, cache and branch misses) of the calling thread, user space only,
// through perf_event_open. Guests often have none, or have some that stay at zero: a counter is offered only after it
// has been seen to count, and its absence comes with a reason.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "support/json_fwd.h"

namespace godwit::measure {

enum class PerfEvent : std::uint8_t { kInstructions, kCycles, kCacheMisses, kBranchMisses, kCount };
inline constexpr std::size_t kPerfEvents = static_cast<std::size_t>(PerfEvent::kCount);
[[nodiscard]] std::string_view name_of(PerfEvent event);

// Counts between start() and stop(); nothing for a counter that is absent or was not scheduled at all. Where the
// kernel shared a counter out between more events than the processor has, the count is scaled up and `scaled` is set.
struct PerfCounts {
  std::array<std::optional<std::uint64_t>, kPerfEvents> values;
  bool scaled = false;

  [[nodiscard]] std::optional<std::uint64_t> of(PerfEvent event) const {
    return values[static_cast<std::size_t>(event)];
  }
};

class PerfCounters {
 public:
  // Opens and proves each counter with a loop of known length (some 10 µs).
  PerfCounters();
  ~PerfCounters();
  PerfCounters(PerfCounters&& other) noexcept;
  PerfCounters& operator=(PerfCounters&& other) noexcept;
  PerfCounters(const PerfCounters&) = delete;
  PerfCounters& operator=(const PerfCounters&) = delete;

  // Counts the thread that constructed the object; call from that thread.
  void start();
  [[nodiscard]] PerfCounts stop();

  [[nodiscard]] bool has(PerfEvent event) const { return descriptors_[static_cast<std::size_t>(event)] >= 0; }
  // Why the counter is absent; empty when it counts.
  [[nodiscard]] const std::string& reason(PerfEvent event) const { return reasons_[static_cast<std::size_t>(event)]; }
  // One line for a person: "instructions, cycles; no cache misses: …".
  [[nodiscard]] std::string describe() const;

 private:
  std::array<int, kPerfEvents> descriptors_;
  std::array<std::string, kPerfEvents> reasons_;
};

// Member names as name_of, null for what is absent.
[[nodiscard]] Json to_json(const PerfCounts& counts);

}  // namespace godwit::measure
