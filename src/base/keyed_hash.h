// SipHash-1-3 with a random key: what peers choose (addresses, ephemeral keys) must not choose where it falls in a
// table. (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012.)
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/random.h"

namespace godwit {

class HashKey {
 public:
  explicit HashKey(RandomSource& random) : k0_(random.next_u64()), k1_(random.next_u64()) {}
  constexpr HashKey(std::uint64_t k0, std::uint64_t k1) : k0_(k0), k1_(k1) {}

  [[nodiscard]] std::uint64_t hash(ByteView bytes) const noexcept;

 private:
  std::uint64_t k0_;
  std::uint64_t k1_;
};

}  // namespace godwit
