#include "crypto/keyed_cipher.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/assert.h"
#include "crypto/piece_gathering.h"

namespace godwit {
namespace {

// Filling the tables takes as long as sealing four full packets, and a batch saves at least a third of each. Once they
// are there, they serve a batch of any size.
constexpr std::size_t kWorthExpanding = 8;

Nonce nonce_at(const std::uint8_t* bytes) {
  Nonce nonce;
  std::memcpy(nonce.bytes.data(), bytes, kNonceSize);
  return nonce;
}

template <class Packet>
bool all_fit(std::span<Packet> packets) {
  return std::ranges::all_of(packets, [](const Packet& packet) { return packet.size <= GcmTables::kMaxText; });
}

}  // namespace

void KeyedCipher::seal_pieces(const Nonce& nonce, ByteView head, ByteView body, ByteView tail, std::uint8_t* out) {
  seal(nonce, gather_pieces(head, body, tail, out), out);
}

bool KeyedCipher::open(const Nonce& nonce, ByteView ciphertext_and_tag, std::uint8_t* out) {
  GODWIT_ASSERT(ciphertext_and_tag.size() >= kTagSize);
  if (decrypt(nonce, ciphertext_and_tag, out)) return true;
  wipe({out, ciphertext_and_tag.size() - kTagSize});
  return false;
}

const GcmKernel* KeyedCipher::kernel_for(std::size_t packets) const {
  return tables_ != nullptr || packets >= kWorthExpanding ? gcm_kernel(kind_) : nullptr;
}

const std::shared_ptr<const GcmTables>& KeyedCipher::tables(const GcmKernel& kernel) {
  if (tables_ == nullptr) {
    auto filled = std::make_shared<GcmTables>();
    kernel.expand(key_, *filled);
    tables_ = std::move(filled);
  }
  return tables_;
}

void KeyedCipher::seal_batch(std::span<const PacketToSeal> packets) {
  if (const GcmKernel* const kernel = kernel_for(packets.size()); kernel != nullptr && all_fit(packets)) {
    for (; !packets.empty(); packets = packets.subspan(std::min(packets.size(), GcmKernel::kMaxPackets))) {
      kernel->seal(*tables(*kernel), packets.first(std::min(packets.size(), GcmKernel::kMaxPackets)));
    }
    return;
  }
  for (const PacketToSeal& packet : packets) {
    if (packet.body_size > 0) gather_body({packet.body, packet.body_size}, packet.text + packet.head_size);
    seal(nonce_at(packet.nonce), {packet.text, packet.size}, packet.text);
  }
}

void KeyedCipher::open_batch(std::span<PacketToOpen> packets) {
  if (const GcmKernel* const kernel = kernel_for(packets.size()); kernel != nullptr && all_fit(packets)) {
    for (std::span<PacketToOpen> left = packets; !left.empty();
         left = left.subspan(std::min(left.size(), GcmKernel::kMaxPackets))) {
      kernel->open(*tables(*kernel), left.first(std::min(left.size(), GcmKernel::kMaxPackets)));
    }
    for (const PacketToOpen& packet : packets) {
      if (!packet.authentic) wipe({packet.out, packet.size});
    }
    return;
  }
  for (PacketToOpen& packet : packets) {
    packet.authentic = open(nonce_at(packet.nonce), {packet.sealed, packet.size + kTagSize}, packet.out);
  }
}

BatchKey KeyedCipher::share_batch_key(std::size_t packets, std::size_t longest_text) {
  if (packets > GcmKernel::kMaxPackets || longest_text > GcmTables::kMaxText) return {};
  const GcmKernel* const kernel = kernel_for(packets);
  if (kernel == nullptr) return {};
  return {*kernel, tables(*kernel)};
}

void KeyedCipher::release_key_schedule() {
  tables_.reset();
  rest_single();
}

}  // namespace godwit
