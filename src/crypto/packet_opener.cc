#include "crypto/packet_opener.h"

#include <utility>

#include "base/assert.h"

namespace godwit {

PacketOpener::PacketOpener(std::unique_ptr<PacketCipher> cipher, const NonceSalt& salt)
    : cipher_(std::move(cipher)), salt_(salt) {
  GODWIT_ASSERT(cipher_ != nullptr);
}

std::optional<MutableBytes> PacketOpener::open_in_place(MutableBytes datagram) {
  GODWIT_ASSERT(datagram.size() >= kEnvelopeOverhead);
  const MutableBytes sealed = datagram.subspan(kEnvelopePrefix);
  if (!cipher_->open(salt_.applied_to(datagram.data() + 1), sealed, sealed.data())) return std::nullopt;
  ++opened_;
  return sealed.first(sealed.size() - kTagSize);
}

std::optional<MutableBytes> PacketOpener::open_copy(ByteView datagram, MutableBytes scratch) {
  GODWIT_ASSERT(datagram.size() >= kEnvelopeOverhead);
  const std::size_t size = datagram.size() - kEnvelopeOverhead;
  GODWIT_ASSERT(scratch.size() >= size);
  if (!cipher_->open(salt_.applied_to(datagram.data() + 1), datagram.subspan(kEnvelopePrefix), scratch.data()))
    return std::nullopt;
  ++opened_;
  return scratch.first(size);
}

}  // namespace godwit
