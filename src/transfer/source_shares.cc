#include "transfer/source_shares.h"

#include "base/assert.h"

namespace godwit {
namespace {

using Amounts = std::map<SocketAddress, std::uint64_t>;

std::uint64_t amount_of(const Amounts& amounts, const SocketAddress& key) {
  const auto found = amounts.find(key);
  return found == amounts.end() ? 0 : found->second;
}

void take_back(Amounts& amounts, const SocketAddress& key, std::uint64_t amount) {
  const auto found = amounts.find(key);
  GODWIT_ASSERT(found != amounts.end() && found->second >= amount);
  found->second -= amount;
  if (found->second == 0) amounts.erase(found);
}

// Until what is taken and what is left are the same: one that is taken goes from one side to the other.
std::uint64_t half(std::uint64_t taken, std::uint64_t free) {
  if (taken >= free) return 0;
  const std::uint64_t difference = free - taken;
  return difference / 2 + difference % 2;
}

}  // namespace

std::uint64_t SourceShares::room(const SocketAddress& address, std::uint64_t free) const {
  const std::uint64_t of_all = half(of_network(address), free);
  return address.is_ipv6() ? half(of_prefix(address), of_all) : of_all;
}

void SourceShares::take(const SocketAddress& address, std::uint64_t amount) {
  if (amount == 0) return;
  networks_[address.network()] += amount;
  if (address.is_ipv6()) prefixes_[address.prefix()] += amount;
  taken_ += amount;
}

void SourceShares::give_back(const SocketAddress& address, std::uint64_t amount) {
  if (amount == 0) return;
  take_back(networks_, address.network(), amount);
  if (address.is_ipv6()) take_back(prefixes_, address.prefix(), amount);
  taken_ -= amount;
}

std::uint64_t SourceShares::of_prefix(const SocketAddress& address) const {
  return address.is_ipv6() ? amount_of(prefixes_, address.prefix()) : of_network(address);
}

std::uint64_t SourceShares::of_network(const SocketAddress& address) const {
  return amount_of(networks_, address.network());
}

}  // namespace godwit
