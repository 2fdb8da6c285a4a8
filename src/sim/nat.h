// A NAT box between the links of some hosts and the rest of the world: mapping and filtering of the kinds that RFC 4787
// names, expiry, and rebinding (a reboot that forgets every mapping). Owned by Simulator.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/random.h"
#include "base/time.h"

namespace godwit::sim {

// RFC 4787 sections 4.1 and 5.
enum class NatRule : std::uint8_t { kEndpointIndependent, kAddressDependent, kAddressAndPortDependent };

struct NatSpec {
  NatRule mapping = NatRule::kEndpointIndependent;
  NatRule filtering = NatRule::kAddressAndPortDependent;
  Duration expiry = 120s;  // of a mapping that sends nothing
  bool refreshed_by_inbound = true;
  // Datagrams that nobody has asked for are answered: each leaves an entry, and what the host sends there afterwards
  // leaves from another port.
  bool answers_unasked = false;
  // A new mapping has the port after that of the latest one; otherwise any.
  bool ports_in_sequence = false;
  friend bool operator==(const NatSpec&, const NatSpec&) = default;
};

class Nat {
 public:
  // `spec` and `random` outlive the box.
  Nat(const NatSpec& spec, const SocketAddress& external, RandomSource& random)
      : spec_(&spec), external_(external), random_(&random) {}

  // The external address that a datagram from `inside` to `remote` leaves with.
  [[nodiscard]] SocketAddress outbound(Instant now, const SocketAddress& inside, const SocketAddress& remote);
  // The inside address that a datagram from `remote` to `external` is passed to; nothing when it is dropped.
  [[nodiscard]] std::optional<SocketAddress> inbound(Instant now, const SocketAddress& external,
                                                     const SocketAddress& remote);
  // Forgets everything: the next datagram of a host leaves from another port.
  void rebind() {
    mappings_.clear();
    spoiled_.clear();
  }

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  static constexpr std::size_t kMaxContacts = 2048;
  static constexpr std::size_t kMaxSpoiled = 2048;

  struct Mapping {
    SocketAddress inside;
    SocketAddress remote;  // of the first datagram; which part of it matters depends on the kind
    std::uint16_t port = 0;
    Instant used_at{};
    std::vector<SocketAddress> contacts;  // remotes sent to, for filtering
  };
  [[nodiscard]] static bool same(NatRule rule, const SocketAddress& left, const SocketAddress& right);
  void expire(Instant now);
  [[nodiscard]] std::uint16_t free_port();

  const NatSpec* spec_;
  SocketAddress external_;
  RandomSource* random_;
  // Where an entry for an unasked datagram stands in the way.
  struct Spoiled {
    std::uint16_t port = 0;
    SocketAddress remote;
  };
  [[nodiscard]] bool is_spoiled(const Mapping& mapping, const SocketAddress& remote) const;

  std::vector<Mapping> mappings_;
  std::vector<Spoiled> spoiled_;  // the latest kMaxSpoiled
  std::uint16_t latest_port_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace godwit::sim
