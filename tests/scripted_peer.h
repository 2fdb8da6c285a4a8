// A deployed peer played by a test, one packet at a time: it holds the keys of one session with the endpoint under
// test, seals what the test wants to say and opens what it hears. It decides nothing by itself;
// tests/deployed_session.h builds the deployed peer's own behaviour on it. Shares crypto/ and wire/ with the code under
// test, and nothing of transport/.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/assert.h"
#include "base/random.h"
#include "base/time.h"
#include "crypto/intro_box.h"
#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"
#include "wire/datagram.h"
#include "wire/intro.h"
#include "wire/message_codec.h"

namespace godwit::testing {

using Bytes = std::vector<std::uint8_t>;

// A packet that was opened. The views of `packet` lie in `plaintext`.
struct Heard {
  Heard() = default;
  Heard(Heard&&) = default;
  Heard& operator=(Heard&&) = default;
  Heard(const Heard&) = delete;
  Heard& operator=(const Heard&) = delete;

  Instant at{};
  Bytes datagram;
  Bytes plaintext;
  wire::Packet packet;

  [[nodiscard]] std::uint32_t id() const { return packet.packet_id; }
  template <typename T>
  [[nodiscard]] const T* as() const {
    return std::get_if<T>(&packet.message);
  }
  template <typename T>
  [[nodiscard]] bool is() const {
    return as<T>() != nullptr;
  }
};

inline wire::VersionBytes release(std::uint16_t patch, std::uint16_t minimum = 122) {
  return wire::encode_version({0, 2, patch}, minimum);
}

class ScriptedPeer {
 public:
  explicit ScriptedPeer(const SocketAddress& remote, std::uint64_t seed = 7,
                        const wire::VersionBytes& version = wire::kAnnouncedVersion)
      : random_(seed), keys_(*KeyPair::generate(random_)), remote_(remote), version_(version) {
    begin_session();
  }

  [[nodiscard]] const PublicKey& public_key() const { return keys_.public_key(); }
  [[nodiscard]] const SymmetricKey& own_key() const { return own_key_; }
  [[nodiscard]] const wire::VersionBytes& version() const { return version_; }
  [[nodiscard]] RandomSource& random() { return random_; }
  void announce(const wire::VersionBytes& version) { version_ = version; }

  // Fresh keys: what a restarted process has.
  void begin_session() { use_own_key(SymmetricKey::generate(random_)); }
  void use_own_key(const SymmetricKey& key) {
    own_key_ = key;
    opener_ = std::make_unique<PacketOpener>(make_packet_cipher(CipherKind::kOpenssl, own_key_));
  }
  void send_with(const SymmetricKey& key) {
    sealer_ = std::make_unique<PacketSealer>(make_packet_cipher(CipherKind::kOpenssl, key), random_);
  }

  // --- Handshake ---
  // An intro with the session's own key; a fresh ephemeral key each time.
  [[nodiscard]] Bytes intro(const PublicKey& recipient, std::size_t extra = 0) {
    Bytes plaintext(wire::kIntroPlaintext + extra);
    wire::encode_intro_plaintext({.version = version_, .key = own_key_}, std::span<std::uint8_t, wire::kIntroPlaintext>(
                                                                             plaintext.data(), wire::kIntroPlaintext));
    Bytes datagram(plaintext.size() + kIntroOverhead);
    GODWIT_ASSERT(seal_intro(recipient, SecretKey::generate(random_), plaintext, datagram));
    return datagram;
  }
  // Opens an intro that was sent to this peer and sends with its key from now on.
  [[nodiscard]] std::optional<wire::Intro> take_intro(ByteView datagram) {
    if (wire::classify(datagram) != wire::DatagramClass::kIntro) return std::nullopt;
    Bytes plaintext(datagram.size());
    const auto size = open_intro(keys_, datagram, plaintext);
    if (!size) return std::nullopt;
    const auto decoded = wire::decode_intro_plaintext(ByteView(plaintext).first(*size));
    if (!decoded) return std::nullopt;
    send_with(decoded->intro.key);
    return decoded->intro;
  }
  [[nodiscard]] wire::AckOk success_ack(bool with_version) const {
    wire::AckOk ack{.key = own_key_, .remote_address = remote_, .version = std::nullopt};
    if (with_version) ack.version = version_;
    return ack;
  }

  // --- Packets ---
  [[nodiscard]] Bytes seal_plaintext(ByteView plaintext) {
    Bytes datagram(plaintext.size() + kEnvelopeOverhead);
    GODWIT_ASSERT(sealer_->seal_pieces(plaintext, {}, {}, datagram) == datagram.size());
    return datagram;
  }
  [[nodiscard]] Bytes seal(std::uint32_t id, const wire::Message& message, std::span<const std::uint32_t> acks = {}) {
    Bytes plaintext(wire::encoded_size(message) + acks.size() * wire::kAckSize);
    GODWIT_ASSERT(wire::encode(plaintext, id, acks, message) == plaintext.size());
    return seal_plaintext(plaintext);
  }
  // Nothing for what does not authenticate under the own key, or does not decode.
  [[nodiscard]] std::optional<Heard> open(Instant now, ByteView datagram) {
    if (wire::classify(datagram) != wire::DatagramClass::kSymmetric) return std::nullopt;
    Heard heard;
    heard.at = now;
    heard.datagram.assign(datagram.begin(), datagram.end());
    heard.plaintext.resize(datagram.size());
    const auto opened = opener_->open_copy(datagram, heard.plaintext);
    if (!opened) return std::nullopt;
    heard.plaintext.resize(opened->size());
    const auto packet = wire::decode(heard.plaintext);
    if (!packet) return std::nullopt;
    heard.packet = *packet;
    return heard;
  }

 private:
  DeterministicRandom random_;
  KeyPair keys_;
  SocketAddress remote_;  // the endpoint under test, as this peer sees it
  wire::VersionBytes version_;
  SymmetricKey own_key_;
  std::unique_ptr<PacketOpener> opener_;
  std::unique_ptr<PacketSealer> sealer_;
};

}  // namespace godwit::testing
