#include "congestion/loss_noise.h"

#include <algorithm>

namespace godwit {
namespace {

// How much longer than that of the bare path a round trip is when a queue stands. A receiver may hold its
// acknowledgements for an eighth of the round trip (recovery/ack_policy.h), which most samples have less of; on short
// paths the machines' own delays count.
constexpr int kQueuePart = 16;
constexpr Duration kQueueSlack = 2ms;
constexpr double kGrowth = 1.1;
constexpr double kRise = 1.5;

bool shows_queue(Duration rtt, Duration min_rtt) {
  return rtt > min_rtt + std::max<Duration>(min_rtt / kQueuePart, kQueueSlack);
}

}  // namespace

double LossNoise::rate() const {
  return std::min<double>(*std::min_element(bins_.begin(), bins_.end()), kMost);
}

bool LossNoise::on_quiet(const LossNoiseSample& sample) {
  acked_ += static_cast<std::uint32_t>(sample.acked);
  lost_ += static_cast<std::uint32_t>(sample.lost);
  if (sample.round_start) ++rounds_;
  if (sample.rtt) queued_ += shows_queue(*sample.rtt, sample.min_rtt) ? 1 : -1;
  const double sent = static_cast<double>(acked_) + static_cast<double>(lost_);
  if (rounds_ < kBinRounds || sent < static_cast<double>(kBinDatagrams * sample.datagram_bytes)) return false;
  const double before = rate();
  double share = static_cast<double>(lost_) / sent;
  if (queued_ > 0) share = std::min(share, before / 2);
  bins_[next_] = static_cast<float>(share);
  next_ = (next_ + 1) % kBins;
  acked_ = lost_ = 0;
  rounds_ = 0;
  queued_ = 0;
  return rate() > kRise * before;
}

void LossNoise::on_sample(const LossNoiseSample& sample, Bandwidth bandwidth) {
  if (sample.rtt) least_rtt_ = std::min(least_rtt_, *sample.rtt);
  if (!sample.round_start) return;
  if (least_rtt_ != Duration::max() && shows_queue(least_rtt_, sample.min_rtt)) vain_probes_ = 0;
  least_rtt_ = Duration::max();
  if (bandwidth > bandwidth_.scaled(kGrowth)) {
    bandwidth_ = bandwidth;
    vain_probes_ = 0;
  }
  if (vain_probes_ >= kVainProbes) bins_ = {};
}

}  // namespace godwit
