#include "stream/recv_stream.h"

#include <gtest/gtest.h>

#include <numeric>
#include <optional>

#include "stream/fragment_layout.h"
#include "stream/stream_test_support.h"

namespace godwit {
namespace {

using PieceOutcome = RecvStream::Result;

class RecvStreamTest : public testing::Test {
 protected:
  RecvStreamTest() : random_(1), memory_(ReassemblyLimits{}) {}

  // A stream of `total` random bytes.
  void begin(std::uint64_t total, DeliveryMode mode = DeliveryMode::kChunks) {
    bytes_ = random_bytes(random_, total);
    layout_.emplace(total);
    stream_ = RecvStream{kStart, 7, total, mode};
  }
  PieceOutcome fragment(std::uint32_t number) {
    const Bytes payload = slice(bytes_, layout_->offset(number), layout_->size(number));
    return stream_.on_fragment(kStart, number, payload, memory_, sink_);
  }
  PieceOutcome raw(std::uint32_t number, const Bytes& payload) {
    return stream_.on_fragment(kStart, number, payload, memory_, sink_);
  }

  DeterministicRandom random_;
  ReassemblyMemory memory_;
  RecordingSink sink_;
  Bytes bytes_;
  std::optional<FragmentLayout> layout_;
  RecvStream stream_;
};

TEST_F(RecvStreamTest, PassesFragmentsInOrderThroughWithoutACopy) {
  begin(2500);
  const Bytes payload = slice(bytes_, 0, 1130);
  EXPECT_EQ(raw(1, payload), PieceOutcome::kAccepted);
  EXPECT_EQ(sink_.last_view.data(), payload.data());
  EXPECT_EQ(fragment(2), PieceOutcome::kAccepted);
  EXPECT_EQ(fragment(3), PieceOutcome::kFinished);
  EXPECT_EQ(sink_.streams[7], bytes_);
  EXPECT_EQ(memory_.pool_bytes(), 0U);
}

TEST_F(RecvStreamTest, HoldsFragmentsUntilTheirTurn) {
  begin(5000);
  EXPECT_EQ(fragment(5), PieceOutcome::kHeld);
  EXPECT_EQ(fragment(2), PieceOutcome::kHeld);
  EXPECT_EQ(fragment(3), PieceOutcome::kHeld);
  EXPECT_EQ(sink_.chunks, 0U);
  EXPECT_EQ(fragment(1), PieceOutcome::kAccepted);
  EXPECT_EQ(sink_.chunks, 3U);
  EXPECT_EQ(fragment(4), PieceOutcome::kFinished);
  EXPECT_EQ(sink_.streams[7], bytes_);
  EXPECT_TRUE(sink_.in_order);
}

TEST_F(RecvStreamTest, AppendsToOneBufferWhenDeliveredWhole) {
  begin(5000, DeliveryMode::kWhole);
  for (const std::uint32_t number : {4U, 1U, 2U, 5U}) EXPECT_NE(fragment(number), PieceOutcome::kFinished);
  EXPECT_EQ(sink_.messages, 0U);
  EXPECT_EQ(fragment(3), PieceOutcome::kFinished);
  EXPECT_EQ(sink_.messages, 1U);
  EXPECT_EQ(sink_.streams[7], bytes_);
  EXPECT_EQ(memory_.buffer_bytes(), 0U) << "the buffer belongs to the receiver of the message";
}

TEST_F(RecvStreamTest, ReportsEveryKindOfDuplicate) {
  begin(5000);
  EXPECT_EQ(fragment(1), PieceOutcome::kAccepted);
  EXPECT_EQ(fragment(1), PieceOutcome::kDuplicate);
  EXPECT_EQ(fragment(3), PieceOutcome::kHeld);
  EXPECT_EQ(fragment(3), PieceOutcome::kDuplicate);
  EXPECT_EQ(raw(3, Bytes(1130, 0xee)), PieceOutcome::kDuplicate) << "the first copy stays";
  EXPECT_EQ(fragment(2), PieceOutcome::kAccepted);
  EXPECT_EQ(fragment(3), PieceOutcome::kDuplicate);
  EXPECT_EQ(fragment(4), PieceOutcome::kAccepted);
  EXPECT_EQ(fragment(5), PieceOutcome::kFinished);
  EXPECT_EQ(sink_.streams[7], bytes_);
}

// Wire spec 6.4 and conformance item 57.
TEST_F(RecvStreamTest, AcceptsFragmentNumbersUpToOneMoreThanTheTotalNeeds) {
  begin(3000);
  EXPECT_EQ(raw(0, Bytes(10)), PieceOutcome::kBeyondEnd);
  EXPECT_EQ(raw(5, Bytes(10)), PieceOutcome::kBeyondEnd);
  EXPECT_EQ(raw(0xffffffff, Bytes(10)), PieceOutcome::kBeyondEnd);
  EXPECT_EQ(raw(4, Bytes(10)), PieceOutcome::kHeld) << "a first fragment with metadata makes one more";
}

TEST_F(RecvStreamTest, IgnoresEmptyFragmentsButTheFirst) {
  begin(3000);
  EXPECT_EQ(raw(2, {}), PieceOutcome::kEmpty);
  EXPECT_EQ(raw(1, {}), PieceOutcome::kAccepted);
  EXPECT_EQ(sink_.chunks, 0U);
  EXPECT_EQ(raw(2, {}), PieceOutcome::kEmpty);
  EXPECT_EQ(raw(2, slice(bytes_, 0, 1130)), PieceOutcome::kAccepted);
  EXPECT_EQ(raw(3, slice(bytes_, 1130, 1130)), PieceOutcome::kAccepted);
  EXPECT_EQ(raw(4, slice(bytes_, 2260, 740)), PieceOutcome::kFinished);
  EXPECT_EQ(sink_.streams[7], bytes_);
}

TEST_F(RecvStreamTest, IgnoresBytesBeyondTheTotal) {
  begin(1200);
  EXPECT_EQ(raw(1, Bytes(1201)), PieceOutcome::kBeyondTotal);
  EXPECT_EQ(fragment(1), PieceOutcome::kAccepted);
  EXPECT_EQ(raw(2, Bytes(71)), PieceOutcome::kBeyondTotal);
  EXPECT_EQ(raw(3, Bytes(71)), PieceOutcome::kBeyondTotal);
  EXPECT_EQ(raw(3, Bytes(1)), PieceOutcome::kHeld);
  EXPECT_EQ(fragment(2), PieceOutcome::kBeyondTotal) << "held bytes count";
  EXPECT_EQ(stream_.received(), 1131U);
}

TEST_F(RecvStreamTest, ReassemblesPayloadsOfAnySize) {
  begin(2000);
  EXPECT_EQ(raw(3, slice(bytes_, 801, 1199)), PieceOutcome::kHeld);
  EXPECT_EQ(raw(2, slice(bytes_, 1, 800)), PieceOutcome::kHeld);
  EXPECT_EQ(raw(1, slice(bytes_, 0, 1)), PieceOutcome::kFinished);
  EXPECT_EQ(sink_.streams[7], bytes_);
}

TEST_F(RecvStreamTest, LeavesNoTraceOfAFragmentThatFindsNoRoom) {
  begin(100'000);
  ReassemblyMemory small{{.reorder_bytes = 8 * 1024}};
  std::vector<std::uint32_t> refused;
  for (std::uint32_t number = 2; number <= layout_->count(); ++number) {
    const Bytes payload = slice(bytes_, layout_->offset(number), layout_->size(number));
    if (stream_.on_fragment(kStart, number, payload, small, sink_) == PieceOutcome::kNoRoom) refused.push_back(number);
    ASSERT_LE(small.reorder_bytes(), 8U * 1024);
  }
  EXPECT_GE(refused.size(), 80U);
  EXPECT_EQ(stream_.on_fragment(kStart, 1, slice(bytes_, 0, 1130), small, sink_), PieceOutcome::kAccepted);
  small.release_retired();
  for (const std::uint32_t number : refused) {
    const Bytes payload = slice(bytes_, layout_->offset(number), layout_->size(number));
    ASSERT_NE(stream_.on_fragment(kStart, number, payload, small, sink_), PieceOutcome::kNoRoom);
  }
  EXPECT_EQ(sink_.streams[7], bytes_);
}

TEST_F(RecvStreamTest, HoldsFarFragmentsAtTheCostOfNearOnes) {
  begin(1000);
  for (const std::uint32_t step : {1U, 1000U}) {
    RecvStream stream{kStart, 9, wire::kMaxStreamBytes, DeliveryMode::kChunks, 7};
    ReassemblyMemory memory{{}};
    for (std::uint32_t i = 1; i <= 140; ++i) {
      ASSERT_EQ(stream.on_fragment(kStart, 1 + i * step, Bytes(1), memory, sink_), PieceOutcome::kHeld);
    }
    EXPECT_EQ(memory.reorder_bytes(), 140U * 64 + 512 * 8)
        << "a slot each, and an index that is a quarter full at least";
    stream.clear(memory);
    EXPECT_EQ(memory.reorder_bytes(), 0U);
  }
}

TEST_F(RecvStreamTest, GivesALongIndexBackOnceNothingIsHeld) {
  begin(1130 * 2000);
  for (std::uint32_t number = 2000; number > 1; --number) ASSERT_EQ(fragment(number), PieceOutcome::kHeld);
  EXPECT_GE(memory_.reorder_bytes(), 2000U * 1152);
  EXPECT_EQ(fragment(1), PieceOutcome::kFinished);
  memory_.release_retired();
  EXPECT_EQ(memory_.reorder_bytes(), 0U);
  EXPECT_EQ(sink_.streams[7], bytes_);
}

TEST_F(RecvStreamTest, StopsWhenTheBufferOfTheWholeStreamExceedsItsBound) {
  ReassemblyMemory small{{.buffer_bytes = 10'000}};
  begin(20'000, DeliveryMode::kWhole);
  std::uint32_t number = 1;
  PieceOutcome result = PieceOutcome::kAccepted;
  while (result == PieceOutcome::kAccepted) {
    result = stream_.on_fragment(kStart, number, slice(bytes_, layout_->offset(number), 1130), small, sink_);
    ++number;
    ASSERT_LE(small.buffer_bytes(), 10'000U);
  }
  EXPECT_EQ(result, PieceOutcome::kNoMemory);
  EXPECT_EQ(number, 10U) << "eight fragments fit";
  stream_.clear(small);
  EXPECT_EQ(small.buffer_bytes(), 0U);
}

TEST_F(RecvStreamTest, NotesWhenNewBytesCame) {
  begin(5000);
  EXPECT_EQ(stream_.on_fragment(kStart + 1s, 2, Bytes(1130), memory_, sink_), PieceOutcome::kHeld);
  EXPECT_EQ(stream_.last_new_bytes_at(), kStart + 1s);
  EXPECT_EQ(stream_.on_fragment(kStart + 2s, 2, Bytes(1130), memory_, sink_), PieceOutcome::kDuplicate);
  EXPECT_EQ(stream_.last_new_bytes_at(), kStart + 1s) << "a replay does not count";
  EXPECT_EQ(stream_.on_fragment(kStart + 3s, 1, Bytes(1130), memory_, sink_), PieceOutcome::kAccepted);
  EXPECT_EQ(stream_.last_new_bytes_at(), kStart + 3s);
}

// The rules of wire spec 6.4 written down once more, without regard to cost.
class NaiveStream {
 public:
  explicit NaiveStream(std::uint64_t total) : total_(total) {}

  PieceOutcome on_fragment(std::uint32_t number, const Bytes& payload) {
    if (number == 0 || number > (total_ + 1129) / 1130 + 1) return PieceOutcome::kBeyondEnd;
    if (number < frontier()) return PieceOutcome::kDuplicate;
    if (payload.empty() && number != 1) return PieceOutcome::kEmpty;
    if (fragments_.contains(number)) return PieceOutcome::kDuplicate;
    if (received() + payload.size() > total_) return PieceOutcome::kBeyondTotal;
    const bool in_order = number == frontier();
    fragments_[number] = payload;
    if (delivered().size() == total_) return PieceOutcome::kFinished;
    return in_order ? PieceOutcome::kAccepted : PieceOutcome::kHeld;
  }
  [[nodiscard]] Bytes delivered() const {
    Bytes bytes;
    for (std::uint32_t number = 1; number < frontier(); ++number) {
      const Bytes& payload = fragments_.at(number);
      bytes.insert(bytes.end(), payload.begin(), payload.end());
    }
    return bytes;
  }

 private:
  [[nodiscard]] std::uint32_t frontier() const {
    std::uint32_t number = 1;
    while (fragments_.contains(number)) ++number;
    return number;
  }
  [[nodiscard]] std::uint64_t received() const {
    return std::accumulate(fragments_.begin(), fragments_.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const auto& entry) { return sum + entry.second.size(); });
  }
  std::uint64_t total_;
  std::map<std::uint32_t, Bytes> fragments_;
};

// Peers that obey no layout: any number, any size, lies about the length.
TEST_F(RecvStreamTest, AgreesWithTheNaiveModelOnArbitraryFragments) {
  for (int round = 0; round < 400; ++round) {
    const std::uint64_t total = 1 + random_.below(12'000);
    const auto mode = random_.below(2) == 0 ? DeliveryMode::kChunks : DeliveryMode::kWhole;
    RecvStream stream{kStart, 1, total, mode};
    NaiveStream model{total};
    RecordingSink sink;
    const std::uint64_t largest = 1 + random_.below(1430);
    for (int step = 0; step < 60; ++step) {
      const auto number = static_cast<std::uint32_t>(random_.below(total / 1130 + 4));
      const Bytes payload = random_bytes(random_, random_.below(8) == 0 ? 0 : random_.below(largest + 1));
      const PieceOutcome expected = model.on_fragment(number, payload);
      ASSERT_EQ(stream.on_fragment(kStart, number, payload, memory_, sink), expected) << "round " << round;
      if (random_.below(4) == 0) memory_.release_retired();
      if (mode == DeliveryMode::kChunks) {
        ASSERT_EQ(sink.streams[1], model.delivered());
      }
      if (expected == PieceOutcome::kFinished) {
        EXPECT_EQ(sink.streams[1], model.delivered());
        break;
      }
    }
    EXPECT_TRUE(sink.in_order);
    stream.clear(memory_);
    memory_.release_retired();
    ASSERT_EQ(memory_.reorder_bytes(), 0U);
    ASSERT_EQ(memory_.buffer_bytes(), 0U);
  }
}

// Conformance item 56: any order, with duplicates.
TEST_F(RecvStreamTest, ReassemblesEveryOrder) {
  for (int round = 0; round < 200; ++round) {
    begin(1 + random_.below(60'000), random_.below(2) == 0 ? DeliveryMode::kChunks : DeliveryMode::kWhole);
    std::vector<std::uint32_t> order(layout_->count());
    std::iota(order.begin(), order.end(), 1U);
    shuffle(order, random_);
    sink_ = RecordingSink{};
    std::size_t finished = 0;
    for (const std::uint32_t number : order) {
      const PieceOutcome result = fragment(number);
      ASSERT_TRUE(result == PieceOutcome::kAccepted || result == PieceOutcome::kHeld ||
                  result == PieceOutcome::kFinished);
      finished += result == PieceOutcome::kFinished ? 1U : 0U;
      if (random_.below(3) == 0) {
        ASSERT_EQ(fragment(number), PieceOutcome::kDuplicate);
      }
      if (random_.below(5) == 0) memory_.release_retired();
    }
    EXPECT_EQ(finished, 1U);
    ASSERT_EQ(sink_.streams[7], bytes_);
    stream_.clear(memory_);
  }
}

}  // namespace
}  // namespace godwit
