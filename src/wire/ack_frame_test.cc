#include "wire/ack_frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "crypto/test_vectors.h"
#include "wire/control_frame.h"
#include "wire/flow_frame.h"
#include "wire/message_codec.h"

namespace godwit::wire::ack_frame_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

AckFrame frame_of(std::initializer_list<NumberRange> newest_first, std::uint32_t delay = 0) {
  AckFrame frame{.delay = delay, .count = newest_first.size(), .ranges = {}};
  std::ranges::copy(newest_first, frame.ranges.begin());
  return frame;
}

Bytes encoded(const AckFrame& frame) {
  Bytes bytes(kLargestAckFrame, 0xee);
  bytes.resize(encode(bytes, frame));
  return bytes;
}

void expect_same(const AckFrame& read, const AckFrame& written) {
  EXPECT_EQ(read.delay, written.delay);
  EXPECT_TRUE(std::ranges::equal(read.newest_first(), written.newest_first()));
  EXPECT_EQ(read.ecn, written.ecn);
}

// What stands behind the message header.
Bytes raw(std::uint64_t largest, std::uint32_t length, std::uint32_t further,
          std::vector<std::uint32_t> gaps_and_lengths) {
  Bytes bytes(kAckFrameHeader + 4 * gaps_and_lengths.size());
  store_le(&bytes[12], kAckFrameVariant);
  store_le(&bytes[16], largest);
  store_le(&bytes[28], length);
  store_le(&bytes[32], further);
  for (std::size_t i = 0; i < gaps_and_lengths.size(); ++i) store_le(&bytes[36 + 4 * i], gaps_and_lengths[i]);
  return bytes;
}

TEST(AckFrame, HasTheLayoutOfTheSpecificationAndIsNoOtherFrame) {
  const Bytes bytes = encoded(frame_of({{.first = 0x102, .last = 0x105}, {.first = 0x90, .last = 0xff}}, 1500));
  EXPECT_EQ(to_hex(bytes),
            "00000000"
            "0000000000000000"
            "12000000"
            "0501000000000000"
            "dc050000"
            "04000000"
            "01000000"
            "02000000"
            "70000000");
  EXPECT_TRUE(is_ack_frame(bytes));
  EXPECT_FALSE(read_control_frame(bytes));
  EXPECT_FALSE(read_flow_frame(bytes));
  const auto decoded = decode(bytes);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error(), DecodeError::kUnknownVariant);
}

// The vectors of an independent implementation (tests/cli/extended_peer.py).
TEST(AckFrame, IsThatOfTheVectors) {
  const auto vectors = read_vectors("acknowledgements.txt", "extended");
  ASSERT_GE(vectors.size(), 8u);
  for (const TestVector& vector : vectors) {
    AckFrame frame{.delay = load_le<std::uint32_t>(vector["delay"].data()), .count = 0, .ranges = {}};
    const Bytes& ranges = vector["ranges"];
    for (std::size_t at = 0; at < ranges.size(); at += 16) {
      frame.ranges[frame.count++] = {.first = load_le<std::uint64_t>(&ranges[at]),
                                     .last = load_le<std::uint64_t>(&ranges[at + 8])};
    }
    if (vector.has("marks")) {
      const Bytes& marks = vector["marks"];
      frame.ecn = EcnCounts{.ect0 = load_le<std::uint64_t>(marks.data()),
                            .ect1 = load_le<std::uint64_t>(&marks[8]),
                            .ce = load_le<std::uint64_t>(&marks[16])};
    }
    std::reverse(frame.ranges.begin(), frame.ranges.begin() + static_cast<std::ptrdiff_t>(frame.count));
    EXPECT_EQ(to_hex(encoded(frame)), to_hex(vector["frame"]));
    const auto read = read_ack_frame(vector["frame"]);
    ASSERT_TRUE(read);
    expect_same(*read, frame);
  }
}

TEST(AckFrame, IsReadAsItWasWritten) {
  DeterministicRandom random(1);
  for (int i = 0; i < 20'000; ++i) {
    AckFrame frame{
        .delay = static_cast<std::uint32_t>(random.next_u64()), .count = 1 + random.below(kMaxAckRanges), .ranges = {}};
    std::uint64_t next = (std::uint64_t{1} << 45) + random.below(1000);
    for (NumberRange& range : std::span(frame.ranges).first(frame.count)) {
      const std::uint64_t length = 1 + random.below(random.below(2) == 0 ? 3 : 0xffffffff);
      range = {.first = next - length + 1, .last = next};
      next = range.first - 2 - random.below(random.below(2) == 0 ? 3 : 0xfffffffe);
    }
    if (random.below(2) == 0) frame.ecn = {random.next_u64(), random.next_u64(), random.next_u64()};
    Bytes bytes = encoded(frame);
    EXPECT_EQ(bytes.size(), ack_frame_size(frame));
    bytes.resize(bytes.size() + random.below(20), 0xff);  // further frames
    const auto read = read_ack_frame(bytes);
    ASSERT_TRUE(read);
    expect_same(*read, frame);
  }
}

TEST(AckFrame, TellsWhatIsNearestToTheNewestOfRangesAndGapsThatAreTooLong) {
  constexpr std::uint64_t kFar = std::uint64_t{1} << 40;
  const auto long_range = read_ack_frame(encoded(frame_of({{.first = 0, .last = kFar}, {.first = 0, .last = 0}})));
  ASSERT_TRUE(long_range);
  expect_same(*long_range, frame_of({{.first = kFar - 0xfffffffe, .last = kFar}}));
  const auto long_gap = read_ack_frame(encoded(frame_of({{.first = kFar, .last = kFar}, {.first = 1, .last = 2}})));
  ASSERT_TRUE(long_gap);
  expect_same(*long_gap, frame_of({{.first = kFar, .last = kFar}}));
}

TEST(AckFrame, OtherVariantsThoseWithAnIdAndThoseWithAcksAreNone) {
  const Bytes bytes = encoded(frame_of({{.first = 3, .last = 5}}));
  for (std::uint32_t variant = 0; variant < 30; ++variant) {
    Bytes other = bytes;
    store_le(&other[12], variant);
    EXPECT_EQ(is_ack_frame(other), variant == 18 || variant == 20) << variant;
  }
  for (const std::size_t at : {0U, 4U}) {
    Bytes other = bytes;
    other[at] = 1;
    EXPECT_FALSE(is_ack_frame(other));
  }
}

TEST(AckFrame, CutAnywhereItIsCutShort) {
  AckFrame frame = frame_of({{.first = 20, .last = 22}, {.first = 9, .last = 12}, {.first = 0, .last = 1}});
  for (const bool with_marks : {false, true}) {
    if (with_marks) frame.ecn = {1, 2, 3};
    const Bytes bytes = encoded(frame);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Bytes cut(bytes.begin(),
                      bytes.begin() + static_cast<std::ptrdiff_t>(size));  // so that a sanitizer sees more
      EXPECT_EQ(is_ack_frame(cut), size >= 16);
      if (size < 16) continue;
      EXPECT_EQ(read_ack_frame(cut).error(), AckFrameFault::kCutShort);
    }
  }
}

struct Hostile {
  const char* what;
  Bytes bytes;
  AckFrameFault fault;
};

TEST(AckFrame, WhatBreaksARuleIsNamed) {
  const Hostile cases[] = {
      {"an empty first range", raw(5, 0, 0, {}), AckFrameFault::kEmpty},
      {"an empty further range", raw(5, 1, 1, {1, 0}), AckFrameFault::kEmpty},
      {"ranges that touch", raw(5, 1, 1, {0, 1}), AckFrameFault::kEmpty},
      {"a first range below zero", raw(5, 7, 0, {}), AckFrameFault::kBelowZero},
      {"the longest first range", raw(0, 0xffffffff, 0, {}), AckFrameFault::kBelowZero},
      {"a gap below zero", raw(5, 6, 1, {1, 1}), AckFrameFault::kBelowZero},
      {"a gap that leaves no number", raw(5, 5, 1, {1, 1}), AckFrameFault::kBelowZero},
      {"a further range below zero", raw(5, 2, 1, {1, 4}), AckFrameFault::kBelowZero},
      {"the longest gap and range", raw(5, 1, 1, {0xffffffff, 0xffffffff}), AckFrameFault::kBelowZero},
      {"65 ranges", raw(1000, 1, 64, std::vector<std::uint32_t>(128, 1)), AckFrameFault::kTooMany},
      {"more ranges than there is memory", raw(1000, 1, 0xffffffff, {1, 1}), AckFrameFault::kTooMany}};
  for (const Hostile& hostile : cases) {
    const auto read = read_ack_frame(hostile.bytes);
    ASSERT_FALSE(read) << hostile.what;
    EXPECT_EQ(read.error(), hostile.fault) << hostile.what;
  }
  EXPECT_TRUE(read_ack_frame(raw(5, 6, 0, {})));      // down to 0
  EXPECT_TRUE(read_ack_frame(raw(5, 2, 1, {1, 3})));  // likewise
  EXPECT_TRUE(read_ack_frame(raw(1000, 1, 63, std::vector<std::uint32_t>(126, 1))));
  EXPECT_TRUE(read_ack_frame(raw(~std::uint64_t{0}, 1, 0, {})));
}

TEST(AckFrame, RandomBytesGiveDescendingRangesOrAFault) {
  DeterministicRandom random(2);
  std::size_t sound = 0;
  for (int i = 0; i < 100'000; ++i) {
    Bytes bytes = raw(random.below(200), static_cast<std::uint32_t>(random.below(20)),
                      static_cast<std::uint32_t>(random.below(9)), std::vector<std::uint32_t>(16));
    for (std::size_t at = 36; at < bytes.size(); at += 4)
      store_le(&bytes[at], static_cast<std::uint32_t>(random.below(12)));
    const auto read = read_ack_frame(bytes);
    if (!read) continue;
    ++sound;
    std::uint64_t above = ~std::uint64_t{0};
    for (const NumberRange& range : read->newest_first()) {
      ASSERT_LE(range.first, range.last);
      ASSERT_LT(range.last, above);
      above = range.first == 0 ? 0 : range.first - 1;
    }
    expect_same(*read_ack_frame(encoded(*read)), *read);
  }
  EXPECT_GT(sound, 1000u);
}

}  // namespace
}  // namespace godwit::wire::ack_frame_test
