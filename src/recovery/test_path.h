// Tests only: a Recovery and an AckTracker joined by a path with delay, loss and reordering as each test scripts it.
// Every step checks that bytes in flight are what the ring holds. No window, no pacing: recovery alone is on trial.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "base/random.h"
#include "recovery/ack_tracker.h"
#include "recovery/recovery.h"

namespace godwit {

// The sum that bytes_in_flight() must equal.
[[nodiscard]] inline std::uint64_t ring_bytes(const Recovery& recovery) {
  std::uint64_t sum = 0;
  const SentPackets& sent = recovery.sent();
  if (sent.empty()) return 0;
  for (std::uint32_t id = sent.oldest_id(); id != sent.next_id(); ++id) {
    const auto packet = sent.find(id);
    if (packet->state == SentState::kInFlight) sum += packet->bytes;
  }
  return sum;
}

class TestPath {
 public:
  struct Transmission {
    Instant at{};
    std::uint32_t id = 0;
    std::uint32_t number = 0;  // 1 is the first transmission of this id
    bool is_probe = false;
  };

  static constexpr std::uint32_t kBytes = 1200;

  Duration one_way = 25ms;
  bool repeat_acks = true;
  std::function<bool(const Transmission&)> lose_packet = [](const Transmission&) { return false; };
  std::function<Duration(const Transmission&)> extra_delay = [](const Transmission&) { return 0ns; };
  std::function<bool(std::size_t)> lose_acks = [](std::size_t) {
    return false;
  };  // by number of the acknowledgement packet
  std::function<void(Instant, const AckOutcome&)> on_outcome = [](Instant, const AckOutcome&) {};

  explicit TestPath(RecoveryConfig config = {}, AckPolicy policy = {})
      : random_(7), policy_(policy), recovery(config, random_), tracker(policy_) {}

  // The connection starts with a ping, as transport does.
  void ping() {
    recovery.rtt().on_ping_sample(now, 2 * one_way);
    tracker.set_rtt(2 * one_way);
    tracker.on_round_trip(2 * one_way, 2 * one_way);
  }
  // Sends `count` fragments of one stream at this moment. Returns the id of the last one.
  std::uint32_t send(std::uint32_t count, std::uint32_t owner = 1) {
    std::uint32_t id = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      id = recovery.next_packet_id();
      recovery.on_sent(now, id, {PacketContent::Kind::kFragment, owner, ++fragments_}, kBytes);
      sent_ids.push_back(id);
      transmit(id, false);
    }
    check();
    return id;
  }
  // Sends one packet every `gap`.
  void send_paced(std::uint32_t count, Duration gap) {
    for (std::uint32_t i = 0; i < count; ++i) {
      send(1);
      run_for(gap);
    }
  }

  void run_for(Duration time) { run_until(now + time); }
  void run_until(Instant end) {
    while (const auto next = next_event()) {
      if (*next > end) break;
      now = std::max(now, *next);
      step();
    }
    now = std::max(now, end);
  }
  // Until nothing happens any more, at most `limit`. True if nothing is outstanding then.
  bool settle(Duration limit = 600s) {
    const Instant end = now + limit;
    while (const auto next = next_event()) {
      if (*next > end) break;
      now = std::max(now, *next);
      step();
    }
    return !recovery.outstanding();
  }

  Instant now{1s};

 private:
  DeterministicRandom random_;
  AckPolicy policy_;

 public:
  Recovery recovery;
  AckTracker tracker;
  std::vector<Transmission> transmissions;
  std::vector<std::uint32_t> sent_ids;
  std::map<std::uint32_t, std::uint32_t> deliveries;  // id -> times delivered
  std::map<std::uint32_t, Instant> delivered_at;
  std::multiset<std::pair<std::uint32_t, std::uint32_t>> acknowledged;  // owner, fragment
  std::vector<AbandonedPacket> abandoned;
  std::uint64_t undone = 0;
  std::uint64_t spurious = 0;
  std::uint64_t lost = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t persistent = 0;
  std::uint64_t probe_repairs = 0;
  std::uint64_t ack_packets = 0;

  [[nodiscard]] std::uint32_t retransmissions() const {
    std::uint32_t count = 0;
    for (const Transmission& sent : transmissions) count += sent.number > 1 ? 1 : 0;
    return count;
  }

 private:
  void transmit(std::uint32_t id, bool is_probe) {
    const Transmission sent{.at = now, .id = id, .number = ++times_sent_[id], .is_probe = is_probe};
    transmissions.push_back(sent);
    if (!lose_packet(sent)) arrivals_.emplace(now + one_way + extra_delay(sent), id);
  }
  void transmit_pending() {
    while (const auto packet = recovery.poll_retransmit()) {
      recovery.on_retransmitted(now, packet->id, packet->bytes);
      transmit(packet->id, packet->is_probe);
    }
  }

  [[nodiscard]] std::optional<Instant> next_event() const {
    std::optional<Instant> next;
    const auto consider = [&](Instant at) {
      if (!next || at < *next) next = at;
    };
    if (!arrivals_.empty()) consider(arrivals_.begin()->first);
    if (!acks_.empty()) consider(acks_.begin()->first);
    if (const auto deadline = tracker.deadline()) consider(*deadline);
    if (const auto timeout = recovery.next_timeout()) consider(*timeout);
    return next;
  }
  void step() {
    receive_packets();
    receive_acks();
    if (const auto timeout = recovery.next_timeout(); timeout && *timeout <= now) {
      const TimeoutOutcome& outcome = recovery.handle_timeout(now);
      lost += outcome.lost_packets;
      timeouts += outcome.timed_out ? 1 : 0;
      persistent += outcome.persistent_congestion ? 1 : 0;
      abandoned.insert(abandoned.end(), outcome.abandoned.begin(), outcome.abandoned.end());
      EXPECT_EQ(outcome.prior_bytes_in_flight, recovery.bytes_in_flight() + outcome.lost_bytes);
    }
    transmit_pending();
    check();
    const auto after = recovery.next_timeout();
    EXPECT_TRUE(!after || *after > now) << "a timer that has been handled is set again for the past";
  }
  // All that arrives at one moment is one batch.
  void receive_packets() {
    bool any = false;
    while (!arrivals_.empty() && arrivals_.begin()->first <= now) {
      const std::uint32_t id = arrivals_.begin()->second;
      arrivals_.erase(arrivals_.begin());
      any = true;
      if (tracker.on_packet(now, id) == DuplicateCheck::kNew) {
        ++deliveries[id];
        delivered_at[id] = now;
      }
      tracker.queue_ack(now, id);
    }
    if (any) tracker.on_batch_end(now);
    if (!tracker.due(now)) return;
    std::vector<std::uint32_t> list(288);
    list.resize(tracker.take(now, list, repeat_acks));
    if (!lose_acks(ack_packets++)) acks_.emplace(now + one_way, std::move(list));
  }
  void receive_acks() {
    bool any = false;
    const std::uint64_t before = recovery.bytes_in_flight();
    while (!acks_.empty() && acks_.begin()->first <= now) {
      if (!any) recovery.begin_acks(now);
      any = true;
      const std::vector<std::uint32_t>& list = acks_.begin()->second;
      for (std::size_t i = 0; i < list.size(); ++i) {
        const bool twice = i + 1 < list.size() && list[i] == list[i + 1];
        if (twice) {
          recovery.on_duplicate_ack(list[i++]);
        } else {
          recovery.on_ack(list[i]);
        }
      }
      acks_.erase(acks_.begin());
    }
    if (!any) return;
    const AckOutcome& outcome = recovery.finish_acks();
    EXPECT_EQ(outcome.prior_bytes_in_flight, before);
    EXPECT_EQ(outcome.misbehaving_acks, 0u);
    std::uint64_t range_packets = 0;
    std::uint64_t range_bytes = 0;
    for (const AckedRange& range : outcome.acked) {
      for (std::uint32_t i = 0; i < range.count; ++i) acknowledged.emplace(range.owner, range.first_fragment + i);
      range_packets += range.count;
      range_bytes += range.bytes;
    }
    EXPECT_EQ(range_packets, outcome.acked_packets);
    EXPECT_EQ(range_bytes, outcome.acked_bytes);
    lost += outcome.lost_packets;
    spurious += outcome.spurious_packets;
    undone += outcome.spurious_loss_undone ? 1 : 0;
    persistent += outcome.persistent_congestion ? 1 : 0;
    if (outcome.probe_repaired_loss) ++probe_repairs;
    on_outcome(now, outcome);
    tracker.set_rtt(recovery.rtt().smoothed());
  }
  void check() const { EXPECT_EQ(recovery.bytes_in_flight(), ring_bytes(recovery)); }

  std::uint32_t fragments_ = 0;
  std::map<std::uint32_t, std::uint32_t> times_sent_;
  std::multimap<Instant, std::uint32_t> arrivals_;
  std::multimap<Instant, std::vector<std::uint32_t>> acks_;
};

}  // namespace godwit
