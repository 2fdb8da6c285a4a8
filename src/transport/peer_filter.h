// Who may begin a connection here, where the application decides that: asked about addresses before anything is
// computed for their datagrams, and about the keys that peers have proved before the application hears of them.
// Connections that this side begins are not asked about.
#pragma once

#include <optional>

#include "base/address.h"
#include "crypto/keypair.h"

namespace godwit {

// Runs inside the core: it must not block, throw or call back into the endpoint. Shards call one filter from several
// threads.
class PeerFilter {
 public:
  virtual ~PeerFilter() = default;
  // Whether anything from an address that has no connection is looked at. Whoever sends can write any address on a
  // datagram, and cause as many calls as it sends datagrams.
  [[nodiscard]] virtual bool admits_address(const SocketAddress& remote) = 0;
  // Whether a peer that has connected may stay. Nothing: a session of the deployed form, whose initiator proves no key.
  [[nodiscard]] virtual bool admits_key(const std::optional<PublicKey>& key) = 0;
};

}  // namespace godwit
