#include "recovery/sent_numbers.h"

#include <gtest/gtest.h>

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
  numbers.acknowledge(range, [&](std::uint64_t, const SentNumbers::Entry& entry) {
    for (std::uint32_t i = 0; i < entry.frames; ++i) ids.push_back(entry.first_id + i);
    if (entry.frames == 0) ids.push_back(0);
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
  numbers.acknowledge({.first = 0, .last = 99}, [&](std::uint64_t, const SentNumbers::Entry& entry) {
    episodes[entry.first_id] = entry.loss_episode;
  });
  EXPECT_EQ(episodes, (std::map<std::uint32_t, std::uint8_t>{{0, 0}, {1, 0}, {2, 9}, {3, 0}}));
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
