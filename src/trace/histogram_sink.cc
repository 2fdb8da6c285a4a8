#include "trace/histogram_sink.h"

#include <algorithm>
#include <cmath>

namespace godwit::trace {

std::uint64_t LogHistogram::least_of(std::size_t index) {
  if (index < kSteps) return index;
  const std::size_t shift = index / kSteps - 1;
  return (kSteps + index % kSteps) << shift;
}

std::uint64_t LogHistogram::quantile(double share) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_)));
  std::uint64_t passed = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (buckets_[i] == 0) continue;
    last = i;
    passed += buckets_[i];
    if (passed >= std::max<std::uint64_t>(wanted, 1)) break;
  }
  return least_of(last);
}

void HistogramSink::on_event(const Event& event) {
  if (const auto* sent = std::get_if<PacketSent>(&event.data)) {
    sent_sizes_.add(sent->bytes);
  } else if (const auto* received = std::get_if<PacketReceived>(&event.data)) {
    received_sizes_.add(received->bytes);
  } else if (const auto* metrics = std::get_if<MetricsUpdated>(&event.data)) {
    if (metrics->latest_round_trip > Duration::zero()) {
      round_trips_.add(static_cast<std::uint64_t>(metrics->latest_round_trip.count()));
    }
    bytes_in_flight_.add(metrics->bytes_in_flight);
  }
}

}  // namespace godwit::trace
