#include "handshake/success_ack.h"

#include <algorithm>
#include <array>

#include "wire/limits.h"
#include "wire/message_codec.h"

namespace godwit {

SuccessAck SuccessAck::seal(const HandshakeContext& context, PacketSealer& sealer, const wire::Intro& peer,
                            const SymmetricKey& own_key, const SocketAddress& remote, ByteView extension) {
  wire::AckOk ack{.key = own_key, .remote_address = remote, .version = std::nullopt};
  if (wire::understands_v2_ack(peer.version)) ack.version = context.config->version;
  SuccessAck sealed;
  std::array<std::uint8_t, kMaxSuccessAck> plaintext;
  const std::size_t size = wire::encode(plaintext, wire::kHandshakePacketId, {}, ack);
  if (size != 0) {
    sealed.bytes.resize(size + extension.size() + wire::kDatagramOverhead);
    sealed.bytes.resize(sealer.seal_pieces(ByteView(plaintext).first(size), extension, {}, sealed.bytes));
  }
  wipe(plaintext);
  return sealed;
}

std::size_t SuccessAck::write(MutableBytes out) const {
  if (out.size() < bytes.size()) return 0;
  std::ranges::copy(bytes, out.begin());
  return bytes.size();
}

}  // namespace godwit
