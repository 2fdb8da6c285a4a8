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
  EXPECT_LE(memory.pool_bytes(), 100U * 1024 + 48 * 1024) << "at most one block more than the bound";
  memory.release(slots.back());
  EXPECT_TRUE(memory.store(Bytes(10)));
  EXPECT_FALSE(memory.store(Bytes(10)));
}

TEST(ReassemblyMemory, KeepsARetiredSlotReadableUntilReleased) {
  ReassemblyMemory memory{{.reorder_bytes = 2000}};
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
