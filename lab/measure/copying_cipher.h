// A cipher that works as pipelines do which keep a buffer for each step: every packet is copied once more than need be,
// between gathering its pieces and sealing them, and between opening it and reading it. It measures what a copy costs
// the whole transport; nothing else needs it.
#pragma once

#include <memory>

#include "crypto/packet_cipher.h"

namespace godwit {

// Packets are the same as those of `inner`.
[[nodiscard]] std::unique_ptr<PacketCipher> make_copying_cipher(std::unique_ptr<PacketCipher> inner);

}  // namespace godwit
