// Which packets a link loses: by a coin, in bursts, or by script. Asked once a packet, in order, so that one seed loses
// the same packets every time.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace godwit::sim {

struct LossSpec {
  double rate = 0;  // Bernoulli: each packet alone
  // Gilbert-Elliott: from the good to the bad state and back, per packet; zero `to_bad`: no bursts.
  double to_bad = 0;
  double to_good = 0.3;
  double bad_rate = 1;  // loss in the bad state
  // Scripted: the packets with these numbers, from 0; ascending.
  std::vector<std::uint64_t> packets;
  // Each n-th packet; 0: none.
  std::uint64_t every = 0;

  // Long-term share of packets lost, scripts apart.
  [[nodiscard]] double expected() const;
  friend bool operator==(const LossSpec&, const LossSpec&) = default;
};

class LossModel {
 public:
  // `random` outlives the model.
  LossModel(const LossSpec& spec, RandomSource& random) : spec_(&spec), random_(&random) {}
  [[nodiscard]] bool loses_next();

 private:
  const LossSpec* spec_;
  RandomSource* random_;
  bool bad_ = false;
  std::uint64_t number_ = 0;
  std::size_t next_script_ = 0;
};

}  // namespace godwit::sim
