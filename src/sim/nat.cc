#include "sim/nat.h"

#include <algorithm>

namespace godwit::sim {

bool Nat::same(NatRule rule, const SocketAddress& left, const SocketAddress& right) {
  switch (rule) {
    case NatRule::kEndpointIndependent: return true;
    case NatRule::kAddressDependent: return left.octets() == right.octets();
    case NatRule::kAddressAndPortDependent: return left == right;
  }
  return false;
}

void Nat::expire(Instant now) {
  std::erase_if(mappings_, [&](const Mapping& mapping) { return now - mapping.used_at > spec_->expiry; });
}

std::uint16_t Nat::free_port() {
  while (true) {
    auto port = static_cast<std::uint16_t>(1024 + random_->below(64'512));
    if (spec_->ports_in_sequence && latest_port_ >= 1024 && latest_port_ < UINT16_MAX) port = latest_port_ + 1;
    latest_port_ = port;
    const bool taken =
        std::any_of(mappings_.begin(), mappings_.end(), [&](const Mapping& m) { return m.port == port; });
    if (!taken) return port;
  }
}

SocketAddress Nat::outbound(Instant now, const SocketAddress& inside, const SocketAddress& remote) {
  expire(now);
  auto found = std::find_if(mappings_.begin(), mappings_.end(), [&](const Mapping& mapping) {
    return mapping.inside == inside && same(spec_->mapping, mapping.remote, remote) && !is_spoiled(mapping, remote);
  });
  if (found == mappings_.end()) {
    mappings_.push_back({.inside = inside, .remote = remote, .port = free_port(), .used_at = now, .contacts = {}});
    found = mappings_.end() - 1;
  }
  found->used_at = now;
  auto& contacts = found->contacts;
  if (std::find(contacts.begin(), contacts.end(), remote) == contacts.end() && contacts.size() < kMaxContacts) {
    contacts.push_back(remote);
  }
  return external_.with_port(found->port);
}

bool Nat::is_spoiled(const Mapping& mapping, const SocketAddress& remote) const {
  return std::ranges::any_of(spoiled_,
                             [&](const Spoiled& each) { return each.port == mapping.port && each.remote == remote; });
}

std::optional<SocketAddress> Nat::inbound(Instant now, const SocketAddress& external, const SocketAddress& remote) {
  expire(now);
  for (Mapping& mapping : mappings_) {
    if (mapping.port != external.port()) continue;
    const bool passes =
        std::any_of(mapping.contacts.begin(), mapping.contacts.end(),
                    [&](const SocketAddress& contact) { return same(spec_->filtering, contact, remote); });
    if (!passes) {
      if (spec_->answers_unasked && spoiled_.size() < kMaxSpoiled) spoiled_.push_back({mapping.port, remote});
      break;
    }
    if (spec_->refreshed_by_inbound) mapping.used_at = now;
    return mapping.inside;
  }
  ++dropped_;
  return std::nullopt;
}

}  // namespace godwit::sim
