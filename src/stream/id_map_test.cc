#include "stream/id_map.h"

#include <gtest/gtest.h>

#include <unordered_map>

#include "base/random.h"

namespace godwit {
namespace {

TEST(IdMap, IsEmptyAtFirst) {
  IdMap map;
  EXPECT_EQ(map.find(0), IdMap::kNone);
  map.erase(0);
  EXPECT_EQ(map.size(), 0U);
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
