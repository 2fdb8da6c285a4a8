#include "recovery/ack_path.h"

#include <algorithm>
#include <utility>

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
// A share of their way that leaves no queue for long: where all that is sent takes more, acknowledgements do not become
// more frequent.
constexpr double kSteadyShare = 0.7;
constexpr Duration kLeastSpread = 2ms;
constexpr Duration kPairInterval = 300ms;
constexpr Duration kPairMemory = 2s;
// Pairs in a row that show a wide way.
constexpr std::uint8_t kEnoughDoubts = 8;
// Needless duplicates of one packet in so many are few enough: each costs one retransmission.
constexpr std::uint64_t kTolerated = 512;
// Counting stops here: the counters are small, as each connection has them.
constexpr std::uint32_t kManyPackets = 1U << 31;

}  // namespace

void AckPath::set_minimum(Duration round_trip) {
  minimum_ = round_trip;
  path_delay_ = std::clamp(round_trip / 8, policy_->min_delay, policy_->max_delay);
}

// Only where acknowledgements are known to get lost, or to fill a good part of their way. Up by half, and at least to a
// quarter of the growth, at each measurement that shows a queue and down by a quarter at each that shows none: the
// delay settles where the queue has just gone, whatever the path carries. Where they only get lost the queue may be
// that of the data, which no delay of acknowledgements shortens: when several measurements have shown that, the delay
// is given up for a while, since controllers that read delays (BBR, LEDBAT++) share the path less fairly with it.
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
  // The queue of the data may stand for good: on a narrow way what is sent over it counts as well.
  if (narrow_) {
    if (!fills_its_way()) {
      queue_delay_ -= queue_delay_ / 4;
    } else if (grown_) {
      lengthen(round_trip);
    }
  } else if (grown_ && lossy()) {
    if (queue_delay_ > Duration::zero() && ++in_vain_ > kMostInVain) {
      queue_delay_ = Duration::zero();
      in_vain_ = 0;
      ignored_ = next_ignored_;
      next_ignored_ = static_cast<std::uint16_t>(std::min<unsigned>(2U * next_ignored_, kMostIgnored));
      return;
    }
    queue_delay_ = std::min(queue_delay_, std::max(minimum_ / 2, round_trip / 3));
    lengthen(round_trip);
  } else {
    in_vain_ = 0;
    queue_delay_ -= queue_delay_ / 4;
  }
}

void AckPath::lengthen(Duration round_trip) {
  const Duration most = std::min(policy_->max_queue_delay, std::max(minimum_ / 2, round_trip / 3));
  Duration wanted = std::max(queue_delay_ + queue_delay_ / 2 + path_delay_, (round_trip - minimum_) / 4);
  // More than the way carries: the queue will be full, and takes its time to go.
  if (narrow_ && all_bytes_per_second_ > way_bytes_per_second_) wanted = most;
  queue_delay_ = std::max(queue_delay_, std::min(most, wanted));
}

bool AckPath::fills_its_way() const {
  return all_bytes_per_second_ >= kSteadyShare * way_bytes_per_second_;
}

// A narrow way is seen at once. That it is wide again takes several pairs: their answers lie close together as well
// where the peer was busy, or a token bucket had filled up while only the data had a queue.
void AckPath::on_pair(std::uint32_t bytes, Duration apart) {
  const double rate = std::min(bytes / std::max(to_seconds(apart), to_seconds(kLeastSpread)), 4e9);
  const bool narrow = apart >= kLeastSpread && bytes_per_second_ >= kNarrowShare * rate;
  if (narrow) {
    const double former = narrow_ ? way_bytes_per_second_ : rate;
    way_bytes_per_second_ = static_cast<std::uint32_t>(std::min(rate, (former + rate) / 2));
    wide_doubts_ = 0;
  } else if (narrow_) {
    if (++wide_doubts_ < kEnoughDoubts) return;
  }
  if (std::exchange(narrow_, narrow) || !narrow) return;
  if (grown_ && fills_its_way()) lengthen(round_trip_);
}

bool AckPath::pair_due(Instant now) const {
  const Duration since = now - paired_at_;
  return narrow_ ? since >= kPairMemory : grown_ && since >= kPairInterval;
}

void AckPath::on_pair_sent(Instant now) {
  paired_at_ = now;
  bytes_since_probe_ += kPingBytes;
}

void AckPath::on_probe_sent(Instant now) {
  const double seconds = to_seconds(now - probed_at_);
  if (seconds > 0) {
    bytes_per_second_ = static_cast<std::uint32_t>(bytes_since_probe_ / seconds);
    const auto all = static_cast<std::uint32_t>(std::max(bytes_since_probe_, all_bytes_since_probe_) / seconds);
    all_bytes_per_second_ = all_bytes_per_second_ == 0 ? all : all_bytes_per_second_ / 2 + all / 2;
  }
  probed_at_ = now;
  packets_since_probe_ = 0;
  bytes_since_probe_ = kPingBytes;
  all_bytes_since_probe_ = 0;
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
