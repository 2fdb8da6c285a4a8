#include "crypto/packet_opener.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"

namespace godwit {
namespace {

// Nonces that stand on the stack together: as many as a batch has packets.
constexpr std::size_t kSaltedAtOnce = 64;

}  // namespace

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

void PacketOpener::open_batch(std::span<PacketToOpen> packets) {
  if (salt_.is_zero()) {
    cipher_->open_batch(packets);
  } else {
    std::array<Nonce, kSaltedAtOnce> nonces;
    std::array<const std::uint8_t*, kSaltedAtOnce> fields;
    for (std::span<PacketToOpen> left = packets; !left.empty();) {
      const std::span<PacketToOpen> some = left.first(std::min(left.size(), nonces.size()));
      for (std::size_t i = 0; i < some.size(); ++i) {
        fields[i] = some[i].nonce;
        nonces[i] = salt_.applied_to(fields[i]);
        some[i].nonce = nonces[i].bytes.data();
      }
      cipher_->open_batch(some);
      for (std::size_t i = 0; i < some.size(); ++i) some[i].nonce = fields[i];
      left = left.subspan(some.size());
    }
  }
  for (const PacketToOpen& packet : packets) opened_ += packet.authentic ? 1 : 0;
}

}  // namespace godwit
