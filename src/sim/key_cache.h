// Key pairs and sealed intros that scenarios share: an X25519 operation costs more than all the rest of a small
// scenario, and what the secret bytes are does not matter to it. Everything follows from the index, so that a seed
// gives the same bytes whatever ran before. One cache a thread.
#pragma once

#include <cstdint>
#include <vector>

#include "crypto/keypair.h"

namespace godwit::sim {

inline constexpr std::uint32_t kCachedKeys = 64;
inline constexpr std::uint32_t kCachedIntros = 64;  // for each key

// A copy of key pair `index` modulo kCachedKeys; costs one X25519 operation.
[[nodiscard]] KeyPair cached_key_pair(std::uint32_t index);

// A valid intro sealed to cached key pair `key`, and the symmetric key that it announces.
struct SealedIntro {
  SymmetricKey key;
  std::vector<std::uint8_t> datagram;
};
// The intro number `index` modulo kCachedIntros; sealed at the first use. Lives as long as the thread.
[[nodiscard]] const SealedIntro& cached_intro(std::uint32_t key, std::uint32_t index);

}  // namespace godwit::sim
