// The portable implementation of PacketCipher: OpenSSL's EVP interface. Used by packet_cipher.cc only.
#pragma once

#include <memory>
#include <string>

#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"

namespace godwit {

// A cipher of any `kind` that seals and opens single packets by OpenSSL.
[[nodiscard]] std::unique_ptr<PacketCipher> make_openssl_cipher(CipherKind kind, const SymmetricKey& key);
[[nodiscard]] std::string describe_openssl_cipher();

}  // namespace godwit
