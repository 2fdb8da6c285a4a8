// The fast implementation of PacketCipher on x86: Intel's IPsec-MB. packet_cipher_ipsec_x86.cc is compiled where the
// library is, packet_cipher_ipsec_absent.cc where it is not. Used by packet_cipher.cc only; every function takes one of
// the kIpsecMb kinds.
#pragma once

#include <memory>
#include <string>

#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"

namespace godwit {

// `kind` is one of the kIpsecMb kinds.
[[nodiscard]] bool ipsec_cipher_available(CipherKind kind);
// A cipher of one of these kinds, or of a kBatch kind, whose single packets are sealed and opened as by kIpsecMb.
// Requires that ipsec_cipher_available() says yes to the one or the other.
[[nodiscard]] std::unique_ptr<PacketCipher> make_ipsec_cipher(CipherKind kind, const SymmetricKey& key);
[[nodiscard]] std::string describe_ipsec_cipher(CipherKind kind);

}  // namespace godwit
