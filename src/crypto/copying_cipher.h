// A cipher that works as pipelines do which keep a buffer for each step: the pieces of a packet are copied together
// before they are sealed, and what was opened is copied back to where the packet stands. It measures what one pass over
// the application's memory is worth in the whole transport; nothing else needs it.
#pragma once

#include <memory>

#include "crypto/packet_cipher.h"

namespace godwit {

// Packets are the same as those of `inner`.
[[nodiscard]] std::unique_ptr<PacketCipher> make_copying_cipher(std::unique_ptr<PacketCipher> inner);

}  // namespace godwit
