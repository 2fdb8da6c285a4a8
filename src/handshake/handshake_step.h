// What drives a handshake and what it answers: the vocabulary shared by Handshake, its two roles, and the Endpoint or
// Connection that owns one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/random.h"
#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"
#include "crypto/packet_sealer.h"
#include "handshake/handshake_config.h"
#include "trace/events.h"
#include "trace/key_log.h"
#include "wire/datagram.h"
#include "wire/extension.h"

namespace godwit {

class EphemeralKeys;
class KeyUsage;
class ResetTokens;
class StaticAgreements;
class Cookies;
class CookieJar;

// What every handshake of an endpoint shares. The endpoint owns it and all it points to; it outlives the handshakes.
struct HandshakeContext {
  const HandshakeConfig* config = nullptr;
  const KeyPair* self = nullptr;
  RandomSource* random = nullptr;
  CipherKind cipher = CipherKind::kOpenssl;
  PacketCipherFactory make_cipher = &make_packet_cipher;
  SealerLimits key_limits;                        // `already_sealed` is looked up in key_usage
  const KeyUsage* key_usage = nullptr;            // absent: every key is taken to be unused
  trace::KeyLog* key_log = nullptr;               // absent: nobody is told of any key
  const ResetTokens* resets = nullptr;            // absent: sessions have no stateless reset
  EphemeralKeys* ephemeral_keys = nullptr;        // absent: each is made when it is needed
  StaticAgreements* static_agreements = nullptr;  // absent: none is kept
  const Cookies* cookies = nullptr;               // absent: answers have none
  CookieJar* cookie_jar = nullptr;                // absent: none is kept
};

// The largest success ack: AckConnectionV2 with an IPv6 address (wire spec 1.4), and an extension block.
inline constexpr std::size_t kMaxSuccessAck = 91 + wire::kMaxExtensionBlock;

enum class HandshakeFailure : std::uint8_t {
  kNone,
  kTimeout,          // no answer within connect_timeout, or no confirmation within confirmation_wait
  kRefused,          // an error ack without a version in it
  kVersionMismatch,  // an error ack that names the version it expects
  kUnauthenticated,  // answers came, but none under the first key, and the policy demands it (wire spec W3)
  kLibrary,          // the cryptographic library failed
  kNotExtended,      // the peer has no extended form, and the policy demands it
};

struct HandshakeStep {
  enum class Kind : std::uint8_t {
    kNothing,      // the datagram was of no use; `drop` says why. Its bytes are untouched
    kProgress,     // the state moved; poll_transmit() may have something
    kEstablished,  // take_session() after poll_transmit() has nothing left
    kFailed,       // see failure() and failure_text()
  };
  Kind kind = Kind::kNothing;
  std::optional<trace::DropReason> drop;
  // kEstablished: the plaintext of the packet that confirmed the session, inside the datagram that was passed, to be
  // processed like every other packet of the connection (wire spec W4). Empty when it was a success ack, whose content
  // the handshake has used up: `confirmed_by_ack` is then set.
  MutableBytes plaintext;
  bool confirmed_by_ack = false;
};

// Why a datagram that is neither an intro nor a symmetric packet is dropped.
[[nodiscard]] trace::DropReason drop_reason(wire::DatagramClass datagram_class);

}  // namespace godwit
