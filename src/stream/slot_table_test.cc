#include "stream/slot_table.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"

namespace godwit {
namespace {

TEST(SlotTable, RecognisesAStaleHandle) {
  SlotTable<int> table{4};
  const std::uint32_t index = table.insert(7);
  const SlotHandle handle = table.handle(index);
  EXPECT_EQ(table.find(handle), index);
  table.erase(index);
  EXPECT_EQ(table.find(handle), SlotTable<int>::kNone);
  EXPECT_EQ(table.insert(8), index) << "the slot is used again";
  EXPECT_EQ(table.find(handle), SlotTable<int>::kNone);
  EXPECT_EQ(table.find(0xffffffff), SlotTable<int>::kNone);
}

TEST(SlotTable, HoldsItsLimit) {
  SlotTable<int> table{3};
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(table.full());
    table.insert(i);
  }
  EXPECT_TRUE(table.full());
  table.erase(1);
  EXPECT_FALSE(table.full());
}

TEST(SlotTable, AgreesWithAMapUnderRandomUse) {
  DeterministicRandom random{2};
  SlotTable<std::uint64_t> table{64};
  std::map<SlotHandle, std::uint64_t> model;
  std::set<std::pair<std::uint32_t, std::uint64_t>> names;
  for (int step = 0; step < 20'000; ++step) {
    if (!table.full() && random.below(2) == 0) {
      const std::uint64_t value = random.next_u64();
      const std::uint32_t index = table.insert(value);
      EXPECT_TRUE(names.insert({index, table.generation(index)}).second) << "index and generation name one value ever";
      EXPECT_TRUE(model.emplace(table.handle(index), value).second);
    } else if (!model.empty()) {
      const auto chosen = std::next(model.begin(), static_cast<std::ptrdiff_t>(random.below(model.size())));
      const std::uint32_t index = table.find(chosen->first);
      ASSERT_NE(index, SlotTable<std::uint64_t>::kNone);
      ASSERT_EQ(table[index], chosen->second);
      table.erase(index);
      model.erase(chosen);
    }
    ASSERT_EQ(table.size(), model.size());
  }
}

}  // namespace
}  // namespace godwit
