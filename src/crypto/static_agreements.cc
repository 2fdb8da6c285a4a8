#include "crypto/static_agreements.h"

#include <algorithm>
#include <iterator>

namespace godwit {

StaticAgreements::StaticAgreements(std::size_t entries, const HashKey& hash_key)
    : hash_key_(hash_key), sets_((entries + kWays - 1) / kWays) {}

std::size_t StaticAgreements::place_of(const PublicKey& peer) const {
  return hash_key_.hash(peer.bytes()) % sets_ * kWays;
}

bool StaticAgreements::find(const PublicKey& peer, Secret& shared) {
  if (table_.empty()) return false;
  const auto first = table_.begin() + static_cast<std::ptrdiff_t>(place_of(peer));
  const auto last = first + kWays;
  const auto entry = std::find_if(first, last, [&peer](const Entry& it) { return it.used && it.peer == peer; });
  if (entry == last) return false;
  shared = entry->shared;
  std::rotate(first, entry, std::next(entry));
  ++found_;
  return true;
}

void StaticAgreements::keep(const PublicKey& peer, const Secret& shared) {
  if (sets_ == 0) return;
  if (table_.empty()) table_.resize(sets_ * kWays);
  const auto first = table_.begin() + static_cast<std::ptrdiff_t>(place_of(peer));
  const auto last = first + kWays;
  auto entry = std::find_if(first, last, [&peer](const Entry& it) { return it.used && it.peer == peer; });
  if (entry == last) entry = std::prev(last);
  *entry = {.peer = peer, .shared = shared, .used = true};
  std::rotate(first, entry, std::next(entry));
}

}  // namespace godwit
