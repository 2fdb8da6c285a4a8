#include "transport/prefix_shares.h"

#include "base/assert.h"

namespace godwit {

PrefixShares::PrefixShares(const HashKey& key, std::size_t accounts_from) : key_(key), accounts_from_(accounts_from) {}

bool PrefixShares::contains(std::uint32_t slot) const {
  return slot < places_.size() && places_[slot].remote.is_specified();
}

std::size_t PrefixShares::of_host(const SocketAddress& remote) const {
  return accounts_ ? accounts_->of_host(remote) : 0;
}

void PrefixShares::add(std::uint32_t slot, const SocketAddress& remote, Instant heard) {
  GODWIT_ASSERT(!contains(slot) && remote.is_specified());
  if (slot >= places_.size()) places_.resize(slot + 1);
  places_[slot] = {remote, heard};
  ++size_;
  if (accounts_) {
    accounts_->add(slot, places_[slot]);
  } else if (size_ >= accounts_from_) {
    static_cast<void>(accounts());
  }
}

void PrefixShares::remove(std::uint32_t slot) {
  if (!contains(slot)) return;
  const Place place = std::exchange(places_[slot], {});
  --size_;
  if (!accounts_) return;
  accounts_->remove(slot, place);
  if (size_ < accounts_->kept_from) accounts_.reset();
}

// A look at every place, after at least half as many connections have come or gone since the last one.
PrefixShares::Accounts& PrefixShares::accounts() {
  if (accounts_) return *accounts_;
  accounts_ = std::make_unique<Accounts>(key_);
  accounts_->kept_from = size_ / 2;
  for (std::uint32_t slot = 0; slot < places_.size(); ++slot) {
    if (contains(slot)) accounts_->add(slot, places_[slot]);
  }
  return *accounts_;
}

void PrefixShares::Accounts::add(std::uint32_t slot, const Place& place) {
  change_count(place.remote, true);
  hosts[place.remote.prefix()].emplace(place.heard, slot);
}

void PrefixShares::Accounts::remove(std::uint32_t slot, const Place& place) {
  change_count(place.remote, false);
  const auto host = hosts.find(place.remote.prefix());
  host->second.erase({place.heard, slot});
  if (host->second.empty()) hosts.erase(host);
}

std::size_t PrefixShares::Accounts::of_host(const SocketAddress& remote) const {
  const auto host = hosts.find(remote.prefix());
  return host == hosts.end() ? 0 : host->second.size();
}

// Before the slot itself comes or goes.
void PrefixShares::Accounts::change_count(const SocketAddress& remote, bool more) {
  const SocketAddress network = remote.network();
  const SocketAddress host = remote.prefix();
  Network& counts = networks[network];
  const auto move = [more](Ranking& ranked, std::size_t before, const SocketAddress& who) {
    ranked.erase({before, who});
    const std::size_t after = more ? before + 1 : before - 1;
    if (after > 0) ranked.emplace(after, who);
  };
  move(ranking, counts.count, network);
  move(counts.hosts, of_host(remote), host);
  counts.count += more ? 1 : std::size_t(-1);
  if (counts.count == 0) networks.erase(network);
}

std::optional<SocketAddress> PrefixShares::host_over_share(const SocketAddress& remote) {
  const Accounts& kept = accounts();
  if (kept.ranking.empty()) return std::nullopt;
  const auto own = kept.networks.find(remote.network());
  const std::size_t own_count = own == kept.networks.end() ? 0 : own->second.count;
  const auto& [most, network] = *kept.ranking.rbegin();
  // With the newcomer its network would still have fewer than the largest had.
  if (most > own_count + 1) return kept.networks.find(network)->second.hosts.rbegin()->second;
  if (own == kept.networks.end()) return std::nullopt;
  const auto& [host_most, host] = *own->second.hosts.rbegin();
  if (host_most > of_host(remote) + 1) return host;
  return std::nullopt;
}

std::optional<std::uint32_t> PrefixShares::victim(const SocketAddress& remote, const Heard& heard) {
  const auto host = host_over_share(remote);
  return host ? std::optional(idlest(*host, heard)) : std::nullopt;
}

std::optional<std::uint32_t> PrefixShares::silent_one(const SocketAddress& remote, Instant latest, const Heard& heard) {
  const SocketAddress host = remote.prefix();
  if (!accounts().hosts.contains(host)) return std::nullopt;
  const std::uint32_t slot = idlest(host, heard);
  return heard(slot) <= latest ? std::optional(slot) : std::nullopt;
}

std::optional<std::uint32_t> PrefixShares::victim(const Heard& heard) {
  const Accounts& kept = accounts();
  if (kept.ranking.empty()) return std::nullopt;
  return idlest(kept.networks.find(kept.ranking.rbegin()->second)->second.hosts.rbegin()->second, heard);
}

std::uint32_t PrefixShares::idlest(const SocketAddress& host, const Heard& heard) {
  Host& slots = accounts().hosts.find(host)->second;
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
