#include "transport/prefix_shares.h"

#include "base/assert.h"

namespace godwit {

PrefixShares::PrefixShares(const HashKey& key) : networks_(0, Hash{key}), hosts_(0, Hash{key}) {}

bool PrefixShares::contains(std::uint32_t slot) const {
  return slot < places_.size() && places_[slot].remote.is_specified();
}

std::size_t PrefixShares::of_host(const SocketAddress& remote) const {
  const auto host = hosts_.find(remote.prefix());
  return host == hosts_.end() ? 0 : host->second.size();
}

void PrefixShares::add(std::uint32_t slot, const SocketAddress& remote, Instant heard) {
  GODWIT_ASSERT(!contains(slot) && remote.is_specified());
  if (slot >= places_.size()) places_.resize(slot + 1);
  places_[slot] = {remote, heard};
  change_count(remote, true);
  hosts_[remote.prefix()].emplace(heard, slot);
  ++size_;
}

void PrefixShares::remove(std::uint32_t slot) {
  if (!contains(slot)) return;
  const Place place = std::exchange(places_[slot], {});
  change_count(place.remote, false);
  const auto host = hosts_.find(place.remote.prefix());
  host->second.erase({place.heard, slot});
  if (host->second.empty()) hosts_.erase(host);
  --size_;
}

// Before the slot itself comes or goes.
void PrefixShares::change_count(const SocketAddress& remote, bool more) {
  const SocketAddress network = remote.network();
  const SocketAddress host = remote.prefix();
  Network& counts = networks_[network];
  const auto move = [more](Ranking& ranking, std::size_t before, const SocketAddress& who) {
    ranking.erase({before, who});
    const std::size_t after = more ? before + 1 : before - 1;
    if (after > 0) ranking.emplace(after, who);
  };
  move(ranking_, counts.count, network);
  move(counts.hosts, of_host(remote), host);
  counts.count += more ? 1 : std::size_t(-1);
  if (counts.count == 0) networks_.erase(network);
}

std::optional<SocketAddress> PrefixShares::host_over_share(const SocketAddress& remote) const {
  if (ranking_.empty()) return std::nullopt;
  const auto own = networks_.find(remote.network());
  const std::size_t own_count = own == networks_.end() ? 0 : own->second.count;
  const auto& [most, network] = *ranking_.rbegin();
  // With the newcomer its network would still have fewer than the largest had.
  if (most > own_count + 1) return networks_.find(network)->second.hosts.rbegin()->second;
  if (own == networks_.end()) return std::nullopt;
  const auto& [host_most, host] = *own->second.hosts.rbegin();
  if (host_most > of_host(remote) + 1) return host;
  return std::nullopt;
}

std::optional<std::uint32_t> PrefixShares::victim(const SocketAddress& remote, const Heard& heard) {
  const auto host = host_over_share(remote);
  return host ? idlest(*host, heard) : std::nullopt;
}

std::optional<std::uint32_t> PrefixShares::victim(const Heard& heard) {
  if (ranking_.empty()) return std::nullopt;
  return idlest(networks_.find(ranking_.rbegin()->second)->second.hosts.rbegin()->second, heard);
}

std::optional<std::uint32_t> PrefixShares::idlest(const SocketAddress& host, const Heard& heard) {
  Host& slots = hosts_.find(host)->second;
  while (true) {
    const auto [known, slot] = *slots.begin();
    const Instant latest = heard(slot);
    if (latest <= known) return slot;
    // Nobody is known to be idle for longer than it was; with the truth it takes its place among them. Each such move
    // follows at least one packet of that peer.
    slots.erase(slots.begin());
    slots.emplace(latest, slot);
    places_[slot].heard = latest;
  }
}

}  // namespace godwit
