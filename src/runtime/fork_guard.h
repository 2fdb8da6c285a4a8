// Tells whether this process is a child, by fork(), of the one that made the guard. A copy of a process holds copies of
// keys, of nonce counters and of random bytes that were drawn ahead: using them in both would encrypt two packets under
// one (key, nonce) pair. Owned by what must not live on in a child.
#pragma once

#include <cstdint>

namespace godwit {

class ForkGuard {
 public:
  ForkGuard() noexcept;

  // Costs one load: a page that the kernel clears in every child (MADV_WIPEONFORK, Linux 4.14) tells. Any thread.
  [[nodiscard]] bool in_child() const noexcept { return *generation() != generation_; }

 private:
  // Of this process; 0 in a child until it makes a guard of its own.
  [[nodiscard]] static volatile std::uint64_t* generation() noexcept;

  std::uint64_t generation_;
};

}  // namespace godwit
