#include "sim/hostile_peer.h"

#include <array>

#include "base/assert.h"
#include "wire/datagram.h"

namespace godwit::sim {

std::vector<std::uint8_t> HostilePeer::seal_plaintext(ByteView plaintext) {
  std::vector<std::uint8_t> datagram(plaintext.size() + kEnvelopeOverhead);
  GODWIT_ASSERT(sealer_->seal_pieces(plaintext, {}, {}, datagram) == datagram.size());
  return datagram;
}

std::vector<std::uint8_t> HostilePeer::seal(const wire::Message& message, wire::Acks acks) {
  std::array<std::uint8_t, wire::kMaxPlaintext> plaintext;
  const bool ack = std::holds_alternative<wire::AckOk>(message);
  const std::size_t size = wire::encode(plaintext, ack ? 0 : next_id_++, acks, message);
  GODWIT_ASSERT(size > 0);
  return seal_plaintext(ByteView(plaintext).first(size));
}

std::optional<std::vector<std::uint8_t>> HostilePeer::receive(ByteView datagram, RandomSource& random) {
  if (wire::classify(datagram) != wire::DatagramClass::kSymmetric) return std::nullopt;
  if (!opener_) opener_ = std::make_unique<PacketOpener>(make_packet_cipher(preferred_cipher(), intro_->key));
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  const auto opened = opener_->open_copy(datagram, scratch);
  if (!opened) return std::nullopt;
  const auto packet = wire::decode(*opened);
  if (!packet) return std::nullopt;
  if (const auto* ack = std::get_if<wire::AckOk>(&packet->message)) {
    if (sealer_) return std::nullopt;
    sealer_ = std::make_unique<PacketSealer>(make_packet_cipher(preferred_cipher(), ack->key), random);
    return seal(wire::AckOk{.key = intro_->key, .remote_address = victim_, .version = std::nullopt});
  }
  if (const auto* ping = std::get_if<wire::Ping>(&packet->message); ping != nullptr && sealer_) {
    return seal(wire::Pong{ping->sequence});
  }
  return std::nullopt;
}

}  // namespace godwit::sim
