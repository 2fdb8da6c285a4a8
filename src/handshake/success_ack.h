// The sealed success ack of a handshake: made once, repeated byte for byte, because another nonce would announce
// another session (wire spec 5.8, conformance item 35). Shared by the two roles of Handshake.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "crypto/keypair.h"
#include "crypto/packet_sealer.h"
#include "handshake/handshake_step.h"
#include "wire/intro.h"

namespace godwit {

struct SuccessAck {
  std::vector<std::uint8_t> bytes;  // empty: the key is used up

  // The first success ack of a handshake, under the key of the peer's intro: V2 with our version for a peer that
  // understands it, else legacy (wire spec 3.4). `own_key` is what the peer is to send with. `extension` goes behind
  // it: a block of at most wire::kMaxExtensionBlock bytes, or nothing.
  [[nodiscard]] static SuccessAck seal(const HandshakeContext& context, PacketSealer& sealer, const wire::Intro& peer,
                                       const SymmetricKey& own_key, const SocketAddress& remote,
                                       ByteView extension = {});
  [[nodiscard]] std::size_t size() const { return bytes.size(); }
  // Copies it to `out`; 0 when that is too small.
  [[nodiscard]] std::size_t write(MutableBytes out) const;
};

}  // namespace godwit
