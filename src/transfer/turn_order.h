// Whose turn it is at a server that serves one client at a time: who asked in vain while another was served goes before
// those that have been served since it was last (or ever), for some seconds; then whoever comes first. So a client that
// comes again at once does not keep others out. A client is its network (SocketAddress::network()). Owned by
// PerfServer; forgets the longest served of many.
#pragma once

#include <cstddef>
#include <map>
#include <set>

#include "base/address.h"
#include "base/time.h"

namespace godwit {

class TurnOrder {
 public:
  static constexpr Duration kReserved = 10s;

  // It asked while another one was served.
  void on_asked(const SocketAddress& client);
  void on_begun(Instant now, const SocketAddress& client);
  void on_ended(Instant now) { ended_at_ = now; }
  // Whether to let others go first, nobody being served.
  [[nodiscard]] bool has_to_wait(Instant now, const SocketAddress& client) const;

 private:
  static constexpr std::size_t kMostClients = 256;

  [[nodiscard]] Instant last_served(const SocketAddress& network) const;

  // Ordered: a stranger chooses the addresses, and must not choose their places in a hash table.
  std::map<SocketAddress, Instant> served_;
  std::set<SocketAddress> waiting_;
  Instant ended_at_{Duration::min()};
};

}  // namespace godwit
