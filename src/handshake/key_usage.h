// How many packets earlier sessions sealed under a key value (decisions 3): a deployed acceptor hands out one key per
// address and day (wire spec W15), so that the count must outlive the session. Keys are remembered by a keyed hash,
// never by value (W2). Owned by Endpoint, which reports a session's total when it ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/keyed_hash.h"
#include "base/random.h"
#include "crypto/keypair.h"

namespace godwit {

class KeyUsage {
 public:
  // `random` is read here only. The key least recently recorded is forgotten beyond `capacity`.
  explicit KeyUsage(RandomSource& random, std::size_t capacity = 1024) : hash_key_(random), capacity_(capacity) {}

  // `packets_sealed` of the sealer: the packets of earlier sessions are included. Counts never go down.
  void record(const SymmetricKey& key, std::uint64_t packets_sealed);
  // 0 for an unknown key.
  [[nodiscard]] std::uint64_t packets_sealed(const SymmetricKey& key) const;

 private:
  struct Entry {
    std::uint64_t key_hash;
    std::uint64_t packets;
  };
  HashKey hash_key_;
  std::size_t capacity_;
  std::vector<Entry> entries_;  // oldest first
};

}  // namespace godwit
