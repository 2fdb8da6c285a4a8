// Ephemeral key pairs that are made ahead, while there is nothing else to do: making one is an X25519 operation, which
// a handshake then does not wait for. As many wait as handshakes have taken so far, up to a bound, so that an endpoint
// that connects once makes no more than it needs. Each pair is handed out once; those that are left are wiped with the
// object. Owned by Endpoint, whose owner must not use it in a child by fork(): parent and child would use the same
// keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "crypto/keypair.h"

namespace godwit {

struct HandshakeContext;

class EphemeralKeys {
 public:
  // `random` outlives the object. At most `most` pairs wait.
  EphemeralKeys(RandomSource& random, std::size_t most) : random_(random), most_(most) {}

  // A pair that waits, or a new one. kSystem when the cryptographic library fails.
  [[nodiscard]] Result<KeyPair> take();
  // Makes one pair, one X25519 operation. False, without having done anything, when enough wait.
  bool make_one();

  [[nodiscard]] std::size_t waiting() const { return pairs_.size(); }
  // Pairs that were handed out, and those of them that were made ahead.
  [[nodiscard]] std::uint64_t taken() const { return taken_; }
  [[nodiscard]] std::uint64_t taken_ready() const { return taken_ready_; }

 private:
  RandomSource& random_;
  std::size_t most_;
  std::vector<KeyPair> pairs_;
  std::uint64_t taken_ = 0;
  std::uint64_t taken_ready_ = 0;
};

// For one handshake: of the context's EphemeralKeys, or made now where it has none.
[[nodiscard]] Result<KeyPair> ephemeral_key(const HandshakeContext& context);

}  // namespace godwit
