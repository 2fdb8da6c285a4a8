#include "base/random.h"

#include <algorithm>
#include <bit>

namespace godwit {

DeterministicRandom::DeterministicRandom(std::uint64_t seed) {
  for (auto& word : state_) {
    word = splitmix64(seed);
    seed += kSplitmixStep;
  }
}

std::uint64_t DeterministicRandom::step() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

void DeterministicRandom::fill(MutableBytes bytes) {
  while (!bytes.empty()) {
    std::array<std::uint8_t, 8> word{};
    store_le(word.data(), step());
    const std::size_t count = std::min(bytes.size(), word.size());
    std::copy_n(word.begin(), count, bytes.begin());
    bytes = bytes.subspan(count);
  }
}

}  // namespace godwit
