#include "crypto/packet_cipher.h"

#include "base/assert.h"
#include "crypto/packet_cipher_ipsec.h"
#include "crypto/packet_cipher_openssl.h"

namespace godwit {

bool cipher_available(CipherKind kind) {
  return kind == CipherKind::kOpenssl || ipsec_cipher_available(kind);
}

CipherKind preferred_cipher() {
  return cipher_available(CipherKind::kIpsecMb) ? CipherKind::kIpsecMb : CipherKind::kOpenssl;
}

std::unique_ptr<PacketCipher> make_packet_cipher(CipherKind kind, const SymmetricKey& key) {
  GODWIT_ASSERT(cipher_available(kind));
  return kind == CipherKind::kOpenssl ? make_openssl_cipher(key) : make_ipsec_cipher(kind, key);
}

std::string_view cipher_name(CipherKind kind) {
  switch (kind) {
    case CipherKind::kOpenssl: return "openssl";
    case CipherKind::kIpsecMb: return "ipsec-mb";
    case CipherKind::kIpsecMbSse: return "ipsec-mb-sse";
    case CipherKind::kIpsecMbAvx2: return "ipsec-mb-avx2";
    case CipherKind::kIpsecMbAvx512: return "ipsec-mb-avx512";
  }
  return "unknown";
}

std::optional<CipherKind> parse_cipher_name(std::string_view name) {
  for (const CipherKind kind : kAllCipherKinds) {
    if (name == cipher_name(kind)) return kind;
  }
  return std::nullopt;
}

std::string describe_cipher(CipherKind kind) {
  return kind == CipherKind::kOpenssl ? describe_openssl_cipher() : describe_ipsec_cipher(kind);
}

}  // namespace godwit
