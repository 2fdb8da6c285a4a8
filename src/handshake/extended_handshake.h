// The handshake of an extended session (docs/extended_sessions.md, section 3), beside the deployed one: message 1 of
// Noise IK travels behind an intro, message 2 behind the success ack that answers it. Part of the two roles of
// Handshake. Secrets are wiped with the objects.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "crypto/hkdf.h"
#include "crypto/keypair.h"
#include "crypto/noise_ik.h"
#include "handshake/handshake_step.h"
#include "handshake/intro_seen.h"
#include "wire/extension.h"
#include "wire/intro.h"

namespace godwit {

// Milliseconds since 1970, as far as the configuration tells.
[[nodiscard]] std::uint64_t time_of_day_ms(Instant now, const HandshakeConfig& config);

// Why a peer whose intro carries such a block gets the deployed form; kNone for one that is present.
[[nodiscard]] FallbackReason fallback_reason(wire::ExtensionBlock block);

// What both messages have settled.
struct ExtendedSecrets {
  Secret send;
  Secret receive;
  PublicKey peer;
  wire::TransportParameters mine;
  wire::TransportParameters theirs;
};

// Of an initiator, for one attempt.
class ExtendedOffer {
 public:
  // `remote` is connected to; `ephemeral` is the key of the intro that carries the offer, and `agreement` the one of it
  // with the requested peer's key, which seals the intro. One X25519 operation, none for a peer whose agreement is
  // kept. Nothing when the peer's key is of low order.
  [[nodiscard]] static std::optional<ExtendedOffer> make(Instant now, const HandshakeContext& context,
                                                         const SocketAddress& remote, const wire::Intro& intro,
                                                         KeyPair ephemeral, const NoiseIk::Agreement& agreement);
  // What goes behind the intro's plaintext.
  [[nodiscard]] std::vector<std::uint8_t> take_block() { return std::move(block_); }

  struct Answer {
    wire::ExtensionBlock block = wire::ExtensionBlock::kAbsent;
    std::optional<ExtendedSecrets> secrets;  // of a present block that authenticates
  };
  // `trailing` follows a success ack that arrived under the intro's key. Once it has returned secrets the offer is used
  // up.
  [[nodiscard]] Answer read(ByteView trailing);

 private:
  ExtendedOffer(NoiseIk noise, const wire::TransportParameters& mine) : noise_(std::move(noise)), mine_(mine) {}

  NoiseIk noise_;
  wire::TransportParameters mine_;
  std::vector<std::uint8_t> block_;
};

// Of a responder: an offer that has been read.
class ExtendedRequest {
 public:
  // Costs one X25519 operation for an offer with the ephemeral key of its intro, two for any other; one less for a peer
  // whose agreement is kept, once the offer has proved to be that peer's. Nothing when the intro carries no offer that
  // can be read and authenticates.
  [[nodiscard]] static std::optional<ExtendedRequest> read(const HandshakeContext& context, const IntroSeen& intro);
  [[nodiscard]] const PublicKey& peer() const { return noise_.remote_static(); }
  [[nodiscard]] const wire::TransportParameters& theirs() const { return theirs_; }

  struct Answer {
    ExtendedSecrets secrets;
    std::vector<std::uint8_t> block;  // what goes behind the success ack
  };
  // Costs three more. To be called once; nothing when the peer's keys are of low order. `remote`: the peer's address.
  [[nodiscard]] std::optional<Answer> answer(Instant now, const HandshakeContext& context, const SocketAddress& remote);

 private:
  ExtendedRequest(NoiseIk noise, const wire::TransportParameters& theirs) : noise_(std::move(noise)), theirs_(theirs) {}

  NoiseIk noise_;
  wire::TransportParameters theirs_;
};

}  // namespace godwit
