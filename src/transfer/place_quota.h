// Who may have how many unfinished files at a receiver. A peer (a connection) and an address (SocketAddress::prefix())
// may each take at most half of the places that are still free to them, so that whatever one of them does, places are
// left for the next: 256 places give the first address 128, the next 64, and so on. Counts only; judged by
// FileReceiver.
#pragma once

#include <cstddef>
#include <map>

#include "base/address.h"
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
    kPrefixFull,  // the address has its share of what is left
    kAllFull,
  };
  // Whether the peer may take one more place. `address` is the peer's.
  [[nodiscard]] Verdict judge(ConnectionId peer, const SocketAddress& address) const;
  void take(ConnectionId peer, const SocketAddress& address);
  void give_back(ConnectionId peer, const SocketAddress& address);

  [[nodiscard]] std::size_t of_peer(ConnectionId peer) const;
  [[nodiscard]] std::size_t of_prefix(const SocketAddress& address) const;
  [[nodiscard]] std::size_t taken() const { return taken_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  Limits limits_;
  // Ordered: a stranger chooses the addresses, and must not choose their places in a hash table.
  std::map<SocketAddress, std::size_t> prefixes_;
  std::map<ConnectionId, std::size_t> peers_;
  std::size_t taken_ = 0;
};

}  // namespace godwit
