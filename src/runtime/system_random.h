// The operating system's generator as a RandomSource: keys, nonces, ids. Owned by Node.
#pragma once

#include "base/random.h"
#include "runtime/fork_guard.h"

namespace godwit {

// Draws from getrandom(2) through a small buffer, which is wiped as it is used. Aborts if the system has no randomness
// to give: there is nothing safe to do without it. What was drawn ahead is not used in a child by fork().
class SystemRandom final : public RandomSource {
 public:
  ~SystemRandom() override;
  void fill(MutableBytes bytes) override;

 private:
  std::array<std::uint8_t, 256> buffer_{};
  std::size_t used_ = sizeof(buffer_);
  ForkGuard guard_;  // of the buffer
};

}  // namespace godwit
