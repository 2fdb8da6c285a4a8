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

// The largest value of the last `window` rounds, at most kRounds (section 5.5.9, ExtraAckedFilterLen). Values beyond 32
// bits saturate: an idle connection keeps them.
class RoundMaxFilter {
 public:
  static constexpr std::size_t kRounds = 10;

  // Rounds never decrease. Returns the maximum over rounds (round - window, round].
  std::uint64_t update(std::uint64_t round, std::uint64_t value, std::size_t window) {
    const std::uint64_t passed = std::min<std::uint64_t>(round - latest_, kRounds);
    for (std::uint64_t i = 0; i < passed; ++i) values_[(round - i) % kRounds] = 0;
    latest_ = round;
    std::uint32_t& present = values_[round % kRounds];
    present = std::max(present, static_cast<std::uint32_t>(std::min<std::uint64_t>(value, UINT32_MAX)));
    std::uint32_t maximum = 0;
    for (std::uint64_t i = 0; i < window && i <= round; ++i) {
      maximum = std::max(maximum, values_[(round - i) % kRounds]);
    }
    return maximum;
  }

 private:
  std::uint64_t latest_ = 0;
  std::array<std::uint32_t, kRounds> values_{};
};

}  // namespace godwit
