// Controllers together with what drives them in a connection: Recovery's outcomes, the pacer's grants, the
// acknowledgements of AckTracker, over the link of the path model. Shows that the samples of one are what the other
// expects.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "congestion/event_of.h"
#include "congestion/test_path.h"
#include "recovery/ack_tracker.h"
#include "recovery/pacer.h"
#include "recovery/recovery.h"

namespace godwit::recovery_path_test {
namespace {

RecoveryConfig recovery_config() {
  RecoveryConfig config;
  config.rtt.min_rto = 200ms;
  return config;
}

// One sender with endless data and one receiver.
class Transfer {
 public:
  Transfer(const ModelPath& path, CongestionKind kind)
      : path_(path),
        link_(path),
        random_(path.seed),
        recovery_(recovery_config(), random_),
        controller_(make_controller(kind, ControllerConfig{})) {}

  void run_until(Instant end) {
    for (;;) {
      const Instant at = next();
      if (at > end) break;
      now_ = std::max(now_, at);
      arrive();
      expire();
      send();
    }
    now_ = end;
  }
  [[nodiscard]] double share(Duration measured) {
    const std::uint64_t before = delivered_;
    run_until(now_ + measured);
    return static_cast<double>(delivered_ - before) / static_cast<double>(path_.rate.bytes_in(measured));
  }
  [[nodiscard]] std::uint64_t timeouts() const { return recovery_.statistics().timeouts; }

 private:
  struct Arrival {
    bool at_sender = false;
    std::vector<std::uint32_t> ids;
  };

  [[nodiscard]] Instant next() {
    Instant at = arrivals_.empty() ? Instant::max() : arrivals_.begin()->first;
    if (const auto timeout = recovery_.next_timeout()) at = std::min(at, *timeout);
    if (const auto deadline = tracker_.deadline()) at = std::min(at, *deadline);
    if (recovery_.bytes_in_flight() + kModelDatagram <= controller_->window_bytes()) {
      at = std::min(at, pacer_.next_release(now_).value_or(now_));
    }
    return at;
  }

  void arrive() {
    if (arrivals_.empty() || arrivals_.begin()->first > now_) return;
    const Arrival arrival = std::move(arrivals_.begin()->second);
    arrivals_.erase(arrivals_.begin());
    if (arrival.at_sender) {
      acknowledge(arrival.ids);
      return;
    }
    for (const std::uint32_t id : arrival.ids) {
      static_cast<void>(tracker_.on_packet(now_, id));
      tracker_.queue_ack(now_, id);
    }
    tracker_.set_rtt(path_.round_trip);
    tracker_.on_batch_end(now_);
    if (tracker_.due(now_)) flush_acks();
  }

  void flush_acks() {
    std::vector<std::uint32_t> ids(tracker_.pending());
    ids.resize(tracker_.take(now_, ids, false));
    if (!ids.empty()) arrivals_.emplace(now_ + path_.round_trip / 2, Arrival{.at_sender = true, .ids = std::move(ids)});
  }

  void acknowledge(const std::vector<std::uint32_t>& ids) {
    recovery_.begin_acks(now_);
    for (const std::uint32_t id : ids) recovery_.on_ack(id);
    const AckOutcome& outcome = recovery_.finish_acks();
    delivered_ += outcome.acked_bytes;
    const CongestionEvent event = congestion_event_of(now_, outcome, recovery_);
    if (event.acked_bytes > 0 || event.lost.packets > 0 || event.spurious_loss) controller_->on_congestion_event(event);
    if (outcome.persistent_congestion) controller_->on_persistent_timeout(now_);
  }

  void expire() {
    if (const auto timeout = recovery_.next_timeout(); timeout && *timeout <= now_) {
      const TimeoutOutcome& outcome = recovery_.handle_timeout(now_);
      const CongestionEvent event = congestion_event_of(now_, outcome, recovery_);
      if (event.lost.packets > 0) controller_->on_congestion_event(event);
      if (outcome.persistent_congestion) controller_->on_persistent_timeout(now_);
    }
    if (const auto deadline = tracker_.deadline(); deadline && *deadline <= now_) flush_acks();
  }

  void send() {
    pacer_.set_rate(now_, controller_->pacing_rate());
    SentInfo batch{.now = now_};
    while (pacer_.budget(now_) >= kModelDatagram) {
      const auto lost = recovery_.poll_retransmit();
      const bool fits = recovery_.bytes_in_flight() + kModelDatagram <= controller_->window_bytes();
      if (!fits && !(lost && lost->is_probe)) break;
      if (!lost && !recovery_.may_send_new()) break;
      const std::uint32_t id = lost ? lost->id : recovery_.next_packet_id();
      if (lost) {
        recovery_.on_retransmitted(now_, id, kModelDatagram);
      } else {
        recovery_.on_sent(now_, id, {}, kModelDatagram);
      }
      pacer_.on_sent(now_, kModelDatagram);
      batch.bytes += kModelDatagram;
      ++batch.packets;
      if (const auto leaves = link_.carry(now_, kModelDatagram)) {
        arrivals_.emplace(*leaves + path_.round_trip / 2, Arrival{.at_sender = false, .ids = {id}});
      }
    }
    batch.bytes_in_flight = recovery_.bytes_in_flight();
    if (batch.packets > 0) controller_->on_packet_sent(batch);
  }

  ModelPath path_;
  ModelLink link_;
  DeterministicRandom random_;
  Recovery recovery_;
  Pacer pacer_;
  AckTracker tracker_;
  std::unique_ptr<CongestionController> controller_;
  std::multimap<Instant, Arrival> arrivals_;
  Instant now_{};
  std::uint64_t delivered_ = 0;
};

struct Cell {
  CongestionKind kind;
  Bandwidth rate;
  Duration round_trip;
  double loss;
  double least_share;
};

class WithRecovery : public testing::TestWithParam<Cell> {};

TEST_P(WithRecovery, FillsItsPath) {
  const Cell cell = GetParam();
  Transfer transfer({.rate = cell.rate, .round_trip = cell.round_trip, .loss = cell.loss}, cell.kind);
  transfer.run_until(Instant{4s});
  EXPECT_GE(transfer.share(8s), cell.least_share);
  EXPECT_EQ(transfer.timeouts(), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Path, WithRecovery,
    testing::Values(
        Cell{CongestionKind::kCubic, 50_mbps, 1ms, 0, 0.97}, Cell{CongestionKind::kCubic, 50_mbps, 50ms, 0, 0.97},
        Cell{CongestionKind::kCubic, 50_mbps, 150ms, 0, 0.97}, Cell{CongestionKind::kNewReno, 50_mbps, 50ms, 0, 0.94},
        Cell{CongestionKind::kBbr, 50_mbps, 1ms, 0, 0.93}, Cell{CongestionKind::kBbr, 50_mbps, 50ms, 0, 0.93},
        Cell{CongestionKind::kBbr, 50_mbps, 150ms, 0, 0.92}, Cell{CongestionKind::kBbr, 50_mbps, 1ms, 0.01, 0.891},
        Cell{CongestionKind::kBbr, 100_mbps, 50ms, 0.01, 0.891},
        Cell{CongestionKind::kBbr, 50_mbps, 150ms, 0.01, 0.891}, Cell{CongestionKind::kLedbat, 20_mbps, 20ms, 0, 0.85}),
    [](const testing::TestParamInfo<Cell>& cell) {
      return std::string(to_string(cell.param.kind)) + "_" +
             std::to_string(cell.param.rate.bits_per_second() / 1'000'000) + "mbps_" +
             std::to_string(cell.param.round_trip / 1ms) + "ms_" + (cell.param.loss > 0 ? "lossy" : "clean");
    });

}  // namespace
}  // namespace godwit::recovery_path_test
