#include "base/assert.h"
#include "crypto/packet_cipher_ipsec.h"

namespace godwit {

bool ipsec_cipher_available(CipherKind) {
  return false;
}

std::unique_ptr<PacketCipher> make_ipsec_cipher(CipherKind, const SymmetricKey&) {
  GODWIT_ASSERT(!"IPsec-MB is not part of this build");
  return nullptr;
}

std::string describe_ipsec_cipher(CipherKind) {
  return "not part of this build";
}

}  // namespace godwit
