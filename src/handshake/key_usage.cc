#include "handshake/key_usage.h"

#include <algorithm>

namespace godwit {

void KeyUsage::record(const SymmetricKey& key, std::uint64_t packets_sealed) {
  const std::uint64_t hash = hash_key_.hash(key.bytes());
  const auto known = std::ranges::find(entries_, hash, &Entry::key_hash);
  if (known != entries_.end()) {
    packets_sealed = std::max(packets_sealed, known->packets);
    entries_.erase(known);
  } else if (entries_.size() >= capacity_) {
    entries_.erase(entries_.begin());
  }
  entries_.push_back({.key_hash = hash, .packets = packets_sealed});
}

std::uint64_t KeyUsage::packets_sealed(const SymmetricKey& key) const {
  const auto known = std::ranges::find(entries_, hash_key_.hash(key.bytes()), &Entry::key_hash);
  return known == entries_.end() ? 0 : known->packets;
}

}  // namespace godwit
