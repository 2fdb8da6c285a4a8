// A log-linear histogram of whole numbers (nanoseconds, bytes, datagrams a batch), as HdrHistogram has it: constant
// relative error over the whole range, constant time to record, nothing allocated after construction, mergeable.
// Values above `largest` are counted in the last bucket and in `saturated()`.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/json_fwd.h"

namespace godwit::measure {

class Histogram {
 public:
  static constexpr unsigned kDefaultPrecisionBits = 7;
  static constexpr std::uint64_t kDefaultLargest = std::uint64_t{1} << 36U;  // 68 s of nanoseconds

  // A bucket is at most 2^-precision_bits of its value wide: 7 bits are an error below 0.8 %. `precision_bits` is
  // 1 … 14; `largest` is rounded up to a full power of two.
  explicit Histogram(unsigned precision_bits = kDefaultPrecisionBits, std::uint64_t largest = kDefaultLargest);

  void record(std::uint64_t value) { record(value, 1); }
  void record(std::uint64_t value, std::uint64_t times) {
    const std::size_t last = counts_.size() - 1;
    std::size_t index = index_of(value);
    if (index > last) {
      index = last;
      saturated_ += times;
    }
    counts_[index] += times;
    count_ += times;
    sum_ += value * times;
    if (value > maximum_) maximum_ = value;
    if (value < minimum_) minimum_ = value;
  }

  // Same precision and range only; false and no change otherwise.
  [[nodiscard]] bool merge(const Histogram& other);
  void clear();

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t saturated() const { return saturated_; }
  [[nodiscard]] std::uint64_t minimum() const { return count_ == 0 ? 0 : minimum_; }
  [[nodiscard]] std::uint64_t maximum() const { return maximum_; }
  [[nodiscard]] double mean() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }

  // The smallest recordable value such that `percentile` % of the samples are not above its bucket: the bucket's upper
  // end, clamped to the exact extremes. 0 when empty. `percentile` is 0 … 100.
  [[nodiscard]] std::uint64_t percentile(double percentile) const;

  // Non-empty buckets in rising order: [low, high] inclusive.
  struct Bucket {
    std::uint64_t low;
    std::uint64_t high;
    std::uint64_t count;
  };
  [[nodiscard]] std::vector<Bucket> buckets() const;

  [[nodiscard]] unsigned precision_bits() const { return precision_bits_; }
  // The largest value that has a bucket of its own kind.
  [[nodiscard]] std::uint64_t largest() const { return high_of(counts_.size() - 1); }

  friend bool operator==(const Histogram&, const Histogram&) = default;

 private:
  friend Histogram histogram_from_json(JsonReader reader);

  // Values below 2^bits have a bucket of their own; above, each power of two is cut into 2^bits equal buckets.
  [[nodiscard]] std::size_t index_of(std::uint64_t value) const {
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    if (width <= precision_bits_) return static_cast<std::size_t>(value);
    const unsigned shift = width - precision_bits_ - 1;
    return (static_cast<std::size_t>(shift) << precision_bits_) + static_cast<std::size_t>(value >> shift);
  }
  [[nodiscard]] std::uint64_t low_of(std::size_t index) const;
  [[nodiscard]] std::uint64_t high_of(std::size_t index) const { return low_of(index + 1) - 1; }

  unsigned precision_bits_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t saturated_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t minimum_ = ~std::uint64_t{0};
  std::uint64_t maximum_ = 0;
};

// The percentiles every report shows, in order: 50, 90, 99, 99.9, 99.99.
inline constexpr double kReportedPercentiles[] = {50, 90, 99, 99.9, 99.99};

[[nodiscard]] Json to_json(const Histogram& histogram);
[[nodiscard]] Histogram histogram_from_json(JsonReader reader);

}  // namespace godwit::measure
