// What peers and a rendezvous say to one another (docs/rendezvous.md): each message is one short message of an extended
// session. Values <-> bytes.
// Invariant: decoding is total: any bytes yield a message or nothing, and a message has at most kMaxCandidates
// addresses, each of which a peer can have.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "crypto/keypair.h"

namespace godwit {

inline constexpr std::array<std::uint8_t, 4> kRendezvousMagic = {0x47, 0x57, 0x52, 0x01};  // "GWR", version 1
inline constexpr std::size_t kMaxCandidates = 8;
inline constexpr std::size_t kMaxCodeBytes = 128;  // of a step of the exchange by a one-time code
// Between the openers of both sides and what they send in earnest.
inline constexpr std::chrono::milliseconds kLongestPunchPause{1000};

enum class RendezvousCode : std::uint8_t {
  kDone = 0,
  kUnknownPeer = 1,  // nobody with this key is registered
  kNotAllowed = 2,   // this rendezvous does not serve the asker
  kFull = 3,         // no place, here or for the asker's network
  kBusy = 4,         // too often: to be asked again later
  // Of one-time codes.
  kUnknownCode = 5,  // there is none with this number, or somebody has tried it already
  kWrongCode = 6,    // the two sides have different words
  kCodeExpired = 7,
  kLeft = 8,  // the other side has gone
};
inline constexpr RendezvousCode kLastRendezvousCode = RendezvousCode::kLeft;
// For a person: "the peer is not registered there".
[[nodiscard]] std::string_view rendezvous_code_text(RendezvousCode code);

using Candidates = std::vector<SocketAddress>;

// To the rendezvous: this peer can be found from now on, until its connection ends. Repeated when candidates change.
struct RendezvousRegister {
  Candidates candidates;  // addresses of its own interfaces
};
// To the rendezvous: introduce the asker and the peer with this key to one another.
struct RendezvousFind {
  std::uint32_t request = 0;
  PublicKey key;
  bool relay = false;     // ports at the relay are wanted besides
  Candidates candidates;  // of the asker
};
// Answers.
struct RendezvousRegistered {
  RendezvousCode code = RendezvousCode::kDone;
  std::optional<SocketAddress> observed;  // the receiver's address as the rendezvous sees it
};
struct RendezvousFound {
  std::uint32_t request = 0;
  RendezvousCode code = RendezvousCode::kDone;
  Candidates candidates;               // of the peer; the one that the rendezvous sees first
  std::optional<SocketAddress> relay;  // where the peer can be reached through the relay
  std::chrono::milliseconds pause{};   // before more than openers goes to the candidates
  bool relay_full = false;             // there is a relay, which has no place for another pair
};
// To the peer that was asked for: somebody connects to it now, and it is to connect back.
struct RendezvousIntroduced {
  PublicKey key;  // that the asker has proved to the rendezvous
  Candidates candidates;
  std::optional<SocketAddress> relay;
  std::chrono::milliseconds pause{};
  bool relay_full = false;  // as the asker is told
};
// The relay sees a side at another port than the rendezvous does.
struct PortChanges {
  bool own = false;
  bool peers = false;
  std::uint16_t peers_port = 0;  // at which the relay sees the other side; 0: an older rendezvous does not say it
};
// To the rendezvous: at which address does a port of the relay see this side? Of a pair that the asker belongs to.
struct RendezvousWhere {
  std::optional<SocketAddress> port;  // as the asker was told it
};
// The answer; nothing where nothing has come, or the port is none of the asker's.
struct RendezvousSeen {
  std::optional<SocketAddress> port;
  std::optional<SocketAddress> observed;
  // Whether the ports of the two sides of the pair depend on the destination; nothing while not both have been heard.
  std::optional<PortChanges> changes{};
};
// To the rendezvous: a number for a one-time code is wanted.
struct RendezvousCodeOpen {};
// The answer.
struct RendezvousCodeOpened {
  RendezvousCode code = RendezvousCode::kDone;
  std::uint32_t nameplate = 0;
  std::uint16_t lifetime_seconds = 0;
};
// One step of the exchange, to the rendezvous, which passes it on to the other side (CodeExchange).
struct RendezvousCodeStep {
  std::uint32_t nameplate = 0;
  std::uint8_t step = 0;
  std::vector<std::uint8_t> bytes;  // at most kMaxCodeBytes
};
// From either side to the other, or from the rendezvous: the exchange is over, well or badly.
struct RendezvousCodeEnded {
  std::uint32_t nameplate = 0;
  RendezvousCode code = RendezvousCode::kDone;
};
using RendezvousMessage = std::variant<RendezvousRegister, RendezvousFind, RendezvousRegistered, RendezvousFound,
                                       RendezvousIntroduced, RendezvousWhere, RendezvousSeen, RendezvousCodeOpen,
                                       RendezvousCodeOpened, RendezvousCodeStep, RendezvousCodeEnded>;

[[nodiscard]] std::vector<std::uint8_t> encode_rendezvous(const RendezvousMessage& message);
// Nothing for what is none, is cut short, has an unknown type or too many addresses. Addresses that no peer can have
// are left out. Bytes behind the fields are ignored.
[[nodiscard]] std::optional<RendezvousMessage> decode_rendezvous(ByteView bytes);
[[nodiscard]] bool is_rendezvous_message(ByteView bytes);

// Whether an address that a peer claims to have may be sent to, when others see it at `observed`: an address of the
// same host, or one that belongs to no stranger (private and unique local networks, and loopback only where the
// observed one is loopback too). So nobody can have datagrams sent to a third party.
[[nodiscard]] bool is_plausible_candidate(const SocketAddress& claimed, const SocketAddress& observed);

}  // namespace godwit
