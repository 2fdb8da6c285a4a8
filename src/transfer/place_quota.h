// Who may have how many unfinished files at a receiver: a share of the places for each network and address
// (source_shares.h), and half of what is left to its address for each peer (a connection). Counts only; judged by
// FileReceiver.
#pragma once

#include <cstddef>
#include <map>

#include "base/address.h"
#include "transfer/source_shares.h"
#include "transport/event.h"

namespace godwit {

class PlaceQuota {
 public:
  struct Limits {
    std::size_t of_a_peer = 64;
    std::size_t all = 256;
  };
  explicit PlaceQuota(const Limits& limits) : limits_(limits) {}

  enum class Verdict : std::uint8_t {
    kFree,
    kPeerFull,    // the peer has its share of what its address has
    kPrefixFull,  // the address, or its network, has its share of what is left
    kAllFull,
  };
  // Whether the peer may take one more place. `address` is the peer's.
  [[nodiscard]] Verdict judge(ConnectionId peer, const SocketAddress& address) const;
  void take(ConnectionId peer, const SocketAddress& address);
  void give_back(ConnectionId peer, const SocketAddress& address);

  [[nodiscard]] std::size_t of_peer(ConnectionId peer) const;
  [[nodiscard]] const SourceShares& shares() const { return shares_; }
  [[nodiscard]] std::size_t taken() const { return static_cast<std::size_t>(shares_.taken()); }
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  Limits limits_;
  SourceShares shares_;
  std::map<ConnectionId, std::size_t> peers_;
};

}  // namespace godwit
