#include "runtime/statistics_sum.h"

#include <gtest/gtest.h>

#include "base/time.h"

namespace godwit {
namespace {

TEST(StatisticsSum, AddsWhatAConnectionCountsAndWhatItsPathsAndKeysDo) {
  ConnectionStatistics sum;
  sum.packets_sent = 10;
  sum.path_changes = 1;
  sum.path_changes_refused = 2;
  sum.path_responses_unsolicited = 3;
  sum.key_updates = 4;
  sum.drops.add(trace::DropReason::kDuplicate, 5);
  ConnectionStatistics more;
  more.packets_sent = 100;
  more.path_changes = 10;
  more.path_changes_refused = 20;
  more.path_responses_unsolicited = 30;
  more.key_updates = 40;
  more.drops.add(trace::DropReason::kDuplicate, 50);

  add_counters(sum, more);
  EXPECT_EQ(sum.packets_sent, 110U);
  EXPECT_EQ(sum.path_changes, 11U);
  EXPECT_EQ(sum.path_changes_refused, 22U);
  EXPECT_EQ(sum.path_responses_unsolicited, 33U);
  EXPECT_EQ(sum.key_updates, 44U);
  EXPECT_EQ(sum.drops.of(trace::DropReason::kDuplicate), 55U);
}

TEST(StatisticsSum, KeepsTheStateOfThePathOfTheLatestConnection) {
  ConnectionStatistics sum;
  sum.smoothed_round_trip = 1ms;
  sum.window_bytes = 7;
  sum.key_packets_sealed = 8;
  sum.form = "legacy";
  ConnectionStatistics more;
  more.smoothed_round_trip = 2ms;
  more.window_bytes = 70;
  more.key_packets_sealed = 80;
  more.form = "extended";

  add_counters(sum, more);
  EXPECT_EQ(sum.smoothed_round_trip, Duration{2ms});
  EXPECT_EQ(sum.window_bytes, 70U);
  EXPECT_EQ(sum.key_packets_sealed, 80U);
  EXPECT_EQ(sum.form, "extended");
}

TEST(StatisticsSum, AddsTheFailedReceiveCallsOfBackEnds) {
  BackendStatistics sum;
  sum.failed_receive_calls = 1;
  BackendStatistics more;
  more.failed_receive_calls = 10;
  add_counters(sum, more);
  EXPECT_EQ(sum.failed_receive_calls, 11U);
}

}  // namespace
}  // namespace godwit
