// The endpoint's timers: one deadline a connection slot, in a binary heap with a position table, so that 10,000 idle
// connections cost nothing until one is due. A deadline that moved later is left where it is and re-armed when it
// fires (keep-alive moves with every packet; the heap must not).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"

namespace godwit {

class TimerQueue {
 public:
  // Sets the deadline of `slot` if it is earlier than the one armed, or none is armed.
  void arm(std::uint32_t slot, Instant deadline);
  void cancel(std::uint32_t slot);

  [[nodiscard]] std::optional<Instant> next() const;
  // Removes and returns a slot whose deadline is at or before `now`.
  [[nodiscard]] std::optional<std::uint32_t> pop_due(Instant now);
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    Instant deadline;
    std::uint32_t slot;
  };
  static constexpr std::uint32_t kAbsent = UINT32_MAX;

  void place(std::size_t index, Entry entry);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);
  void remove(std::size_t index);

  std::vector<Entry> heap_;
  std::vector<std::uint32_t> position_;  // slot -> index in heap_, kAbsent when not armed
};

}  // namespace godwit
