#include "support/histogram.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "support/json.h"

namespace godwit::measure {

Histogram::Histogram(unsigned precision_bits, std::uint64_t largest) : precision_bits_(precision_bits) {
  GODWIT_ASSERT(precision_bits >= 1 && precision_bits <= 14);
  // One power of two is kept free above, so that the upper end of the last bucket can be computed.
  const unsigned width = std::clamp(static_cast<unsigned>(std::bit_width(largest)), precision_bits + 1, 63U);
  counts_.resize(index_of((std::uint64_t{1} << width) - 1) + 1);
}

std::uint64_t Histogram::low_of(std::size_t index) const {
  const std::size_t linear = std::size_t{1} << precision_bits_;
  if (index < 2 * linear) return index;
  const std::size_t shift = (index >> precision_bits_) - 1;
  return static_cast<std::uint64_t>(index - (shift << precision_bits_)) << shift;
}

bool Histogram::merge(const Histogram& other) {
  if (other.precision_bits_ != precision_bits_ || other.counts_.size() != counts_.size()) return false;
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  saturated_ += other.saturated_;
  sum_ += other.sum_;
  minimum_ = std::min(minimum_, other.minimum_);
  maximum_ = std::max(maximum_, other.maximum_);
  return true;
}

void Histogram::clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = saturated_ = sum_ = maximum_ = 0;
  minimum_ = ~std::uint64_t{0};
}

std::uint64_t Histogram::percentile(double percentile) const {
  if (count_ == 0) return 0;
  const double share = std::clamp(percentile, 0.0, 100.0) / 100;
  // A tiny subtraction keeps 99.99 % of 10,000 at 9,999 although 0.9999 is not a binary fraction.
  const double exact = std::ceil(share * static_cast<double>(count_) - 1e-9 * static_cast<double>(count_));
  const std::uint64_t wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(exact));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen < wanted) continue;
    // The last bucket may hold values far above its own end.
    if (i + 1 == counts_.size() && saturated_ > 0) return maximum_;
    return std::clamp(high_of(i), minimum_, maximum_);
  }
  return maximum_;
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
  std::vector<Bucket> found;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] != 0) found.push_back({low_of(i), high_of(i), counts_[i]});
  }
  return found;
}

Json to_json(const Histogram& histogram) {
  Json buckets = Json::array();
  for (const Histogram::Bucket& bucket : histogram.buckets()) {
    // Two flat numbers a bucket: one line in the file however many there are.
    buckets.push_back(bucket.low);
    buckets.push_back(bucket.count);
  }
  Json percentiles = Json::object();
  for (const double percentile : kReportedPercentiles) {
    percentiles[Json(percentile).dump()] = histogram.percentile(percentile);
  }
  return {{"precision_bits", histogram.precision_bits()},
          {"largest", histogram.largest()},
          {"count", histogram.count()},
          {"saturated", histogram.saturated()},
          {"minimum", histogram.minimum()},
          {"maximum", histogram.maximum()},
          {"mean", histogram.mean()},
          {"percentiles", percentiles},
          {"buckets", buckets}};
}

Histogram histogram_from_json(JsonReader reader) {
  const std::uint64_t bits = reader.count("precision_bits");
  if (bits < 1 || bits > 14) {
    reader.problem("precision_bits", "expected 1 to 14");
    return Histogram();
  }
  const std::uint64_t maximum = reader.count("maximum");
  Histogram histogram(static_cast<unsigned>(bits), reader.count("largest"));
  const std::vector<double> flat = reader.numbers("buckets");
  if (flat.size() % 2 != 0) reader.problem("buckets", "expected pairs of lower end and count");
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2) {
    if (flat[i] < 0 || flat[i + 1] < 0 || flat[i] > 9e15 || flat[i + 1] > 9e15) {
      reader.problem("buckets", "expected whole numbers of at least 0");
      return Histogram();
    }
    histogram.record(static_cast<std::uint64_t>(flat[i]), static_cast<std::uint64_t>(flat[i + 1]));
  }
  const std::uint64_t count = reader.count("count");
  if (histogram.count() != count) reader.problem("count", "differs from the sum of the buckets");
  // Buckets keep lower ends; the exact moments are stored beside them.
  histogram.saturated_ = reader.count("saturated");
  histogram.sum_ = static_cast<std::uint64_t>(std::llround(reader.number("mean") * static_cast<double>(count)));
  if (count > 0) {
    histogram.minimum_ = reader.count("minimum");
    histogram.maximum_ = maximum;
  }
  return histogram;
}

}  // namespace godwit::measure
