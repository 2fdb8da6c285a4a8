#include "crypto/packet_cipher.h"

#include "base/assert.h"
#include "crypto/batch_key.h"
#include "crypto/gcm_batch.h"
#include "crypto/packet_cipher_ipsec.h"
#include "crypto/packet_cipher_openssl.h"

namespace godwit {

namespace {

bool is_batch_kind(CipherKind kind) {
  return kind == CipherKind::kBatchAvx512 || kind == CipherKind::kBatchAvx2 || kind == CipherKind::kBatchAesni;
}

// The implementation that seals and opens single packets for `kind`.
CipherKind single_kind(CipherKind kind) {
  return is_batch_kind(kind) ? packaged_cipher() : kind;
}

}  // namespace

BatchKey PacketCipher::share_batch_key(std::size_t /*packets*/, std::size_t /*longest_text*/) {
  return {};
}

bool cipher_available(CipherKind kind) {
  if (is_batch_kind(kind)) return gcm_kernel(kind) != nullptr;
  return kind == CipherKind::kOpenssl || ipsec_cipher_available(kind);
}

CipherKind packaged_cipher() {
  return ipsec_cipher_available(CipherKind::kIpsecMb) ? CipherKind::kIpsecMb : CipherKind::kOpenssl;
}

CipherKind preferred_cipher() {
  for (const CipherKind kind : {CipherKind::kBatchAvx512, CipherKind::kBatchAvx2}) {
    if (cipher_available(kind)) return kind;
  }
  return packaged_cipher();
}

std::unique_ptr<PacketCipher> make_packet_cipher(CipherKind kind, const SymmetricKey& key) {
  GODWIT_ASSERT(cipher_available(kind));
  return single_kind(kind) == CipherKind::kOpenssl ? make_openssl_cipher(kind, key) : make_ipsec_cipher(kind, key);
}

std::string_view cipher_name(CipherKind kind) {
  switch (kind) {
    case CipherKind::kOpenssl: return "openssl";
    case CipherKind::kIpsecMb: return "ipsec-mb";
    case CipherKind::kIpsecMbSse: return "ipsec-mb-sse";
    case CipherKind::kIpsecMbAvx2: return "ipsec-mb-avx2";
    case CipherKind::kIpsecMbAvx512: return "ipsec-mb-avx512";
    case CipherKind::kBatchAvx512: return "batch-avx512";
    case CipherKind::kBatchAvx2: return "batch-avx2";
    case CipherKind::kBatchAesni: return "batch-aesni";
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
  const CipherKind single = single_kind(kind);
  std::string description = single == CipherKind::kOpenssl ? describe_openssl_cipher() : describe_ipsec_cipher(single);
  if (!is_batch_kind(kind)) return description;
  if (!cipher_available(kind)) return "batches: needs instructions that this processor lacks";
  return "batches: own code; single packets: " + description;
}

}  // namespace godwit
