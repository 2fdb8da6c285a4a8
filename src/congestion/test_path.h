// Test only: a deterministic model of senders that share one bottleneck, to watch controllers over whole transfers.
// The link serves one FIFO of bounded bytes at a rate; packets may be lost before it at random, every n-th, or in an
// outage; half the round trip lies behind it, half on the way back. Receivers acknowledge in batches. Senders fill the
// window in paced batches, detect losses by three later packets or by a time-out, and sample delivery rates as
// draft-ietf-ccwg-bbr section 4.1 says. No reordering: every gap is a loss.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "congestion/controller.h"

namespace godwit {

inline constexpr std::uint64_t kModelDatagram = 1200;

struct ModelPath {
  Bandwidth rate = 100_mbps;
  Duration round_trip = 50ms;
  double queue_bdp = 1.0;  // capacity of the queue in bandwidth-delay products, at least 20 datagrams
  Duration queue_time{};   // if set: capacity as time at the rate instead
  double loss = 0.0;
  std::uint64_t drop_every = 0;  // every n-th packet of the link is lost; 0: none
  std::uint64_t drop_first = 0;  // and the first of them is this one; 0: the n-th
  std::uint64_t seed = 1;
  Duration acknowledgement_delay = 1ms;  // of the receiver, capped at an eighth of the round trip
  std::uint32_t acknowledge_every = 144;
  Instant outage_from{Duration::max()};
  Instant outage_until{Duration::max()};
  std::optional<Instant> rate_changes_at{};
  Bandwidth rate_afterwards{};
  Duration jitter{};  // uniform, added to acknowledgement batches

  [[nodiscard]] std::uint64_t queue_bytes() const {
    const std::uint64_t wanted =
        queue_time > Duration::zero()
            ? rate.bytes_in(queue_time)
            : static_cast<std::uint64_t>(queue_bdp * static_cast<double>(rate.bytes_in(round_trip)));
    return std::max(wanted, 20 * kModelDatagram);
  }
};

struct ModelFlowConfig {
  CongestionKind kind = CongestionKind::kCubic;
  ControllerConfig controller{};
  Instant start{};
  Bandwidth application_rate = Bandwidth::unlimited();
  Duration burst_on{};  // if set: the application sends for burst_on, then is silent for burst_off
  Duration burst_off{};
};

class ModelLink {
 public:
  explicit ModelLink(const ModelPath& path)
      : path_(path),
        random_(path.seed),
        capacity_(path.queue_bytes()),
        next_drop_(path.drop_first != 0 ? path.drop_first : path.drop_every) {}

  // When the packet leaves the link; nothing if it is lost.
  std::optional<Instant> carry(Instant now, std::uint64_t bytes) {
    ++packets_;
    if (now >= path_.outage_from && now < path_.outage_until) return std::nullopt;
    if (packets_ == next_drop_) {
      next_drop_ += path_.drop_every;
      return std::nullopt;
    }
    if (path_.loss > 0 && random_.unit() < path_.loss) return std::nullopt;
    const Bandwidth rate = rate_at(now);
    const Duration waiting = std::max(Duration::zero(), free_at_ - now);
    if (rate.bytes_in(waiting) + bytes > capacity_) {
      ++overflows_;
      return std::nullopt;
    }
    free_at_ = std::max(free_at_, now) + rate.time_for(bytes);
    return free_at_;
  }
  [[nodiscard]] Bandwidth rate_at(Instant now) const {
    return path_.rate_changes_at && now >= *path_.rate_changes_at ? path_.rate_afterwards : path_.rate;
  }
  [[nodiscard]] Duration queueing_delay(Instant now) const { return std::max(Duration::zero(), free_at_ - now); }
  [[nodiscard]] const ModelPath& path() const { return path_; }
  [[nodiscard]] DeterministicRandom& random() { return random_; }
  [[nodiscard]] std::uint64_t overflows() const { return overflows_; }

 private:
  ModelPath path_;
  DeterministicRandom random_;
  std::uint64_t capacity_;
  std::uint64_t next_drop_;
  Instant free_at_{};
  std::uint64_t packets_ = 0;
  std::uint64_t overflows_ = 0;
};

struct ModelFlowStatistics {
  std::uint64_t sent_packets = 0;
  std::uint64_t lost_packets = 0;
  std::uint64_t delivered_bytes = 0;
  std::uint64_t timeouts = 0;
};

class ModelFlow {
 public:
  static constexpr Instant kNever{Duration::max()};

  ModelFlow(const ModelFlowConfig& config, ModelLink& link)
      : config_(config), link_(&link), controller_(make_controller(config.kind, config.controller)) {
    next_send_ = config.start;
  }

  [[nodiscard]] CongestionController& controller() { return *controller_; }
  // Called with each event before the controller sees it; may change it.
  void set_tamper(std::function<void(CongestionEvent&)> tamper) { tamper_ = std::move(tamper); }
  [[nodiscard]] const ModelFlowStatistics& statistics() const { return statistics_; }
  [[nodiscard]] std::uint64_t in_flight() const { return in_flight_; }
  [[nodiscard]] Duration smoothed_rtt() const { return smoothed_; }

  // When something happens next.
  [[nodiscard]] Instant next() const {
    Instant at = kNever;
    if (!batches_.empty()) at = std::min(at, batches_.front().flush_at + return_delay());
    if (in_flight_ > 0) at = std::min(at, timeout_at_);
    if (in_flight_ + kModelDatagram <= controller_->window_bytes()) at = std::min(at, next_data());
    return std::max(at, now_);
  }

  void advance(Instant now) {
    now_ = now;
    if (!batches_.empty() && now >= batches_.front().flush_at + return_delay()) {
      acknowledge();
    } else if (in_flight_ > 0 && now >= timeout_at_) {
      time_out();
    }
    send();
    check();
  }

 private:
  struct Packet {
    Instant sent_at;
    Instant delivered_at;  // the flow's delivered_at_ when it was sent
    Instant first_sent_at;
    std::uint64_t delivered = 0;
    std::uint64_t lost = 0;
    std::uint64_t in_flight = 0;
    bool dropped = false;
    bool settled = false;
    bool application_limited = false;
  };
  struct Batch {
    Instant flush_at;
    Instant deadline;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint32_t count = 0;
  };

  [[nodiscard]] Duration return_delay() const { return link_->path().round_trip / 2; }

  // The earliest time at which pacing and application allow a packet.
  [[nodiscard]] Instant next_data() const {
    Instant at = std::max(next_send_, config_.start);
    if (config_.burst_on > Duration::zero()) {
      const Duration cycle = config_.burst_on + config_.burst_off;
      const Duration within = (std::max(at, now_) - config_.start) % cycle;
      if (within >= config_.burst_on) at = std::max(at, now_) + (cycle - within);
    }
    if (!config_.application_rate.is_unlimited()) {
      const Instant ready = config_.start + config_.application_rate.time_for(sent_bytes_ + kModelDatagram);
      at = std::max(at, ready);
    }
    return at;
  }

  void send() {
    while (in_flight_ + kModelDatagram <= controller_->window_bytes() && next_data() <= now_) {
      if (in_flight_ == 0 && application_limited_) controller_->on_idle_restart(now_);
      const Bandwidth rate = controller_->pacing_rate();
      const std::uint64_t batch_limit =
          std::clamp<std::uint64_t>(rate.bytes_in(1ms), 2 * kModelDatagram, 54 * kModelDatagram);
      const std::uint64_t room = controller_->window_bytes() - in_flight_;
      std::uint64_t batch = std::max(kModelDatagram, std::min(batch_limit, room) / kModelDatagram * kModelDatagram);
      if (!config_.application_rate.is_unlimited()) batch = kModelDatagram;
      for (std::uint64_t sent = 0; sent < batch; sent += kModelDatagram) transmit();
      next_send_ = std::max(next_send_, now_) + std::min<Duration>(rate.time_for(batch), 10s);
      controller_->on_packet_sent({.now = now_,
                                   .bytes = batch,
                                   .packets = static_cast<std::uint32_t>(batch / kModelDatagram),
                                   .bytes_in_flight = in_flight_});
      application_limited_ = false;
    }
    // Out of data although window and pacing would allow more (section 4.1.2.4).
    if (in_flight_ + kModelDatagram <= controller_->window_bytes() && next_send_ <= now_ && next_data() > now_) {
      application_limited_ = true;
      application_limited_until_ = std::max<std::uint64_t>(delivered_ + in_flight_, 1);
    }
  }

  void transmit() {
    if (in_flight_ == 0) {
      first_sent_at_ = delivered_at_ = now_;
      arm_timeout();
    }
    in_flight_ += kModelDatagram;
    sent_bytes_ += kModelDatagram;
    ++statistics_.sent_packets;
    const std::optional<Instant> leaves = link_->carry(now_, kModelDatagram);
    packets_.push_back({.sent_at = now_,
                        .delivered_at = delivered_at_,
                        .first_sent_at = first_sent_at_,
                        .delivered = delivered_,
                        .lost = lost_,
                        .in_flight = in_flight_,
                        .dropped = !leaves,
                        .settled = false,
                        .application_limited = application_limited_until_ != 0});
    const std::uint64_t sequence = first_sequence_ + packets_.size() - 1;
    if (leaves) receive(*leaves + (link_->path().round_trip - return_delay()), sequence);
  }

  void receive(Instant at, std::uint64_t sequence) {
    const ModelPath& path = link_->path();
    const Duration delay = std::min(path.acknowledgement_delay, path.round_trip / 8);
    if (batches_.empty() || batches_.back().count >= path.acknowledge_every || at > batches_.back().deadline) {
      Duration jitter{};
      if (path.jitter > Duration::zero()) {
        jitter = Duration{
            static_cast<Duration::rep>(link_->random().below(static_cast<std::uint64_t>(path.jitter.count())))};
      }
      Instant flush = at + delay + jitter;
      if (!batches_.empty()) flush = std::max(flush, batches_.back().flush_at);
      batches_.push_back({.flush_at = flush, .deadline = at + delay, .first = sequence, .last = sequence, .count = 0});
    }
    Batch& batch = batches_.back();
    batch.last = sequence;
    if (++batch.count == path.acknowledge_every) batch.flush_at = std::max(at, batch.flush_at - (batch.deadline - at));
  }

  void acknowledge() {
    const Batch batch = batches_.front();
    batches_.pop_front();
    CongestionEvent event = event_now();
    const Packet* newest = nullptr;
    for (std::uint64_t sequence = std::max(batch.first, first_sequence_); sequence <= batch.last; ++sequence) {
      Packet& packet = packets_[sequence - first_sequence_];
      if (packet.dropped || packet.settled) continue;
      packet.settled = true;
      in_flight_ -= kModelDatagram;
      event.acked_bytes += kModelDatagram;
      ++event.acked_packets;
      newest = &packet;
    }
    if (newest != nullptr) {
      delivered_ += event.acked_bytes;
      statistics_.delivered_bytes += event.acked_bytes;
      delivered_at_ = now_;
      backoff_ = 0;
      sample_round_trip(now_ - newest->sent_at);
      event.rtt_sample = now_ - newest->sent_at;
      event.latest_acked_sent_at = newest->sent_at;
    }
    largest_acked_ = std::max(largest_acked_, batch.last);
    for (std::uint64_t sequence = first_sequence_; sequence + 3 <= largest_acked_; ++sequence) {
      declare_lost(sequence, event);
      if (sequence - first_sequence_ >= packets_.size() - 1) break;
    }
    if (newest != nullptr) sample_rate(*newest, event);
    arm_timeout();
    finish(event);
    while (!packets_.empty() && packets_.front().settled) {
      packets_.pop_front();
      ++first_sequence_;
    }
  }

  void declare_lost(std::uint64_t sequence, CongestionEvent& event) {
    Packet& packet = packets_[sequence - first_sequence_];
    if (packet.settled) return;
    packet.settled = true;
    in_flight_ -= kModelDatagram;
    lost_ += kModelDatagram;
    ++statistics_.lost_packets;
    LossSample& lost = event.lost;
    if (lost.packets == 0 || sequence != last_lost_ + 1) ++lost.ranges;
    last_lost_ = sequence;
    ++lost.packets;
    lost.bytes += kModelDatagram;
    lost.newest_sent_at = packet.sent_at;
    lost.tx_in_flight = packet.in_flight;
    lost.lost_since_sent = lost_ - packet.lost;
    lost.is_app_limited = packet.application_limited;
  }

  void sample_rate(const Packet& newest, CongestionEvent& event) {
    if (application_limited_until_ != 0 && delivered_ > application_limited_until_) application_limited_until_ = 0;
    RateSample& rate = event.rate;
    rate.is_app_limited = newest.application_limited;
    rate.prior_delivered = newest.delivered;
    rate.delivered = delivered_ - newest.delivered;
    rate.total_delivered = delivered_;
    rate.tx_in_flight = newest.in_flight;
    rate.lost = lost_ - newest.lost;
    rate.newly_acked = event.acked_bytes;
    rate.newly_lost = event.lost.bytes;
    rate.rtt = now_ - newest.sent_at;
    rate.interval = std::max(newest.sent_at - newest.first_sent_at, now_ - newest.delivered_at);
    first_sent_at_ = newest.sent_at;
    rate.has_rate = rate.interval >= minimum_ && rate.interval > Duration::zero();
    if (rate.has_rate) rate.delivery_rate = Bandwidth::from_bytes_and_time(rate.delivered, rate.interval);
  }

  void time_out() {
    ++statistics_.timeouts;
    CongestionEvent event = event_now();
    for (std::uint64_t i = 0; i < packets_.size(); ++i) declare_lost(first_sequence_ + i, event);
    finish(event);
    if (++backoff_ >= 2) controller_->on_persistent_timeout(now_);
    arm_timeout();
  }

  CongestionEvent event_now() {
    CongestionEvent event;
    event.now = now_;
    event.prior_in_flight = in_flight_;
    event.application_limited = application_limited_;
    return event;
  }
  void finish(CongestionEvent& event) {
    event.latest_rtt = latest_;
    event.smoothed_rtt = smoothed_;
    event.minimum_rtt = minimum_ == Duration::max() ? Duration::zero() : minimum_;
    event.delivered = delivered_;
    event.bytes_in_flight = in_flight_;
    if (tamper_) tamper_(event);
    if (event.acked_bytes > 0 || event.lost.packets > 0) controller_->on_congestion_event(event);
  }

  void sample_round_trip(Duration sample) {
    latest_ = sample;
    minimum_ = std::min(minimum_, sample);
    if (smoothed_ == Duration::zero()) {
      smoothed_ = sample;
      variance_ = sample / 2;
      return;
    }
    variance_ = (3 * variance_ + (sample > smoothed_ ? sample - smoothed_ : smoothed_ - sample)) / 4;
    smoothed_ = (7 * smoothed_ + sample) / 8;
  }
  void arm_timeout() {
    const Duration base =
        smoothed_ > Duration::zero() ? smoothed_ + std::max<Duration>(4 * variance_, 10ms) : Duration{1s};
    timeout_at_ = now_ + std::max<Duration>(base, 200ms) * (1 << std::min(backoff_, 6));
  }

  // The invariants of every controller, after every step.
  void check() {
    const std::uint64_t window = controller_->window_bytes();
    if (window < config_.controller.minimum_window() || window > config_.controller.maximum_window_bytes ||
        controller_->pacing_rate() == Bandwidth{}) {
      ADD_FAILURE() << controller_->name() << ": window " << window << ", pacing rate "
                    << controller_->pacing_rate().bytes_per_second() << " B/s";
    }
  }

  ModelFlowConfig config_;
  ModelLink* link_;
  std::unique_ptr<CongestionController> controller_;
  std::function<void(CongestionEvent&)> tamper_;
  ModelFlowStatistics statistics_;
  Instant now_{};
  std::deque<Packet> packets_;
  std::uint64_t first_sequence_ = 0;
  std::uint64_t largest_acked_ = 0;
  std::uint64_t last_lost_ = 0;
  std::deque<Batch> batches_;
  std::uint64_t in_flight_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t lost_ = 0;
  Instant delivered_at_{};
  Instant first_sent_at_{};
  Instant next_send_{};
  Instant timeout_at_ = kNever;
  int backoff_ = 0;
  bool application_limited_ = false;
  std::uint64_t application_limited_until_ = 0;
  Duration latest_{};
  Duration smoothed_{};
  Duration variance_{};
  Duration minimum_ = Duration::max();
};

class ModelNetwork {
 public:
  explicit ModelNetwork(const ModelPath& path) : link_(path) {}

  ModelFlow& add(const ModelFlowConfig& config) {
    flows_.push_back(std::make_unique<ModelFlow>(config, link_));
    return *flows_.back();
  }
  [[nodiscard]] ModelFlow& flow(std::size_t index) { return *flows_[index]; }
  [[nodiscard]] ModelLink& link() { return link_; }
  [[nodiscard]] Instant now() const { return now_; }

  // `observe`: after every step, if given.
  void run_until(Instant end, const std::function<void(Instant)>& observe = {}) {
    for (;;) {
      ModelFlow* next = nullptr;
      Instant at = ModelFlow::kNever;
      for (const auto& flow : flows_) {
        const Instant when = flow->next();
        if (when < at) {
          at = when;
          next = flow.get();
        }
      }
      if (next == nullptr || at > end) break;
      now_ = at;
      next->advance(at);
      if (observe) observe(at);
    }
    now_ = end;
  }

 private:
  ModelLink link_;
  std::vector<std::unique_ptr<ModelFlow>> flows_;
  Instant now_{};
};

struct ModelResult {
  double share = 0;       // delivered bytes of what the link could carry in the measured time
  Duration queue_mean{};  // as packets see it
  Duration queue_95th{};
  double loss_share = 0;  // of packets sent in the measured time
  std::uint64_t timeouts = 0;
};

// One flow alone on the path, measured from `warm_up` for `measured`.
inline ModelResult run_alone(const ModelPath& path, const ModelFlowConfig& flow, Duration warm_up, Duration measured) {
  ModelNetwork network(path);
  ModelFlow& only = network.add(flow);
  network.run_until(Instant{warm_up});
  const ModelFlowStatistics before = only.statistics();
  std::vector<Duration> delays;
  network.run_until(Instant{warm_up + measured},
                    [&](Instant now) { delays.push_back(network.link().queueing_delay(now)); });
  const ModelFlowStatistics after = only.statistics();
  ModelResult result;
  result.share = static_cast<double>(after.delivered_bytes - before.delivered_bytes) /
                 static_cast<double>(path.rate.bytes_in(measured));
  result.timeouts = after.timeouts;
  const auto sent = static_cast<double>(std::max<std::uint64_t>(1, after.sent_packets - before.sent_packets));
  result.loss_share = static_cast<double>(after.lost_packets - before.lost_packets) / sent;
  if (!delays.empty()) {
    Duration sum{};
    for (const Duration delay : delays) sum += delay;
    result.queue_mean = sum / static_cast<Duration::rep>(delays.size());
    const auto at = delays.begin() + static_cast<std::ptrdiff_t>(delays.size() * 95 / 100);
    std::nth_element(delays.begin(), at, delays.end());
    result.queue_95th = *at;
  }
  return result;
}

}  // namespace godwit
