#include "sim/hostile_peer.h"

#include <array>

#include "base/assert.h"
#include "wire/datagram.h"

namespace godwit::sim {

struct HostilePeer::Extended {
  Extended(std::uint64_t capabilities, std::uint32_t key, RandomSource& random) : keys(cached_key_pair(key)) {
    config.extended = ExtendedPolicy::kRequire;
    config.capabilities = capabilities;
    context.config = &config;
    context.self = &keys;
    context.random = &random;
    context.cipher = preferred_cipher();
  }
  HandshakeConfig config;
  KeyPair keys;
  HandshakeContext context;
  std::optional<Handshake> handshake;
};

HostilePeer::HostilePeer(const SocketAddress& own, const SocketAddress& victim, const SealedIntro& intro)
    : own_(own), victim_(victim), key_(intro.key), intro_(intro.datagram) {}

HostilePeer::HostilePeer(Instant now, const SocketAddress& own, const SocketAddress& victim,
                         const PublicKey& victims_key, std::uint64_t capabilities, std::uint32_t key,
                         RandomSource& random)
    : own_(own), victim_(victim), extended_(std::make_unique<Extended>(capabilities, key, random)) {
  auto handshake = Handshake::initiate(now, extended_->context, victim, victims_key);
  GODWIT_ASSERT(handshake.has_value());
  extended_->handshake.emplace(*std::move(handshake));
  std::array<std::uint8_t, wire::kMaxDatagram> datagram;
  const std::size_t size = extended_->handshake->poll_transmit(now, datagram);
  intro_.assign(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(size));
}

HostilePeer::~HostilePeer() = default;

HostilePeer::Bytes HostilePeer::seal_plaintext(ByteView plaintext) {
  if (session_) session_->update_keys();
  PacketSealer& sealer = session_ ? session_->sealer() : *sealer_;
  Bytes datagram(plaintext.size() + kEnvelopeOverhead);
  datagram.resize(sealer.seal_pieces(plaintext, {}, {}, datagram));  // nothing once the key is used up
  return datagram;
}

std::optional<HostilePeer::Bytes> HostilePeer::receive_extended(Instant now, ByteView datagram) {
  std::array<std::uint8_t, wire::kMaxLargeDatagram> scratch;
  Bytes copy(datagram.begin(), datagram.end());
  if (!session_) {
    if (copy.size() > wire::kMaxReceivedDatagram) return std::nullopt;
    static_cast<void>(extended_->handshake->receive(now, copy, scratch));
    if (!extended_->handshake->established()) return std::nullopt;
    session_.emplace(extended_->handshake->take_session());
    extended_->handshake.reset();
    return seal(wire::Ping{1});  // which confirms the answer
  }
  if (copy.size() < kEnvelopeOverhead) return std::nullopt;
  const auto opened = session_->open(copy, scratch);
  if (!opened) return std::nullopt;
  const auto packet = wire::decode(opened->plaintext);
  if (!packet) return std::nullopt;
  if (const auto* ping = std::get_if<wire::Ping>(&packet->message)) return seal(wire::Pong{ping->sequence});
  return std::nullopt;
}

HostilePeer::Bytes HostilePeer::seal(const wire::Message& message, wire::Acks acks) {
  std::array<std::uint8_t, wire::kMaxPlaintext> plaintext;
  const bool ack = std::holds_alternative<wire::AckOk>(message);
  const std::size_t size = wire::encode(plaintext, ack ? 0 : next_id_++, acks, message);
  GODWIT_ASSERT(size > 0);
  return seal_plaintext(ByteView(plaintext).first(size));
}

std::optional<HostilePeer::Bytes> HostilePeer::receive(Instant now, ByteView datagram, RandomSource& random) {
  if (wire::classify(datagram) != wire::DatagramClass::kSymmetric) return std::nullopt;
  if (extended_) return receive_extended(now, datagram);
  if (!opener_) opener_ = std::make_unique<PacketOpener>(make_packet_cipher(preferred_cipher(), key_));
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  const auto opened = opener_->open_copy(datagram, scratch);
  if (!opened) return std::nullopt;
  const auto packet = wire::decode(*opened);
  if (!packet) return std::nullopt;
  if (const auto* ack = std::get_if<wire::AckOk>(&packet->message)) {
    if (sealer_) return std::nullopt;
    sealer_ = std::make_unique<PacketSealer>(make_packet_cipher(preferred_cipher(), ack->key), random);
    return seal(wire::AckOk{.key = key_, .remote_address = victim_, .version = std::nullopt});
  }
  if (const auto* ping = std::get_if<wire::Ping>(&packet->message); ping != nullptr && sealer_) {
    return seal(wire::Pong{ping->sequence});
  }
  return std::nullopt;
}

}  // namespace godwit::sim
