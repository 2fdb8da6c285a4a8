// Which peer --to, --peer-key and --via name: an address with a key, a ticket, a name that `godwit peers` knows, or a
// key that a rendezvous knows.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "cli/code_options.h"
#include "crypto/keypair.h"
#include "rendezvous/rendezvous_client.h"

namespace godwit::cli {

struct PeerTarget {
  std::vector<SocketAddress> addresses;  // in order of preference
  PublicKey key;
  bool requires_extended = false;
  std::vector<RendezvousPlace> rendezvous;  // to be asked where it is besides
  CodeOptions code;                         // to be met by, at the one rendezvous, in place of everything above
  PeerPaths paths;                          // what one of them has answered
};

// `to` and `key` as they were given; `key` may be empty for tickets and names. Looks names of hosts up, which may take
// seconds. Errors: kInvalidArgument for what is no peer, or a ticket of another key; kUnsupported for a ticket that
// this version cannot use; kNotFound for a host without an address, where there is no rendezvous to ask.
[[nodiscard]] Result<PeerTarget> find_peer(const std::string& to, const std::string& key);

}  // namespace godwit::cli
