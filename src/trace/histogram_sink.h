// Distributions instead of averages: of round trips, of bytes in flight, of packet sizes. Fixed memory, a few
// nanoseconds an event, quantiles within 1/32 of the value. The driver reads them when it likes.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "trace/events.h"

namespace godwit::trace {

// Counts of u64 values in buckets that grow with the value: 32 to each power of two, exact below 32.
class LogHistogram {
 public:
  void add(std::uint64_t value) {
    ++buckets_[index_of(value)];
    ++count_;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // The least value of the bucket in which the quantile lies; 0 when nothing was added. `share` in [0, 1].
  [[nodiscard]] std::uint64_t quantile(double share) const;

 private:
  static constexpr std::size_t kSteps = 32;
  static constexpr unsigned kStepBits = 5;
  static constexpr std::size_t kBuckets = kSteps * (64 - kStepBits + 1);

  [[nodiscard]] static std::size_t index_of(std::uint64_t value) {
    if (value < kSteps) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kStepBits - 1;
    return kSteps * (shift + 1) + static_cast<std::size_t>(value >> shift) - kSteps;
  }
  [[nodiscard]] static std::uint64_t least_of(std::size_t index);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
};

class HistogramSink final : public Sink {
 public:
  void on_event(const Event& event) override;

  [[nodiscard]] const LogHistogram& round_trips() const { return round_trips_; }  // nanoseconds
  [[nodiscard]] const LogHistogram& bytes_in_flight() const { return bytes_in_flight_; }
  [[nodiscard]] const LogHistogram& sent_sizes() const { return sent_sizes_; }  // bytes
  [[nodiscard]] const LogHistogram& received_sizes() const { return received_sizes_; }

 private:
  LogHistogram round_trips_;
  LogHistogram bytes_in_flight_;
  LogHistogram sent_sizes_;
  LogHistogram received_sizes_;
};

}  // namespace godwit::trace
