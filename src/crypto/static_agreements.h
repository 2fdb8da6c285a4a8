// The agreements of this side's static key with those of peers, which come out the same each time a peer comes back:
// one X25519 operation less in each handshake of an extended session. A table of fixed size by a keyed hash of the
// peer's key; a peer's entry is given up for newer ones. Owned by Endpoint, used by NoiseIk. Wiped with the object.
//
// Only what has been proved is kept: an agreement under which a message of the peer has authenticated, or one with a
// peer that this side connects. So nobody fills the table with keys whose secrets it does not have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/keyed_hash.h"
#include "crypto/hkdf.h"
#include "crypto/keypair.h"

namespace godwit {

class StaticAgreements {
 public:
  // At most `entries` agreements, rounded up to a multiple of kWays; 0: none is kept. The memory, 65 bytes each, is
  // allocated with the first.
  StaticAgreements(std::size_t entries, const HashKey& hash_key);

  // Writes the agreement with `peer` to `shared`; false, and `shared` unchanged, when there is none.
  [[nodiscard]] bool find(const PublicKey& peer, Secret& shared);
  void keep(const PublicKey& peer, const Secret& shared);

  [[nodiscard]] std::uint64_t found() const { return found_; }
  [[nodiscard]] std::size_t memory_bytes() const { return table_.capacity() * sizeof(Entry); }

  static constexpr std::size_t kWays = 4;

 private:
  struct Entry {
    PublicKey peer;
    Secret shared;
    bool used = false;
  };
  // The first of the kWays entries where the agreement with `peer` may stand, the newest of them first.
  [[nodiscard]] std::size_t place_of(const PublicKey& peer) const;

  HashKey hash_key_;
  std::size_t sets_;
  std::vector<Entry> table_;
  std::uint64_t found_ = 0;
};

}  // namespace godwit
