#include "transfer/turn_order.h"

#include <algorithm>

namespace godwit {

void TurnOrder::on_asked(const SocketAddress& client) {
  if (waiting_.size() < kMostClients) waiting_.insert(client.network());
}

void TurnOrder::on_begun(Instant now, const SocketAddress& client) {
  waiting_.clear();
  served_[client.network()] = now;
  if (served_.size() <= kMostClients) return;
  served_.erase(std::ranges::min_element(served_, {}, [](const auto& entry) { return entry.second; }));
}

bool TurnOrder::has_to_wait(Instant now, const SocketAddress& client) const {
  if (waiting_.empty() || now - kReserved >= ended_at_) return false;
  const SocketAddress own = client.network();
  const Instant served = last_served(own);
  return std::ranges::any_of(waiting_,
                             [&](const SocketAddress& other) { return other != own && last_served(other) < served; });
}

Instant TurnOrder::last_served(const SocketAddress& network) const {
  const auto found = served_.find(network);
  return found == served_.end() ? Instant{Duration::min()} : found->second;
}

}  // namespace godwit
