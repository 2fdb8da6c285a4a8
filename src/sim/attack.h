// What an attacker does, as data (part of a Scenario). The attacker sees every datagram that crosses the world between
// the links, may send from any source address, and reaches its victims past the links, without delay of its own.
// Executed by Attacker.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace godwit::sim {

enum class AttackKind : std::uint8_t {
  kReplay,       // datagrams that were on their way to the victim, once more
  kMutate,       // copies of passing datagrams with one byte changed, ahead of the originals
  kDuplicate,    // copies of passing datagrams, ahead of the originals
  kDelay,        // passing datagrams are held back for `delay`
  kIntros,       // valid intros, sealed to the victim's public key with keys that the attacker knows
  kJunkIntros,   // random bytes of an intro's type and length
  kJunkPackets,  // random bytes of a symmetric datagram's type and length
  kGarbage,      // random bytes of any type and length
  // The following open real connections from the attacker's own addresses.
  kConnections,  // opens one connection after the other and keeps all of them alive
  kFragments,    // one connection; hostile stream fragments
  kAcks,         // one connection; acknowledgements of anything
  kMessages,     // one connection; any other message, and authentic packets that are no message
};
inline constexpr std::array kAllAttackKinds = {AttackKind::kReplay,      AttackKind::kMutate,  AttackKind::kDuplicate,
                                               AttackKind::kDelay,       AttackKind::kIntros,  AttackKind::kJunkIntros,
                                               AttackKind::kJunkPackets, AttackKind::kGarbage, AttackKind::kConnections,
                                               AttackKind::kFragments,   AttackKind::kAcks,    AttackKind::kMessages};
[[nodiscard]] std::string_view attack_kind_name(AttackKind kind);
// Whether the attacker takes part in a handshake of its own, as an authenticated stranger.
[[nodiscard]] constexpr bool opens_connections(AttackKind kind) {
  return kind >= AttackKind::kConnections;
}
// Whether it acts when a datagram passes, and not by its own timer.
[[nodiscard]] constexpr bool acts_on_passing(AttackKind kind) {
  return kind == AttackKind::kMutate || kind == AttackKind::kDuplicate || kind == AttackKind::kDelay;
}

enum class AttackSource : std::uint8_t {
  kPeer,        // the address of the peer that the attacker poses as
  kPeerPrefix,  // other ports of that address
  kOwn,         // one address of the attacker, another port for each datagram
  kMany,        // another IPv4 address or IPv6 /64 for each datagram
};
inline constexpr std::array kAllAttackSources = {AttackSource::kPeer, AttackSource::kPeerPrefix, AttackSource::kOwn,
                                                 AttackSource::kMany};
[[nodiscard]] std::string_view attack_source_name(AttackSource source);

struct AttackSpec {
  AttackKind kind = AttackKind::kJunkPackets;
  AttackSource source = AttackSource::kPeer;  // connections always come from the attacker's own addresses
  std::uint32_t victim = 0;                   // host that the datagrams go to
  std::uint32_t peer = 1;                     // host that the attacker poses as
  Duration start{};
  Duration interval = std::chrono::milliseconds(100);
  std::uint32_t count = 1;       // datagrams; kConnections: connections
  Duration delay{};              // kDelay: for how long; kReplay: how old a datagram is at least
  bool other_interface = false;  // arrives at an address of the victim from which nothing can be sent to the peer
  // Of the attacker's own connections: in the extended form, with these capabilities; absent: in the deployed form.
  std::optional<std::uint64_t> capabilities = std::nullopt;
  friend bool operator==(const AttackSpec&, const AttackSpec&) = default;
};

}  // namespace godwit::sim
