// The cookies that this side has been given, by the peer that gave it (docs/extended_sessions.md, section 3.5): the
// latest of each, of the peers that were connected to last. Owned by Endpoint. Bounded; the oldest entry gives way.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "crypto/keypair.h"
#include "wire/extension.h"

namespace godwit {

class CookieJar {
 public:
  explicit CookieJar(std::size_t most) : most_(most) {}

  void keep(const PublicKey& peer, const wire::Cookie& cookie);
  [[nodiscard]] std::optional<wire::Cookie> find(const PublicKey& peer) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    PublicKey peer;
    wire::Cookie cookie;
  };
  std::size_t most_;
  std::vector<Entry> entries_;
  std::size_t oldest_ = 0;
};

}  // namespace godwit
