#include "handshake/intro_seen.h"

#include <algorithm>

#include "base/assert.h"
#include "crypto/intro_box.h"
#include "wire/limits.h"

namespace godwit {

IntroFingerprint IntroFingerprint::of(ByteView datagram) {
  GODWIT_ASSERT(datagram.size() >= wire::kIntroDatagram);
  IntroFingerprint fingerprint;
  std::ranges::copy(datagram.subspan(1, kPublicKeySize), fingerprint.ephemeral.begin());
  std::ranges::copy(datagram.last(kTagSize), fingerprint.tag.begin());
  return fingerprint;
}

std::optional<IntroSeen> open_intro_datagram(const KeyPair& self, ByteView datagram) {
  if (datagram.size() < wire::kIntroDatagram || datagram.size() > wire::kMaxReceivedDatagram) return std::nullopt;
  std::array<std::uint8_t, wire::kMaxReceivedDatagram - wire::kIntroOverhead> plaintext;
  Secret agreement;
  const std::optional<std::size_t> size = open_intro(self, datagram, plaintext, &agreement);
  if (!size) return std::nullopt;
  const std::optional<wire::DecodedIntro> decoded = wire::decode_intro_plaintext(ByteView(plaintext).first(*size));
  std::optional<IntroSeen> seen;
  if (decoded) {
    const wire::ExtensionSeen extension = wire::read_extension(decoded->trailing);
    seen = IntroSeen{.intro = decoded->intro,
                     .fingerprint = IntroFingerprint::of(datagram),
                     .datagram_bytes = datagram.size(),
                     .block = extension.block,
                     .extension = {extension.message.begin(), extension.message.end()},
                     .cookie = extension.cookie};
    if (seen->block == wire::ExtensionBlock::kPresent) seen->agreement = agreement;
  }
  wipe(MutableBytes(plaintext).first(*size));
  return seen;
}

}  // namespace godwit
