// Runs in the ring of sent packets: whatever happens to them, recovery says the same as of as many single packets.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "recovery/recovery.h"

namespace godwit {

// Not part of the interface: what the twins are compared by.
inline bool operator==(const AckedRange& left, const AckedRange& right) {
  return left.kind == right.kind && left.owner == right.owner && left.first_fragment == right.first_fragment &&
         left.count == right.count && left.bytes == right.bytes;
}
inline bool operator==(const LostRecord& left, const LostRecord& right) {
  return left.id == right.id && left.bytes == right.bytes && left.content == right.content &&
         left.sent_at == right.sent_at && left.tx_in_flight == right.tx_in_flight &&
         left.lost_since == right.lost_since && left.is_app_limited == right.is_app_limited;
}

namespace recovery_runs_test {
namespace {

using Kind = PacketContent::Kind;
constexpr std::uint32_t kBytes = 1200;
constexpr Instant kStart{1h};

void expect_same_losses(const LossOutcome& run, const LossOutcome& single) {
  EXPECT_EQ(run.lost, single.lost);
  EXPECT_EQ(run.lost_bytes, single.lost_bytes);
  EXPECT_EQ(run.lost_packets, single.lost_packets);
  EXPECT_EQ(run.latest_lost_sent_at, single.latest_lost_sent_at);
  EXPECT_EQ(run.persistent_congestion, single.persistent_congestion);
}

void expect_same(const AckOutcome& run, const AckOutcome& single) {
  expect_same_losses(run, single);
  EXPECT_EQ(run.acked, single.acked);
  EXPECT_EQ(run.acked_bytes, single.acked_bytes);
  EXPECT_EQ(run.acked_packets, single.acked_packets);
  EXPECT_EQ(run.largest_acked_bytes, single.largest_acked_bytes);
  EXPECT_EQ(run.latest_acked_sent_at, single.latest_acked_sent_at);
  EXPECT_EQ(run.rtt_sample, single.rtt_sample);
  EXPECT_EQ(run.rate.has_rate, single.rate.has_rate);
  EXPECT_EQ(run.rate.delivered, single.rate.delivered);
  EXPECT_EQ(run.rate.interval, single.rate.interval);
  EXPECT_EQ(run.rate.lost, single.rate.lost);
  EXPECT_EQ(run.rate.tx_in_flight, single.rate.tx_in_flight);
  EXPECT_EQ(run.rate.prior_delivered, single.rate.prior_delivered);
  EXPECT_EQ(run.rate.is_app_limited, single.rate.is_app_limited);
  EXPECT_EQ(run.spurious_packets, single.spurious_packets);
  EXPECT_EQ(run.withdrawn_packets, single.withdrawn_packets);
  EXPECT_EQ(run.spurious_bytes, single.spurious_bytes);
  EXPECT_EQ(run.spurious_loss_undone, single.spurious_loss_undone);
  EXPECT_EQ(run.probe_repaired_loss, single.probe_repaired_loss);
  EXPECT_EQ(run.stale_acks, single.stale_acks);
  EXPECT_EQ(run.untracked_acks, single.untracked_acks);
  EXPECT_EQ(run.misbehaving_acks, single.misbehaving_acks);
}

// Two of the same, one of which is told of runs.
class Twins {
 public:
  Twins(std::uint64_t seed, bool by_number)
      : by_number_(by_number), random_(seed), first_(seed % 3 == 0 ? 0u - 300u : 1u) {
    if (!by_number) return;
    run_.use_numbers();
    single_.use_numbers();
  }

  void step() {
    now_ += Duration{static_cast<Duration::rep>(random_.below(10'000'000))};
    const std::uint64_t action = random_.below(100);
    if (action < 40) {
      send();
    } else if (action < 75) {
      acknowledge();
    } else if (action < 88) {
      send_again();
    } else if (action < 95) {
      time_out();
    } else if (action < 96) {
      const std::uint32_t id = next_ - static_cast<std::uint32_t>(random_.below(300));
      both([&](Recovery& recovery) { recovery.discard(id); });
    } else if (action < 97) {
      const auto owner = static_cast<std::uint32_t>(random_.below(3));
      const PacketIdRange sent{.first = run_.sent().oldest_id(), .last = next_ - 1};
      EXPECT_EQ(run_.forget_owner(Kind::kFragment, owner, sent), single_.forget_owner(Kind::kFragment, owner, sent));
    } else if (action < 98) {
      both([](Recovery& recovery) { recovery.on_application_limited(); });
    } else {
      both([](Recovery& recovery) { recovery.trim(); });
    }
    compare();
  }

 private:
  template <typename Action>
  void both(Action action) {
    action(run_);
    action(single_);
  }
  void send() {
    for (std::uint64_t batches = 1 + random_.below(3); batches > 0; --batches) {
      const auto most = static_cast<std::uint32_t>(1 + random_.below(SentRun::kMost));
      if (run_.new_packet_room() < most) return;
      const auto ids = run_.next_packet_ids(most);
      const auto same = single_.next_packet_ids(most);
      ASSERT_EQ(ids.first, same.first);
      ASSERT_EQ(ids.count, same.count);
      const PacketContent content{
          .kind = Kind::kFragment, .owner = static_cast<std::uint32_t>(random_.below(3)), .fragment = ids.first * 3};
      // A packet without tracked content now and then.
      if (random_.below(4) == 0) ++number_;
      run_.on_sent_run(now_, ids.first, content, kBytes, ids.count, number_);
      for (std::uint32_t i = 0; i < ids.count; ++i) {
        PacketContent each = content;
        each.fragment += i;
        single_.begin_packet(number_ + i);
        single_.on_sent(now_, ids.first + i, each, kBytes);
      }
      number_ += ids.count;
      next_ = ids.first + ids.count;
    }
  }
  void acknowledge() {
    both([&](Recovery& recovery) { recovery.begin_acks(now_); });
    for (std::uint64_t frames = 1 + random_.below(3); frames > 0; --frames) {
      if (by_number_) {
        acknowledge_numbers();
      } else {
        const std::uint32_t first = next_ - static_cast<std::uint32_t>(random_.below(random_.below(3) == 0 ? 400 : 90));
        const auto count = static_cast<std::uint32_t>(random_.below(80));
        run_.on_acks(first, count);
        for (std::uint32_t i = 0; i < count; ++i) single_.on_ack(first + i);
      }
    }
    expect_same(run_.finish_acks(), single_.finish_acks());
  }
  void acknowledge_numbers() {
    std::vector<NumberRange> ranges;
    std::uint64_t end = number_ - std::min<std::uint64_t>(number_, random_.below(random_.below(3) == 0 ? 300 : 20));
    for (std::uint64_t left = 1 + random_.below(4); left > 0 && end > 2; --left) {
      const std::uint64_t last = end - 1;
      const std::uint64_t first = last - std::min(last, random_.below(60));
      ranges.push_back({.first = first, .last = last});
      if (first < 3) break;
      end = first - 1 - random_.below(2);
    }
    if (ranges.empty()) return;
    const Duration delay{static_cast<Duration::rep>(random_.below(1'000'000))};
    const NumberRange among{.first = ranges.back().first + 5, .last = ranges.back().first + 30};
    EXPECT_EQ(run_.on_ranges(ranges, delay, number_, among), single_.on_ranges(ranges, delay, number_, among));
  }
  void send_again() {
    for (std::uint64_t most = 1 + random_.below(8); most > 0; --most) {
      const auto lost = run_.poll_retransmit();
      const auto same = single_.poll_retransmit();
      ASSERT_EQ(lost.has_value(), same.has_value());
      if (!lost) return;
      ASSERT_EQ(lost->id, same->id);
      ASSERT_EQ(lost->content, same->content);
      ASSERT_EQ(lost->bytes, same->bytes);
      ASSERT_EQ(lost->is_probe, same->is_probe);
      both([&](Recovery& recovery) {
        recovery.begin_packet(number_);
        recovery.on_retransmitted(now_, lost->id, kBytes);
      });
      ++number_;
    }
  }
  void time_out() {
    if (const auto due = run_.next_timeout(); due && random_.below(2) == 0) now_ = std::max(now_, *due);
    const TimeoutOutcome& run = run_.handle_timeout(now_);
    const TimeoutOutcome& single = single_.handle_timeout(now_);
    expect_same_losses(run, single);
    EXPECT_EQ(run.probe_wanted, single.probe_wanted);
    EXPECT_EQ(run.timed_out, single.timed_out);
    ASSERT_EQ(run.abandoned.size(), single.abandoned.size());
  }
  void compare() {
    ASSERT_EQ(run_.bytes_in_flight(), single_.bytes_in_flight());
    ASSERT_EQ(run_.packets_in_flight(), single_.packets_in_flight());
    ASSERT_EQ(run_.outstanding(), single_.outstanding());
    ASSERT_EQ(run_.next_timeout(), single_.next_timeout());
    ASSERT_EQ(run_.sent().oldest_id(), single_.sent().oldest_id());
    ASSERT_EQ(run_.sent().next_id(), single_.sent().next_id());
    ASSERT_EQ(run_.statistics().packets_acked, single_.statistics().packets_acked);
    ASSERT_EQ(run_.statistics().packets_lost, single_.statistics().packets_lost);
    ASSERT_EQ(run_.statistics().packets_forgotten, single_.statistics().packets_forgotten);
    ASSERT_EQ(run_.losses().packet_threshold(), single_.losses().packet_threshold());
    ASSERT_EQ(run_.losses().newest_acked(), single_.losses().newest_acked());
    for (std::uint32_t id = run_.sent().oldest_id(); id != run_.sent().next_id(); ++id) {
      const auto one = run_.sent().find(id);
      const auto other = single_.sent().find(id);
      ASSERT_TRUE(one && other);
      ASSERT_EQ(one->state, other->state);
      if (one->state == SentState::kPlaceholder || one->state == SentState::kSettled) continue;
      ASSERT_EQ(one->content(), other->content());
      ASSERT_EQ(one->send_number, other->send_number);
      ASSERT_EQ(one->in_flight_at_send, other->in_flight_at_send);
      ASSERT_EQ(one->sent_at, other->sent_at);
      ASSERT_EQ(one->delivered, other->delivered);
      ASSERT_EQ(one->loss_episode, other->loss_episode);
    }
  }

  bool by_number_;
  DeterministicRandom random_;
  std::uint32_t first_;
  DeterministicRandom run_ids_{1};
  DeterministicRandom single_ids_{1};
  RecoveryConfig config_{
      .first_packet_id = first_, .span_limit = 4096, .skip_least = 90, .skip_most = 200, .skip_interval = 0s};
  Recovery run_{config_, run_ids_};
  Recovery single_{config_, single_ids_};
  Instant now_ = kStart;
  std::uint32_t next_ = first_;
  std::uint64_t number_ = 1;
};

TEST(RecoveryRuns, SayTheSameAsSinglePackets) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Twins twins(seed, seed % 2 == 1);
    for (int step = 0; step < 500; ++step) {
      twins.step();
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(RecoveryRuns, ABatchInOrderIsOneRecordAndNoPacketOfItGetsItsOwn) {
  for (const bool by_number : {false, true}) {
    DeterministicRandom random(1);
    Recovery recovery({.skip_ids = false}, random);
    if (by_number) recovery.use_numbers();
    std::uint32_t number = 0;
    for (int batch = 0; batch < 100; ++batch) {
      const Instant now = kStart + batch * 1ms;
      const auto ids = recovery.next_packet_ids(54);
      recovery.on_sent_run(now, ids.first, {.kind = Kind::kFragment, .owner = 1, .fragment = ids.first}, kBytes, 54,
                           number);
      number += 54;
      EXPECT_EQ(recovery.sent().runs(), batch < 20 ? static_cast<std::size_t>(batch) + 1 : 20U);
      if (batch < 19) continue;
      recovery.begin_acks(now);
      const std::uint32_t first = number - 54 * 20;
      if (by_number) {
        const NumberRange all{.first = 0, .last = first + 53};
        EXPECT_EQ(recovery.on_ranges(std::span(&all, 1), Duration{}, number), 0U);
      } else {
        recovery.on_acks(first + 1, 54);
      }
      const AckOutcome& outcome = recovery.finish_acks();
      EXPECT_EQ(outcome.acked_packets, 54U);
      EXPECT_EQ(outcome.acked.size(), 1U);
      EXPECT_EQ(recovery.sent().order().size(), 19U);
    }
    EXPECT_EQ(recovery.statistics().packets_apart, 0U);
  }
}

TEST(RecoveryRuns, OnlyWhatIsLostGetsARecordOfItsOwn) {
  DeterministicRandom random(1);
  Recovery recovery({.skip_ids = false}, random);
  const auto ids = recovery.next_packet_ids(54);
  recovery.on_sent_run(kStart, ids.first, {.kind = Kind::kFragment, .owner = 1, .fragment = 1}, kBytes, 54);
  recovery.begin_acks(kStart + 50ms);
  recovery.on_acks(ids.first, 10);
  recovery.on_acks(ids.first + 12, 42);
  EXPECT_EQ(recovery.finish_acks().lost_packets, 2U);
  EXPECT_EQ(recovery.statistics().packets_apart, 2U);
  EXPECT_EQ(recovery.poll_retransmit()->content.fragment, 11U);
}

}  // namespace
}  // namespace recovery_runs_test
}  // namespace godwit
