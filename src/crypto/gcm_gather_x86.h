// For vectors without byte masks: parts of vectors, and a packet's plaintext as whole vectors. Included after
// gcm_batch_loops_x86.h, and compiled for the same target.
#pragma once

#if !defined(GODWIT_GCM_TARGET)
#error "define GODWIT_GCM_TARGET before including this file"
#endif

#include <immintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "crypto/gcm_batch_loops_x86.h"

namespace godwit::gcm {

// Fewer than 16 bytes, by two copies that overlap.
GODWIT_GCM_INLINE void copy_short(std::uint8_t* to, const std::uint8_t* from, std::size_t size) {
  const auto copy_twice = [&]<class T>(T) GODWIT_GCM_TARGET {
    T front;
    T back;
    std::memcpy(&front, from, sizeof front);
    std::memcpy(&back, from + size - sizeof back, sizeof back);
    std::memcpy(to, &front, sizeof front);
    std::memcpy(to + size - sizeof back, &back, sizeof back);
  };
  if (size >= 8) {
    copy_twice(std::uint64_t{});
  } else if (size >= 4) {
    copy_twice(std::uint32_t{});
  } else if (size >= 2) {
    copy_twice(std::uint16_t{});
  } else if (size == 1) {
    *to = *from;
  }
}

GODWIT_GCM_INLINE void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t size) {
  for (; size >= kBlock; size -= kBlock, to += kBlock, from += kBlock) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  copy_short(to, from, size);
}

// The first `size` bytes of a block (1 … 16), then zeros. Reads all 16.
GODWIT_GCM_INLINE __m128i load_block_part(const std::uint8_t* from, std::size_t size) {
  static constexpr std::array<std::uint8_t, 32> kOnesThenZeros = {255, 255, 255, 255, 255, 255, 255, 255,
                                                                  255, 255, 255, 255, 255, 255, 255, 255};
  const __m128i keep = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kOnesThenZeros.data() + kBlock - size));
  return _mm_and_si128(keep, _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

// Writes the first `size` bytes of a block (1 … 16) and nothing else.
GODWIT_GCM_INLINE void store_block_part(std::uint8_t* to, __m128i block, std::size_t size) {
  if (size == kBlock) return _mm_storeu_si128(reinterpret_cast<__m128i*>(to), block);
  alignas(16) std::array<std::uint8_t, kBlock> bytes;
  _mm_store_si128(reinterpret_cast<__m128i*>(bytes.data()), block);
  copy_short(to, bytes.data(), size);
}

// Vectors that lie wholly in the body are read from there. What shares a vector with head or tail is copied to its
// place in the text first, and read there.
template <class V>
class GatheredText {
 public:
  GODWIT_GCM_INLINE explicit GatheredText(const PacketToSeal& packet) : text(packet.text) {
    const std::size_t end = packet.head_size + packet.body_size;
    if (packet.body_size < 2 * V::kBytes) {
      copy_bytes(text + packet.head_size, packet.body, packet.body_size);
      return;
    }
    first_ = (packet.head_size + V::kBytes - 1) / V::kBytes;
    count_ = end / V::kBytes - first_;
    from_ = packet.body + (first_ * V::kBytes - packet.head_size);
    copy_bytes(text + packet.head_size, packet.body, first_ * V::kBytes - packet.head_size);
    const std::size_t back = end % V::kBytes;
    copy_bytes(text + end - back, packet.body + packet.body_size - back, back);
  }

  // `bytes` of the vector belong to the packet.
  [[nodiscard]] GODWIT_GCM_INLINE typename V::Vector load(std::size_t vector, std::size_t bytes) const {
    if (vector - first_ < count_) return V::load(from_ + (vector - first_) * V::kBytes);
    const std::uint8_t* const from = text + vector * V::kBytes;
    return bytes == V::kBytes ? V::load(from) : V::load_part(from, bytes);
  }

  std::uint8_t* text;

 private:
  const std::uint8_t* from_ = nullptr;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace godwit::gcm
