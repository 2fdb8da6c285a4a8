// Random choices for scenarios, all from one seed.
#pragma once

#include <cmath>
#include <cstdint>
#include <ranges>

#include "base/random.h"
#include "base/time.h"

namespace godwit::sim {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(splitmix64(seed ^ 0x736365)) {}

  bool chance(double probability) { return random_.unit() < probability; }
  // Uniform in [least, most].
  std::uint64_t number(std::uint64_t least, std::uint64_t most) { return least + random_.below(most - least + 1); }
  // Uniform on a logarithmic scale.
  double spread(double least, double most) { return least * std::pow(most / least, random_.unit()); }
  Duration time(Duration least, Duration most) {
    return Duration{
        static_cast<Duration::rep>(spread(static_cast<double>(least.count()), static_cast<double>(most.count())))};
  }
  Duration moment(Duration within) {
    return Duration{static_cast<Duration::rep>(random_.unit() * static_cast<double>(within.count()))};
  }
  template <std::ranges::contiguous_range Choices>
  auto one_of(const Choices& choices) {
    return choices[static_cast<std::size_t>(random_.below(std::ranges::size(choices)))];
  }

 private:
  DeterministicRandom random_;
};

}  // namespace godwit::sim
