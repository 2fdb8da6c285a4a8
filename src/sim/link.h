// One direction of a link, declared as data: a queue, a transmitter with a rate, a delay line, and every way in which
// real ones misbehave. The simulator passes packets in and schedules what the link answers; the link keeps no packet
// bytes and pushes no events of its own. Owned by Simulator.
// Invariant: packets_in + duplicated == packets_out + dropped + queued + on the way.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bandwidth.h"
#include "base/random.h"
#include "base/time.h"
#include "sim/codel.h"
#include "sim/loss.h"
#include "sim/packet.h"

namespace godwit::sim {

enum class Aqm : std::uint8_t { kDropTail, kCodel };
// What a link does with packets that carry explicit congestion notification (base/ecn.h).
enum class EcnRule : std::uint8_t {
  kPass,   // nothing: queue management drops them like others
  kMark,   // queue management marks them where it would drop
  kClear,  // takes every mark away
  kDrop,   // loses them
};

// A queue's bound in bytes. As a share of rate × round trip it is resolved by Scenario::resolve().
struct QueueSpec {
  std::uint64_t bytes = 0;  // 0: by `bdp`; neither: 64 full datagrams
  double bdp = 0;
  friend bool operator==(const QueueSpec&, const QueueSpec&) = default;
};

// Times are offsets from the start of the scenario.
struct Span {
  Duration from{};
  Duration until{};
  friend bool operator==(const Span&, const Span&) = default;
};
struct RateChange {
  Duration at{};
  Bandwidth rate;
  friend bool operator==(const RateChange&, const RateChange&) = default;
};
struct MtuChange {
  Duration at{};
  std::uint32_t mtu = 1500;
  friend bool operator==(const MtuChange&, const MtuChange&) = default;
};
struct DelaySpike {
  Duration from{};
  Duration until{};
  Duration extra{};
  friend bool operator==(const DelaySpike&, const DelaySpike&) = default;
};
// A token bucket that drops what exceeds it, without a queue.
struct Policer {
  Bandwidth rate = Bandwidth::unlimited();
  std::uint64_t burst_bytes = 0;
  friend bool operator==(const Policer&, const Policer&) = default;
};

struct LinkSpec {
  Duration delay{};
  Duration jitter{};  // uniform on top of the delay; keeps the order
  Bandwidth rate = Bandwidth::unlimited();
  QueueSpec queue;
  Aqm aqm = Aqm::kDropTail;
  EcnRule ecn = EcnRule::kPass;
  std::uint32_t mtu = 1500;  // of IP packets; longer ones vanish
  LossSpec loss;
  double reorder = 0;         // share of packets held back by ...
  Duration reorder_by = 5ms;  // ... up to this much, while others pass
  double duplicate = 0;
  double corrupt = 0;  // one byte changed
  std::vector<Span> blackouts;
  std::vector<RateChange> rate_changes;  // ascending
  std::vector<MtuChange> mtu_changes;    // ascending
  std::vector<DelaySpike> delay_spikes;
  std::optional<Policer> policer;

  friend bool operator==(const LinkSpec&, const LinkSpec&) = default;
};

enum class LinkDrop : std::uint8_t { kLoss, kQueueFull, kAqm, kMtu, kBlackout, kPolicer, kEcn, kCount };
[[nodiscard]] std::string_view link_drop_name(LinkDrop drop);

struct LinkStatistics {
  std::uint64_t packets_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t reordered = 0;
  std::uint64_t marked = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(LinkDrop::kCount)> drops{};

  [[nodiscard]] std::uint64_t dropped() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : drops) sum += count;
    return sum;
  }
};

// Waits of packets in a queue by logarithmic bucket, for percentiles.
class DelayHistogram {
 public:
  void add(Duration delay);
  // Upper edge of the bucket that holds the share `quantile` of all; zero without any.
  [[nodiscard]] Duration percentile(double quantile) const;
  void clear() { *this = {}; }

 private:
  static constexpr std::size_t kBuckets = 512;
  std::array<std::uint32_t, kBuckets> counts_{};
  std::uint64_t total_ = 0;
};

class Link {
 public:
  // `spec` and `random` outlive the link; `start` is the instant that offsets of the spec count from.
  Link(const LinkSpec& spec, RandomSource& random, Instant start);

  struct Departure {
    std::uint32_t packet = 0;
    Instant arrives_at{};
    bool duplicate = false;  // a copy is to arrive as well, at the same time
  };
  // A packet enters. A drop, or nothing when it was queued.
  [[nodiscard]] std::optional<LinkDrop> enqueue(Instant now, std::uint32_t index, Packet& packet);
  // True when the transmitter is idle and something waits: call transmit().
  [[nodiscard]] bool ready(Instant now) const { return !queue_.empty() && free_at_ <= now; }
  // Takes the head of the queue. Packets that the queue management drops are appended to `dropped`. Requires ready().
  [[nodiscard]] std::optional<Departure> transmit(Instant now, PacketPool& pool, std::vector<std::uint32_t>& dropped);
  // When the transmitter is free again.
  [[nodiscard]] Instant free_at() const { return free_at_; }
  void on_arrival(const Packet& packet);

  [[nodiscard]] Bandwidth rate_at(Instant now) const;
  [[nodiscard]] std::uint32_t mtu_at(Instant now) const;
  [[nodiscard]] std::uint64_t queue_bound() const { return spec_->queue.bytes; }
  [[nodiscard]] std::uint64_t queued_bytes() const { return queued_bytes_; }
  [[nodiscard]] std::size_t queued_packets() const { return queue_.size(); }
  [[nodiscard]] std::uint64_t on_the_way() const { return on_the_way_; }
  [[nodiscard]] const LinkSpec& spec() const { return *spec_; }
  [[nodiscard]] const LinkStatistics& statistics() const { return statistics_; }
  [[nodiscard]] DelayHistogram& delays() { return delays_; }
  // Of the checkers' tests: lets the queue grow without bound.
  void break_queue_bound() { ignores_bound_ = true; }
  void break_accounting() { ++statistics_.packets_in; }

 private:
  [[nodiscard]] bool police(Instant now, std::uint32_t bytes);
  [[nodiscard]] Instant arrival_of(Instant leaves_at);
  std::optional<LinkDrop> drop(LinkDrop reason) {
    ++statistics_.drops[static_cast<std::size_t>(reason)];
    return reason;
  }

  const LinkSpec* spec_;
  RandomSource* random_;
  Instant start_;
  LossModel loss_;
  Codel codel_;
  std::deque<std::uint32_t> queue_;
  std::uint64_t queued_bytes_ = 0;
  Instant free_at_{};
  Instant latest_arrival_{};
  std::uint64_t on_the_way_ = 0;
  double tokens_ = 0;
  Instant tokens_at_{};
  LinkStatistics statistics_;
  DelayHistogram delays_;
  bool ignores_bound_ = false;
};

}  // namespace godwit::sim
