// Randomness comes to the core by constructor: the runtime passes the system's generator, tests and the simulator a
// seeded one. DeterministicRandom is NOT for keys outside tests and simulations.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace godwit {

// The value that follows `state` in splitmix64 (Steele, Lea, Flood, OOPSLA 2014), and the step from one state to the
// next. For seeds, hashes and filling. It is a bijection: who sees a value can compute its state.
constexpr std::uint64_t kSplitmixStep = 0x9e3779b97f4a7c15;
[[nodiscard]] constexpr std::uint64_t splitmix64(std::uint64_t state) {
  std::uint64_t value = state + kSplitmixStep;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual void fill(MutableBytes bytes) = 0;

  [[nodiscard]] std::uint64_t next_u64() {
    std::array<std::uint8_t, 8> bytes{};
    fill(bytes);
    return load_le<std::uint64_t>(bytes.data());
  }
  // Uniform in [0, bound); bound must not be 0. The bias of the multiply method is below bound / 2^64.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>(static_cast<Wide>(next_u64()) * bound >> 64);
  }
  // Uniform in [0, 1).
  [[nodiscard]] double unit() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }
};

// xoshiro256** (Blackman and Vigna), seeded through splitmix64: equal seeds give equal bytes on every machine.
class DeterministicRandom final : public RandomSource {
 public:
  explicit DeterministicRandom(std::uint64_t seed);
  void fill(MutableBytes bytes) override;

 private:
  [[nodiscard]] std::uint64_t step();
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace godwit
