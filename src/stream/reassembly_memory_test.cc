#include "stream/reassembly_memory.h"

#include <gtest/gtest.h>

#include "stream/stream_test_support.h"

namespace godwit {
namespace {

TEST(ReassemblyMemory, KeepsPayloadsOfEverySizeADatagramCanHold) {
  DeterministicRandom random{1};
  ReassemblyMemory memory{{}};
  for (const std::size_t size : {0U, 1U, 1130U, 1430U}) {
    const Bytes bytes = random_bytes(random, size);
    const auto slot = memory.store(bytes);
    ASSERT_TRUE(slot);
    EXPECT_TRUE(std::ranges::equal(memory.view(*slot), bytes));
  }
  EXPECT_FALSE(memory.store(Bytes(1431))) << "no datagram that is accepted holds so much";
}

TEST(ReassemblyMemory, StopsAtItsBoundAndGoesOnAfterARelease) {
  ReassemblyMemory memory{{.reorder_bytes = 100 * 1024}};
  std::vector<std::uint32_t> slots;
  while (const auto slot = memory.store(Bytes(1130))) slots.push_back(*slot);
  EXPECT_GE(slots.size(), 60U);
  EXPECT_LE(memory.reorder_bytes(), 100U * 1024);
  EXPECT_LE(memory.pool_bytes(), 100U * 1024);
  EXPECT_FALSE(memory.store(Bytes(1130)));
  memory.release(slots.back());
  EXPECT_TRUE(memory.store(Bytes(1130)));
  EXPECT_FALSE(memory.store(Bytes(1130)));
}

TEST(ReassemblyMemory, UsesALargerSlotWhereNoneOfTheRightSizeMayBeAllocated) {
  ReassemblyMemory memory{{.reorder_bytes = 2000}};
  const auto slot = memory.store(Bytes(1130));
  ASSERT_TRUE(slot);
  std::vector<std::uint32_t> small;
  while (const auto next = memory.store(Bytes(1))) small.push_back(*next);
  memory.release(*slot);
  EXPECT_TRUE(memory.store(Bytes{5}));
  EXPECT_FALSE(memory.store(Bytes{5}));
}

TEST(ReassemblyMemory, TakesSlotsOfTheSizeOfThePayload) {
  ReassemblyMemory memory{{}};
  for (std::size_t size = 1; size <= ReassemblyMemory::kSlotPayload; ++size) {
    const std::uint64_t before = memory.reorder_bytes();
    ASSERT_TRUE(memory.store(Bytes(size)));
    const std::uint64_t taken = memory.reorder_bytes() - before;
    EXPECT_GE(taken, size + 8);
    EXPECT_LE(taken, std::max<std::size_t>(64, size * 3 / 2 + 16)) << size;
  }
}

TEST(ReassemblyMemory, FindsEverySlotOfALargePool) {
  ReassemblyMemory memory{{}};
  std::vector<std::uint32_t> slots;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    slots.push_back(*memory.store(Bytes{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8)}));
    EXPECT_LE(memory.pool_bytes(), 1024 + (i + 1) * 64 * 5 / 4 + 64) << "a quarter at a time";
  }
  for (std::uint32_t i = 0; i < 3000; ++i) {
    const ByteView bytes = memory.view(slots[i]);
    ASSERT_EQ(bytes[0] | bytes[1] << 8, i);
  }
}

TEST(ReassemblyMemory, KeepsARetiredSlotReadableUntilReleased) {
  ReassemblyMemory memory{{.reorder_bytes = 450}};
  const auto slot = memory.store(Bytes{1, 2, 3});
  ASSERT_TRUE(slot);
  const ByteView view = memory.view(*slot);
  memory.retire(*slot);
  EXPECT_FALSE(memory.store(Bytes{9})) << "it still counts";
  EXPECT_EQ(view[2], 3);
  memory.release_retired();
  EXPECT_EQ(memory.reorder_bytes(), 0U);
  EXPECT_TRUE(memory.store(Bytes{9}));
}

TEST(ReassemblyMemory, CountsIndicesAndBuffers) {
  ReassemblyMemory memory{{.reorder_bytes = 1000, .buffer_bytes = 500}};
  EXPECT_TRUE(memory.charge_index(900));
  EXPECT_FALSE(memory.charge_index(101));
  EXPECT_FALSE(memory.store(Bytes{1}));
  memory.refund_index(900);
  EXPECT_EQ(memory.reorder_bytes(), 0U);
  memory.charge_buffer(400);
  EXPECT_EQ(memory.buffer_room(), 100U);
  memory.refund_buffer(400);
  EXPECT_EQ(memory.buffer_bytes(), 0U);
}

class Pool final : public ReassemblyPool {
 public:
  explicit Pool(std::uint64_t bytes) : left(bytes) {}
  std::uint64_t take(std::uint64_t bytes) override {
    const std::uint64_t taken = std::min(left, bytes);
    left -= taken;
    return taken;
  }
  void give_back(std::uint64_t bytes) override { left += bytes; }

  std::uint64_t left;
};

TEST(ReassemblyBudget, BudgetsWithOnePoolKeepOneBoundAndEachMayUseMostOfIt) {
  constexpr std::uint64_t kMiB = 1 << 20;
  Pool pool(32 * kMiB);
  {
    ReassemblyBudget first(4 * kMiB, &pool);
    ReassemblyBudget second(4 * kMiB, &pool);
    EXPECT_TRUE(first.charge(30 * kMiB));
    EXPECT_FALSE(first.nearly_full()) << "there is more to be borrowed";
    EXPECT_TRUE(first.charge(6 * kMiB));
    EXPECT_TRUE(first.nearly_full());
    EXPECT_FALSE(first.charge(1));
    EXPECT_TRUE(second.charge(4 * kMiB)) << "its own share";
    EXPECT_FALSE(second.charge(1));
    EXPECT_EQ(first.held() + second.held(), 40 * kMiB);
    first.refund(34 * kMiB);
    EXPECT_TRUE(second.charge(28 * kMiB));
    EXPECT_LE(first.limit() + second.limit(), 40 * kMiB);
    first.refund(2 * kMiB);
    second.refund(32 * kMiB);
    EXPECT_GE(pool.left, 30 * kMiB);
  }
  EXPECT_EQ(pool.left, 32 * kMiB);
}

TEST(ReassemblyMemory, SharesOneBudgetAndGivesAllOfItBack) {
  ReassemblyBudget budget(20'000);
  DeliveredMemory delivered;
  {
    ReassemblyMemory first({}, {.budget = &budget, .delivered = &delivered});
    ReassemblyMemory second({}, {.budget = &budget, .delivered = &delivered});
    std::vector<std::uint32_t> slots;
    while (const auto slot = first.store(Bytes(1130))) slots.push_back(*slot);
    EXPECT_EQ(slots.size(), 16U);
    EXPECT_EQ(budget.refused(), 1U);
    EXPECT_TRUE(budget.nearly_full());
    EXPECT_FALSE(second.store(Bytes(1130)));
    EXPECT_EQ(second.held_bytes(), 352U) << "its empty pools";
    EXPECT_LT(second.buffer_room(), 1000U);
    EXPECT_EQ(budget.held(), first.held_bytes() + second.held_bytes());
    second.set_table_bytes(5000);
    EXPECT_EQ(budget.room(), 0U) << "tables have other bounds";
    second.set_table_bytes(100);
    EXPECT_EQ(budget.held(), first.held_bytes() + second.held_bytes());
    first.retire(slots[0]);
    first.release(slots[1]);
    EXPECT_TRUE(first.store(Bytes(1130)));
    EXPECT_FALSE(first.store(Bytes(1130)));
    delivered.release();
    EXPECT_TRUE(first.store(Bytes(1130)));
    second.charge_buffer(second.buffer_room());
    const std::uint64_t buffer = second.buffer_bytes();
    second.retire_buffer(buffer);
    EXPECT_EQ(budget.held(), first.held_bytes() + second.held_bytes());
    EXPECT_EQ(budget.room(), 0U) << "it waits in an event";
    delivered.release();
    EXPECT_EQ(budget.room(), buffer);
    first.retire(slots[2]);  // and goes away with its views still out: nothing is left behind at `delivered`
  }
  EXPECT_EQ(budget.held(), 0U);
  delivered.release();
}

TEST(ReassemblyMemory, FreesThePoolOnlyAfterItLayUnused) {
  ReassemblyMemory memory{{}};
  EXPECT_FALSE(memory.holds_memory());
  const auto slot = memory.store(Bytes(10));
  memory.trim();
  EXPECT_TRUE(memory.holds_memory()) << "in use";
  memory.release(*slot);
  memory.release(*memory.store(Bytes(10)));
  memory.trim();
  EXPECT_TRUE(memory.holds_memory()) << "used since the last look: a lossy path would grow it again at once";
  memory.trim();
  EXPECT_FALSE(memory.holds_memory());
  EXPECT_TRUE(memory.store(Bytes(10)));
}

}  // namespace
}  // namespace godwit
