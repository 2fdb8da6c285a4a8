#include "recovery/ack_path.h"

#include <algorithm>

namespace godwit {
namespace {

constexpr std::uint32_t kIdsPerPacket = 288;  // wire spec 2.4
// Growth of the round trip up to half of its least value, or this much, is what bursts of data and the peer's scheduler
// explain.
constexpr Duration kOrdinaryGrowth = 5ms;
// So many measurements in a row with a queue, although acknowledgements wait longer for each other, show that the queue
// is not theirs. That is looked at again after 32 measurements, then 64, and so on to 1024 (at ten per second at most).
constexpr std::uint16_t kMostInVain = 48;
constexpr std::uint16_t kMostIgnored = 1024;
// Acknowledgements that take a quarter of what their way carries are what its queue may be made of. A shorter spread
// than this is that of a peer that is busy.
constexpr double kNarrowShare = 0.25;
// A share of their way that leaves no queue for long: acknowledgements that take more do not become more frequent.
constexpr double kSteadyShare = 0.6;
constexpr Duration kLeastSpread = 2ms;
// Needless duplicates of one packet in so many are few enough: each costs one retransmission.
constexpr std::uint64_t kTolerated = 512;
// Counting stops here: the counters are small, as each connection has them.
constexpr std::uint32_t kManyPackets = 1U << 31;

}  // namespace

void AckPath::set_minimum(Duration round_trip) {
  minimum_ = round_trip;
  path_delay_ = std::clamp(round_trip / 8, policy_->min_delay, policy_->max_delay);
}

// Only where acknowledgements are known to get lost, or to fill their way. Up by half, and at least to a quarter of the
// growth, at each measurement that shows a queue and down by a quarter at each that shows none: the delay settles where
// the queue has just gone, whatever the path carries. Where they only get lost the queue may be that of the data, which
// no delay of acknowledgements shortens: when several measurements have shown that, the delay is given up for a while,
// since controllers that read delays (BBR, LEDBAT++) share the path less fairly with it.
void AckPath::on_round_trip(Duration round_trip, Duration minimum) {
  round_trip_ = round_trip;
  minimum_ = minimum;
  grown_ = round_trip > minimum_ + std::max(minimum_ / 2, kOrdinaryGrowth);
  if (narrow_) {
    in_vain_ = ignored_ = 0;
  } else if (ignored_ > 0) {
    --ignored_;
    return;
  }
  if (grown_ && (lossy() || narrow_)) {
    if (!narrow_ && queue_delay_ > Duration::zero() && ++in_vain_ > kMostInVain) {
      queue_delay_ = Duration::zero();
      in_vain_ = 0;
      ignored_ = next_ignored_;
      next_ignored_ = static_cast<std::uint16_t>(std::min<unsigned>(2U * next_ignored_, kMostIgnored));
      return;
    }
    const Duration most = std::min(policy_->max_queue_delay, std::max(minimum_ / 2, round_trip / 3));
    const Duration grown = round_trip - minimum_;
    queue_delay_ = std::min(most, std::max(queue_delay_ + queue_delay_ / 2 + path_delay_, grown / 4));
  } else {
    in_vain_ = 0;
    if (!narrow_ || bytes_per_second_ < kSteadyShare * way_bytes_per_second_) queue_delay_ -= queue_delay_ / 4;
  }
}

void AckPath::on_pair(std::uint32_t bytes, Duration apart) {
  const double rate = bytes / std::max(to_seconds(apart), to_seconds(kLeastSpread));
  narrow_ = apart >= kLeastSpread && bytes_per_second_ >= kNarrowShare * rate;
  way_bytes_per_second_ = static_cast<std::uint32_t>(std::min(rate, 4e9));
}

bool AckPath::pair_due(Instant now) const {
  const Duration since = now - paired_at_;
  return (grown_ && since >= kPairInterval) || (narrow_ && since >= kPairMemory);
}

void AckPath::on_pair_sent(Instant now) {
  paired_at_ = now;
  bytes_since_probe_ += kPingBytes;
}

void AckPath::on_probe_sent(Instant now) {
  const double seconds = to_seconds(now - probed_at_);
  if (seconds > 0) bytes_per_second_ = static_cast<std::uint32_t>(bytes_since_probe_ / seconds);
  probed_at_ = now;
  packets_since_probe_ = 0;
  bytes_since_probe_ = kPingBytes;
}

// At most once per round trip: the sender needs as long to show what the last change was good for.
void AckPath::on_needless_duplicate(Instant now) {
  calm_since_ = now;
  if (duplicates_since_change_ < kManyPackets) ++duplicates_since_change_;
  if (raised_ >= policy_->max_repetitions) return;
  if (std::uint64_t{duplicates_since_change_} * kTolerated < packets_since_change_) return;
  if (now - changed_at_ < std::max(round_trip_, delay())) return;
  change_repetitions(now, raised_ + 1u);
}

void AckPath::on_batch_end(Instant now, std::uint64_t new_packets) {
  packets_since_change_ =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(packets_since_change_ + new_packets, kManyPackets));
  if (!lossy() || now - calm_since_ < policy_->repetition_memory) return;
  change_repetitions(now, raised_ - 1u);
}

void AckPath::change_repetitions(Instant now, std::uint32_t repetitions) {
  raised_ = static_cast<std::uint8_t>(repetitions);
  changed_at_ = calm_since_ = now;
  packets_since_change_ = duplicates_since_change_ = 0;
}

std::uint32_t AckPath::repetitions() const {
  const bool crowded = queue_delay_ > path_delay_;
  return crowded && raised_ > 0 ? raised_ - 1u : raised_;
}

std::uint32_t AckPath::threshold() const {
  return std::min(policy_->threshold, kIdsPerPacket / (1 + repetitions()));
}

bool AckPath::probe_due(Instant now) const {
  return packets_since_probe_ >= policy_->packets_per_probe &&
         now - probed_at_ >= std::max(policy_->probe_interval, round_trip_);
}

}  // namespace godwit
