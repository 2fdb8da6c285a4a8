#include "crypto/packet_opener.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace godwit {
namespace {

Nonce nonce_of(ByteView datagram) noexcept {
  Nonce nonce;
  std::copy_n(datagram.begin() + 1, kNonceSize, nonce.bytes.begin());
  return nonce;
}

}  // namespace

PacketOpener::PacketOpener(std::unique_ptr<PacketCipher> cipher) : cipher_(std::move(cipher)) {
  GODWIT_ASSERT(cipher_ != nullptr);
}

std::optional<MutableBytes> PacketOpener::open_in_place(MutableBytes datagram) {
  GODWIT_ASSERT(datagram.size() >= kEnvelopeOverhead);
  const MutableBytes sealed = datagram.subspan(kEnvelopePrefix);
  if (!cipher_->open(nonce_of(datagram), sealed, sealed.data())) return std::nullopt;
  ++opened_;
  return sealed.first(sealed.size() - kTagSize);
}

std::optional<MutableBytes> PacketOpener::open_copy(ByteView datagram, MutableBytes scratch) {
  GODWIT_ASSERT(datagram.size() >= kEnvelopeOverhead);
  const std::size_t size = datagram.size() - kEnvelopeOverhead;
  GODWIT_ASSERT(scratch.size() >= size);
  if (!cipher_->open(nonce_of(datagram), datagram.subspan(kEnvelopePrefix), scratch.data())) return std::nullopt;
  ++opened_;
  return scratch.first(size);
}

}  // namespace godwit
