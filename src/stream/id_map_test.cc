#include "stream/id_map.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/random.h"

namespace godwit {
namespace {

TEST(IdMap, IsEmptyAtFirst) {
  IdMap map;
  EXPECT_EQ(map.find(0), IdMap::kNone);
  map.erase(0);
  EXPECT_EQ(map.size(), 0U);
}

// Ids that collide under one key are spread under another: without the key nobody can choose such ids.
TEST(IdMap, SpreadsIdsThatCollideUnderAnotherKey) {
  const std::uint64_t known = 0x9e3779b97f4a7c15;
  std::vector<std::uint32_t> colliding;  // share the home of id 0 in a map of 8192 entries whose key is 0
  for (std::uint32_t id = 1; colliding.size() < 2000; ++id) {
    if ((id * known >> 32) * 8192 >> 32 == 0) colliding.push_back(id);
  }
  const auto longest_search = [&](std::uint64_t key) {
    IdMap map(key);
    for (const std::uint32_t id : colliding) map.insert(id, id);
    return map.longest_chain();
  };
  EXPECT_GE(longest_search(0), 2000U);
  DeterministicRandom random{1};
  for (int i = 0; i < 20; ++i) EXPECT_LE(longest_search(random.next_u64()), 200U);
}

TEST(IdMap, TellsItsMemoryAndTheNextInsertsGrowth) {
  IdMap map;
  EXPECT_EQ(map.bytes(), 0U);
  for (std::uint32_t id = 0; id < 1000; ++id) {
    const std::size_t expected = map.bytes() + map.growth();
    map.insert(id * 1'000'003, id);
    ASSERT_EQ(map.bytes(), expected);
    ASSERT_LE(map.bytes(), 64 + map.size() * 32);
  }
  for (std::uint32_t id = 0; id < 1000; ++id) EXPECT_EQ(map.take(id * 1'000'003), id);
  EXPECT_EQ(map.take(1), IdMap::kNone);
  map.clear();
  EXPECT_EQ(map.bytes(), 0U);
}

// Few distinct ids, so that chains collide, are erased from the middle and grow.
TEST(IdMap, AgreesWithAStandardMapUnderRandomUse) {
  DeterministicRandom random{3};
  for (const std::uint64_t ids : {16U, 300U, 5000U}) {
    IdMap map;
    std::unordered_map<std::uint32_t, std::uint32_t> model;
    for (int step = 0; step < 30'000; ++step) {
      const auto id = static_cast<std::uint32_t>(random.below(ids) << (random.below(2) * 20));
      const auto known = model.find(id);
      ASSERT_EQ(map.find(id), known == model.end() ? IdMap::kNone : known->second);
      if (known == model.end()) {
        const auto value = static_cast<std::uint32_t>(random.below(1000));
        map.insert(id, value);
        model.emplace(id, value);
      } else if (random.below(3) > 0) {
        map.erase(id);
        model.erase(id);
      }
      ASSERT_EQ(map.size(), model.size());
    }
    for (const auto& [id, value] : model) ASSERT_EQ(map.find(id), value);
  }
}

}  // namespace
}  // namespace godwit
