#include "recovery/fifo_ring.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>

#include "base/random.h"

namespace godwit {
namespace {

TEST(FifoRing, BehavesLikeADeque) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    DeterministicRandom random(seed);
    FifoRing<std::uint32_t> ring;
    std::deque<std::uint32_t> model;
    for (std::uint32_t i = 0; i < 2000; ++i) {
      const std::uint64_t action = random.below(100);
      if (action < 55) {
        ring.push_back(i);
        model.push_back(i);
      } else if (action < 85 && !model.empty()) {
        ring.pop_front();
        model.pop_front();
      } else if (action < 96 && !model.empty()) {
        ring.pop_back();
        model.pop_back();
      } else if (action == 96) {
        const auto keep = [&](std::uint32_t value) { return value % 3 != seed % 3; };
        ring.retain(keep);
        std::erase_if(model, [&](std::uint32_t value) { return !keep(value); });
      } else if (action == 97 && random.below(20) == 0) {
        ring.clear();
        model.clear();
        ring.trim();
      }
      ASSERT_EQ(ring.size(), model.size()) << "seed " << seed;
      if (model.empty()) continue;
      ASSERT_EQ(ring.front(), model.front()) << "seed " << seed;
      ASSERT_EQ(ring.back(), model.back()) << "seed " << seed;
      const std::size_t position = random.below(model.size());
      ASSERT_EQ(ring[position], model[position]) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace godwit
