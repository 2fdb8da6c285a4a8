// The windowed maxima of BBR's path model: bandwidth over two probing cycles, acknowledgement aggregation over ten
// round trips. Values without allocation, owned by BbrModel.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bandwidth.h"

namespace godwit {

// The largest delivery rate of this probing cycle and the one before (draft-ietf-ccwg-bbr section 5.5.5,
// MaxBwFilterLen).
class MaxBandwidthFilter {
 public:
  void update(Bandwidth sample) { current_ = std::max(current_, sample); }
  // A cycle ended. One without samples keeps what is known: silence is no evidence of a slower path.
  void advance() {
    if (current_ == Bandwidth{}) return;
    previous_ = current_;
    current_ = Bandwidth{};
  }
  [[nodiscard]] Bandwidth maximum() const { return std::max(previous_, current_); }

 private:
  Bandwidth previous_;
  Bandwidth current_;
};

// The largest value of the last `window` rounds, at most kRounds (section 5.5.9, ExtraAckedFilterLen).
class RoundMaxFilter {
 public:
  static constexpr std::size_t kRounds = 10;

  // Rounds never decrease. Returns the maximum over rounds (round - window, round].
  std::uint64_t update(std::uint64_t round, std::uint64_t value, std::size_t window) {
    Slot& slot = slots_[round % kRounds];
    if (slot.round != round || !slot.used) slot = Slot{.round = round, .value = 0, .used = true};
    slot.value = std::max(slot.value, value);
    std::uint64_t maximum = 0;
    for (const Slot& each : slots_) {
      if (each.used && round - each.round < window) maximum = std::max(maximum, each.value);
    }
    return maximum;
  }

 private:
  struct Slot {
    std::uint64_t round = 0;
    std::uint64_t value = 0;
    bool used = false;
  };
  std::array<Slot, kRounds> slots_{};
};

}  // namespace godwit
