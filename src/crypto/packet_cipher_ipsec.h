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
// A cipher of any `kind` that seals and opens single packets as `single`, one of the kIpsecMb kinds, does. Requires
// ipsec_cipher_available(single).
[[nodiscard]] std::unique_ptr<PacketCipher> make_ipsec_cipher(CipherKind kind, CipherKind single,
                                                              const SymmetricKey& key);
[[nodiscard]] std::string describe_ipsec_cipher(CipherKind kind);

}  // namespace godwit
