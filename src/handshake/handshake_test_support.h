// What the tests of handshakes, sessions and admission share: one party's context with a seeded generator, and the wire
// as a scripted peer sees it (sealing, opening, intros) without any of the code under test in between. For tests only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/assert.h"
#include "base/random.h"
#include "crypto/intro_box.h"
#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"
#include "handshake/extended_handshake.h"
#include "handshake/handshake.h"
#include "wire/intro.h"
#include "wire/message_codec.h"

namespace godwit::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr Instant kStart{1000s};

inline SocketAddress address(std::string_view text) {
  const auto parsed = SocketAddress::parse(text);
  GODWIT_ASSERT(parsed.has_value());
  return *parsed;
}
inline const SocketAddress kAlice = address("192.0.2.7:31337");
inline const SocketAddress kBob = address("203.0.113.9:31337");

inline wire::VersionBytes version(std::uint16_t patch, std::uint16_t minimum = 122) {
  return wire::encode_version({0, 2, patch}, minimum);
}

// One party: its keys, settings and random numbers.
class Party {
 public:
  explicit Party(std::uint64_t seed) : random(seed), keys(*KeyPair::generate(random)) {
    // Both policies are tested; what most tests are about is the deployed peer's, which asks for no proof.
    config.require_authenticated_peer = false;
    context.config = &config;
    context.self = &keys;
    context.random = &random;
  }
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;

  DeterministicRandom random;
  KeyPair keys;
  HandshakeConfig config;
  HandshakeContext context;
};

// --- The wire as a scripted peer makes and reads it ---

inline Bytes seal_plaintext(RandomSource& random, const SymmetricKey& key, ByteView plaintext) {
  PacketSealer sealer(make_packet_cipher(CipherKind::kOpenssl, key), random);
  Bytes datagram(plaintext.size() + kEnvelopeOverhead);
  GODWIT_ASSERT(sealer.seal_pieces(plaintext, {}, {}, datagram) == datagram.size());
  return datagram;
}

inline Bytes seal_message(RandomSource& random, const SymmetricKey& key, std::uint32_t id,
                          const wire::Message& message) {
  Bytes plaintext(wire::encoded_size(message));
  GODWIT_ASSERT(wire::encode(plaintext, id, {}, message) == plaintext.size());
  return seal_plaintext(random, key, plaintext);
}

// Nothing when the datagram is no symmetric packet under `key`.
inline std::optional<Bytes> open_packet(const SymmetricKey& key, ByteView datagram) {
  if (wire::classify(datagram) != wire::DatagramClass::kSymmetric) return std::nullopt;
  PacketOpener opener(make_packet_cipher(CipherKind::kOpenssl, key));
  Bytes copy(datagram.begin(), datagram.end());
  const auto plaintext = opener.open_in_place(copy);
  if (!plaintext) return std::nullopt;
  return Bytes(plaintext->begin(), plaintext->end());
}

// The message of kind T in the datagram; nothing if it does not open or is another one. No views survive: for T
// without.
template <typename T>
std::optional<T> message_in(const SymmetricKey& key, ByteView datagram) {
  const auto plaintext = open_packet(key, datagram);
  if (!plaintext) return std::nullopt;
  const auto packet = wire::decode(*plaintext);
  if (!packet) return std::nullopt;
  const T* message = std::get_if<T>(&packet->message);
  return message ? std::optional<T>(*message) : std::nullopt;
}

inline Bytes make_intro(RandomSource& random, const PublicKey& recipient, const wire::Intro& intro,
                        std::size_t extra = 0) {
  Bytes plaintext(wire::kIntroPlaintext + extra);
  wire::encode_intro_plaintext(intro,
                               std::span<std::uint8_t, wire::kIntroPlaintext>(plaintext.data(), wire::kIntroPlaintext));
  Bytes datagram(plaintext.size() + kIntroOverhead);
  GODWIT_ASSERT(seal_intro(recipient, SecretKey::generate(random), plaintext, datagram));
  return datagram;
}

// The offer of an intro to `peer` whose ephemeral key is `ephemeral`, dialled at kBob.
inline std::optional<ExtendedOffer> make_offer(const HandshakeContext& context, const PublicKey& peer,
                                               const wire::Intro& intro, const KeyPair& ephemeral,
                                               Instant now = kStart) {
  NoiseIk::Agreement agreement{.peer = peer, .shared = {}};
  if (!ephemeral.agree(peer, agreement.shared.bytes)) return std::nullopt;
  return ExtendedOffer::make(now, context, kBob, intro, *KeyPair::from_secret(ephemeral.secret().bytes()), agreement);
}

inline IntroSeen seen(const KeyPair& recipient, ByteView datagram) {
  const auto intro = open_intro_datagram(recipient, datagram);
  GODWIT_ASSERT(intro.has_value());
  return *intro;
}

// --- Driving a handshake ---

inline std::vector<Bytes> drain(Instant now, Handshake& handshake) {
  std::vector<Bytes> datagrams;
  std::array<std::uint8_t, wire::kMaxDatagram> datagram{};
  while (const std::size_t size = handshake.poll_transmit(now, datagram)) {
    datagrams.emplace_back(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(size));
  }
  return datagrams;
}

struct Sent {
  Instant at;
  Bytes datagram;
};

// Runs the timers of a handshake that hears nothing until `until`, and returns what it sends.
inline std::vector<Sent> run_alone(Handshake& handshake, Instant now, Instant until) {
  std::vector<Sent> sent;
  for (;;) {
    for (Bytes& datagram : drain(now, handshake)) sent.push_back({now, std::move(datagram)});
    const auto next = handshake.next_timeout();
    if (!next || *next > until) return sent;
    now = *next;
    handshake.handle_timeout(now);
  }
}

inline HandshakeStep deliver(Instant now, Handshake& handshake, Bytes& datagram) {
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  return handshake.receive(now, datagram, scratch);
}
// For steps whose plaintext the test does not look at.
inline HandshakeStep::Kind deliver_copy(Instant now, Handshake& handshake, Bytes datagram) {
  return deliver(now, handshake, datagram).kind;
}

inline bool is_intro(ByteView datagram) {
  return wire::classify(datagram) == wire::DatagramClass::kIntro;
}

}  // namespace godwit::test
