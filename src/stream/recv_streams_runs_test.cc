// Runs of fragments, taken at once, have the same effect as one after another, whatever came before.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "stream/recv_streams.h"
#include "stream/stream_test_support.h"
#include "wire/fragment.h"

namespace godwit::recv_streams_runs_test {
namespace {

constexpr std::size_t kStride = 1300;
constexpr std::size_t kMost = 20;

class Receiver {
 public:
  Receiver(const RecvStreamsConfig& config, bool credit) : streams_(config) {
    if (credit) streams_.use_credit({.stream = 30'000, .connection = 60'000});
  }
  RecvStreams& streams() { return streams_; }
  RecordingSink& sink() { return sink_; }

 private:
  RecvStreams streams_;
  RecordingSink sink_;
};

void expect_twins(std::uint64_t seed, DeliveryMode mode, bool credit) {
  DeterministicRandom random(seed);
  const RecvStreamsConfig config{.delivery = mode, .memory = {.reorder_bytes = 20'000}};
  Receiver together(config, credit);
  Receiver apart(config, credit);
  std::vector<std::uint8_t> datagrams(kMost * kStride);
  random.fill(datagrams);
  std::uint64_t runs = 0;
  std::array<std::uint32_t, 2> next{1, 1};  // where a sender would be
  for (int step = 0; step < 400; ++step) {
    const std::size_t size = random.below(4) == 0 ? 1 + random.below(1130) : 1130;
    const std::size_t stream = random.below(2);
    wire::StreamFragmentHeader fragment{.stream_id = static_cast<std::uint32_t>(1 + stream),
                                        .total_length = 200'000,
                                        .number = next[stream],
                                        .payload = ByteView(datagrams).first(size)};
    if (random.below(6) == 0) fragment.number += static_cast<std::uint32_t>(random.below(4));
    if (random.below(9) == 0) fragment.number -= static_cast<std::uint32_t>(random.below(fragment.number));
    const bool in_order = fragment.number == next[stream];
    const auto count = static_cast<std::uint32_t>(1 + random.below(kMost - 1));
    const std::uint32_t room = together.streams().run_room(fragment, count);
    ASSERT_LE(room, count);
    runs += room > 1 ? 1 : 0;
    if (room > 0) together.streams().take_run(kStart, fragment, kStride, room, together.sink());
    for (std::uint32_t i = 0; i < count; ++i) {
      wire::StreamFragmentHeader each = fragment;
      each.number += i;
      each.payload = ByteView(datagrams).subspan(i * kStride, size);
      const FragmentOutcome alone = apart.streams().on_fragment(kStart, each, apart.sink());
      if (in_order && alone.must_ack() && fragment.number + i == next[stream]) ++next[stream];
      if (i < room) {
        ASSERT_EQ(alone.result, FragmentOutcome::Result::kAccepted);
        ASSERT_FALSE(alone.finished);
      } else {
        const FragmentOutcome same = together.streams().on_fragment(kStart, each, together.sink());
        ASSERT_EQ(same.result, alone.result);
        ASSERT_EQ(same.finished, alone.finished);
      }
    }
    if (random.below(5) == 0) {
      together.streams().release_delivered();
      apart.streams().release_delivered();
    }
    while (const auto update = together.streams().poll_flow()) {
      const auto same = apart.streams().poll_flow();
      ASSERT_TRUE(same);
      ASSERT_EQ(update->value, same->value);
    }
    ASSERT_EQ(together.sink().streams, apart.sink().streams);
    ASSERT_EQ(together.streams().open_streams(), apart.streams().open_streams());
    ASSERT_EQ(together.streams().held_bytes(), apart.streams().held_bytes());
  }
  if (mode == DeliveryMode::kChunks) {
    EXPECT_GT(runs, 0U);
  } else {
    EXPECT_EQ(runs, 0U);
  }
}

TEST(RecvStreamsRuns, AreWhatTheirFragmentsWouldBe) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    expect_twins(seed, DeliveryMode::kChunks, seed % 2 == 0);
    expect_twins(seed, DeliveryMode::kWhole, seed % 2 == 0);
  }
}

}  // namespace
}  // namespace godwit::recv_streams_runs_test
