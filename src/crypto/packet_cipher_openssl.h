// The portable implementation of PacketCipher: OpenSSL's EVP interface. Used by packet_cipher.cc only.
#pragma once

#include <memory>
#include <string>

#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"

namespace godwit {

[[nodiscard]] std::unique_ptr<PacketCipher> make_openssl_cipher(const SymmetricKey& key);
[[nodiscard]] std::string describe_openssl_cipher();

}  // namespace godwit
