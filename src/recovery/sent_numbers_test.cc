#include "recovery/sent_numbers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"

namespace godwit::sent_numbers_test {
namespace {

void add(SentNumbers& numbers, std::uint64_t number, std::uint32_t id, std::uint32_t send_number) {
  numbers.begin(number);
  numbers.add(id, send_number);
}

// The ids of the transmissions that `range` acknowledges.
std::vector<std::uint32_t> acknowledge(SentNumbers& numbers, NumberRange range) {
  std::vector<std::uint32_t> ids;
  numbers.acknowledge(range, [&](std::uint64_t, const SentNumbers::Entry& entry, std::uint32_t count) {
    EXPECT_TRUE(count == 1 || entry.frames == 1);
    for (std::uint32_t i = 0; i < std::max<std::uint32_t>(entry.frames, count); ++i) {
      ids.push_back(entry.frames == 0 ? 0 : entry.first_id + i);
    }
  });
  return ids;
}

TEST(SentNumbers, ANumberIsAcknowledgedOnce) {
  SentNumbers numbers;
  for (std::uint32_t i = 0; i < 10; ++i) add(numbers, 100 + i, 7 + i, i);
  EXPECT_EQ(acknowledge(numbers, {.first = 103, .last = 104}), (std::vector<std::uint32_t>{10, 11}));
  EXPECT_EQ(acknowledge(numbers, {.first = 0, .last = 105}), (std::vector<std::uint32_t>{7, 8, 9, 12}));
  EXPECT_TRUE(acknowledge(numbers, {.first = 0, .last = 105}).empty());
  numbers.release();
  EXPECT_EQ(numbers.size(), 4u);
}

TEST(SentNumbers, FramesOfOnePacketAreAcknowledgedTogether) {
  SentNumbers numbers;
  for (std::uint32_t i = 0; i < 3; ++i) add(numbers, 5, 20 + i, 0);
  add(numbers, 8, 23, 1);  // 6 and 7 carried nothing tracked
  EXPECT_EQ(acknowledge(numbers, {.first = 5, .last = 7}), (std::vector<std::uint32_t>{20, 21, 22}));
  EXPECT_EQ(acknowledge(numbers, {.first = 6, .last = 8}), (std::vector<std::uint32_t>{23}));
}

TEST(SentNumbers, ANumberThatWasLeftOutIsFoundOut) {
  SentNumbers numbers;
  add(numbers, 1, 1, 0);
  numbers.leave_out(2);
  add(numbers, 3, 2, 1);
  EXPECT_EQ(acknowledge(numbers, {.first = 1, .last = 3}), (std::vector<std::uint32_t>{1, 0, 2}));
}

TEST(SentNumbers, ALostTransmissionIsMarkedByItsPlaceInSendOrder) {
  SentNumbers numbers;
  const std::uint32_t before_wrap = 0u - 2u;
  for (std::uint32_t i = 0; i < 4; ++i) add(numbers, 10 + 3 * i, i, before_wrap + i);
  numbers.mark_lost(before_wrap + 2, 9);
  numbers.mark_lost(before_wrap - 5, 9);  // long forgotten
  std::map<std::uint32_t, std::uint8_t> episodes;
  numbers.acknowledge({.first = 0, .last = 99}, [&](std::uint64_t, const SentNumbers::Entry& entry, std::uint32_t) {
    episodes[entry.first_id] = entry.loss_episode;
  });
  EXPECT_EQ(episodes, (std::map<std::uint32_t, std::uint8_t>{{0, 0}, {1, 0}, {2, 9}, {3, 0}}));
}

TEST(SentNumbers, ARunIsVisitedAsOneWhereverItLies) {
  SentNumbers numbers;
  add(numbers, 9, 1, 0);
  numbers.add_run(10, 2, 1, 54);  // 10 to 63, the end of a word
  numbers.add_run(64, 56, 55, 54);
  std::vector<std::uint32_t> counts;
  numbers.acknowledge({.first = 0, .last = 99},
                      [&](std::uint64_t number, const SentNumbers::Entry& entry, std::uint32_t count) {
                        EXPECT_EQ(entry.first_id, number - 8);
                        EXPECT_EQ(entry.send_number, number - 9);
                        counts.push_back(count);
                      });
  EXPECT_EQ(counts, (std::vector<std::uint32_t>{1, 54, 36}));
  numbers.release();
  EXPECT_EQ(acknowledge(numbers, {.first = 0, .last = 101}), (std::vector<std::uint32_t>{92, 93}));
}

TEST(SentNumbers, OneOfARunIsLostAlone) {
  SentNumbers numbers;
  numbers.add_run(60, 0, 0, 10);
  numbers.mark_lost(0, 7);
  numbers.mark_lost(5, 9);
  std::map<std::uint32_t, std::uint8_t> episodes;
  numbers.acknowledge({.first = 60, .last = 69},
                      [&](std::uint64_t, const SentNumbers::Entry& entry, std::uint32_t count) {
                        for (std::uint32_t i = 0; i < count; ++i)
                          episodes[entry.first_id + i] = i == 0 ? entry.loss_episode : 0;
                      });
  EXPECT_EQ(episodes.size(), 10u);
  EXPECT_EQ(episodes[0], 7);
  EXPECT_EQ(episodes[1], 0);
  EXPECT_EQ(episodes[5], 9);
  EXPECT_EQ(episodes[6], 0);
}

TEST(SentNumbers, WhatTheReceiverRefusesByNowIsForgotten) {
  SentNumbers numbers;
  for (std::uint32_t i = 0; i < 6000; ++i) add(numbers, i, i, i);
  static_cast<void>(acknowledge(numbers, {.first = 1, .last = 4095}));
  numbers.release();
  EXPECT_EQ(numbers.size(), 6000u);  // 0 may still be acknowledged
  static_cast<void>(acknowledge(numbers, {.first = 4096, .last = 4096}));
  numbers.release();
  EXPECT_EQ(numbers.size(), 6000u - 4097u);
}

TEST(SentNumbers, MemoryIsBoundedWhateverIsNeverAcknowledged) {
  SentNumbers numbers;
  for (std::uint32_t i = 0; i < 2 * SentNumbers::kLimit; ++i) add(numbers, i, i, i);
  EXPECT_EQ(numbers.size(), SentNumbers::kLimit);
  EXPECT_EQ(acknowledge(numbers, {.first = 0, .last = SentNumbers::kLimit}),
            (std::vector<std::uint32_t>{SentNumbers::kLimit}));
  add(numbers, std::uint64_t{1} << 60, 1, 1);  // far beyond
  EXPECT_EQ(numbers.size(), 1u);
}

TEST(SentNumbers, RandomRangesAcknowledgeWhatASetSays) {
  DeterministicRandom random(3);
  for (int round = 0; round < 30; ++round) {
    SentNumbers numbers;
    std::map<std::uint64_t, std::uint32_t> open;
    std::uint64_t number = random.below(1000);
    std::uint32_t id = 0;
    for (int step = 0; step < 2000; ++step) {
      if (random.below(3) != 0) {
        number += 1 + random.below(random.below(20) == 0 ? 100 : 2);
        if (random.below(2) == 0) {
          const auto count = static_cast<std::uint32_t>(1 + random.below(64));
          numbers.add_run(number, id, id, count);
          for (std::uint32_t i = 0; i < count; ++i) open[number + i] = id++;
          number += count - 1;
          if (random.below(3) == 0) numbers.mark_lost(id - 1 - static_cast<std::uint32_t>(random.below(count)), 1);
          continue;
        }
        add(numbers, number, id, id);
        open[number] = id++;
        continue;
      }
      const std::uint64_t back = random.below(random.below(4) == 0 ? 3000 : 100);
      const std::uint64_t last = number - std::min(number, back);
      const std::uint64_t first = last - std::min(last, random.below(200));
      std::vector<std::uint32_t> expected;
      for (auto it = open.lower_bound(first); it != open.end() && it->first <= last; it = open.erase(it)) {
        expected.push_back(it->second);
      }
      ASSERT_EQ(acknowledge(numbers, {.first = first, .last = last}), expected);
      if (random.below(2) == 0) numbers.release();
    }
  }
}

}  // namespace
}  // namespace godwit::sent_numbers_test
