// The loops of gcm_batch.h for one width of vectors. Included by one source for each width, which defines
// GODWIT_GCM_TARGET, the attribute that lets a function use the instructions of that width: every function here is
// compiled with it, and no other code of the program is.
//
// V is the width: V::Vector, a register of V::kBlocks blocks of 16 bytes, and the operations on it. "Reflected" means
// with the bytes of each block reversed, the order in which GHASH multiplies.
#pragma once

#if !defined(GODWIT_GCM_TARGET)
#error "define GODWIT_GCM_TARGET before including this file"
#endif

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "crypto/gcm_batch.h"

#define GODWIT_GCM_INLINE __attribute__((always_inline)) GODWIT_GCM_TARGET inline
#if defined(__clang__)
#define GODWIT_GCM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define GODWIT_GCM_UNROLL _Pragma("GCC unroll 16")
#endif

namespace godwit::gcm {

constexpr std::size_t kBlock = 16;
constexpr std::size_t kRounds = 10;
// Packets whose bodies are requested into the cache before their turn.
constexpr std::size_t kPacketsAhead = 2;
constexpr std::size_t kLine = 64;

// An unreduced sum of products, in three parts (Karatsuba).
template <class V>
struct Sum {
  typename V::Vector low, middle, high;
};

// The text of a packet as the loops see it: vectors 0 to count - 1, the last of which has `rest` bytes.
template <class V>
struct Shape {
  std::size_t count;
  std::size_t rest;    // 1 … V::kBytes; 0 when there is no text
  std::size_t powers;  // offset of the first block's power in the tables
};

template <class V>
GODWIT_GCM_INLINE Shape<V> shape_of(std::size_t size) {
  const std::size_t count = (size + V::kBytes - 1) / V::kBytes;
  return {.count = count,
          .rest = size - (count == 0 ? 0 : (count - 1) * V::kBytes),
          .powers = (GcmTables::kPowers - 1 - (size + kBlock - 1) / kBlock) * kBlock};
}

template <class V>
GODWIT_GCM_INLINE typename V::Vector round_key(const GcmTables& tables, std::size_t round) {
  return V::load(tables.round_keys[round].data());
}

// Adds the products of one vector of ciphertext, whose first power is `offset` bytes into the tables.
template <class V>
GODWIT_GCM_INLINE void multiply_add(Sum<V>& sum, typename V::Vector ciphertext, const GcmTables& tables,
                                    std::size_t offset) {
  const typename V::Vector x = V::reflect(ciphertext);
  const typename V::Vector h = V::load(tables.powers.data()->data() + offset);
  sum.low = V::exclusive_or(sum.low, V::template multiply<0x00>(x, h));
  sum.high = V::exclusive_or(sum.high, V::template multiply<0x11>(x, h));
  sum.middle = V::exclusive_or(
      sum.middle, V::template multiply<0x00>(V::fold_halves(x), V::load(tables.folded_powers.data()->data() + offset)));
}

// The sum of all lanes modulo the polynomial: two multiplications by its low half (Gueron).
template <class V>
GODWIT_GCM_INLINE __m128i reduce(const Sum<V>& sum) {
  const __m128i low = V::add_lanes(sum.low);
  const __m128i high = V::add_lanes(sum.high);
  __m128i middle = _mm_xor_si128(V::add_lanes(sum.middle), _mm_xor_si128(low, high));
  const __m128i polynomial = _mm_set_epi64x(static_cast<long long>(0xc200000000000000ULL), 1);
  middle =
      _mm_xor_si128(_mm_xor_si128(middle, _mm_clmulepi64_si128(polynomial, low, 0x01)), _mm_shuffle_epi32(low, 0x4e));
  return _mm_xor_si128(_mm_xor_si128(high, _mm_clmulepi64_si128(polynomial, middle, 0x01)),
                       _mm_shuffle_epi32(middle, 0x4e));
}

GODWIT_GCM_INLINE __m128i reflect_block(__m128i block) {
  return _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

// Every sum begins with the product of the block of lengths and H. Without associated data that block, reflected, is
// the number of bits in the low half and zero in the high one.
class LengthProduct {
 public:
  GODWIT_GCM_INLINE explicit LengthProduct(const GcmTables& tables) : tables_(tables) {}

  template <class V>
  GODWIT_GCM_INLINE Sum<V> begin(std::size_t size) {
    if (size != size_) {
      size_ = size;
      constexpr std::size_t kFirstPower = GcmTables::kPowers - 1;
      const __m128i bits = _mm_set_epi64x(0, static_cast<long long>(size * 8));
      low_ = _mm_clmulepi64_si128(bits, load(tables_.powers[kFirstPower]), 0x00);
      middle_ = _mm_clmulepi64_si128(bits, load(tables_.folded_powers[kFirstPower]), 0x00);
    }
    return {.low = V::widen(low_), .middle = V::widen(middle_), .high = V::widen(_mm_setzero_si128())};
  }

 private:
  GODWIT_GCM_INLINE static __m128i load(const GcmTables::Block& block) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(block.data()));
  }

  const GcmTables& tables_;
  std::size_t size_ = ~std::size_t{0};
  __m128i low_ = _mm_setzero_si128();
  __m128i middle_ = _mm_setzero_si128();
};

// What each packet of a batch begins with: its state after the first round for the counter 0, and AES(J0), which masks
// the tag. Wiped at the end: with the mask of a tag another one could be made.
struct alignas(64) Beginnings {
  std::array<GcmTables::Block, GcmKernel::kMaxPackets> states;
  std::array<GcmTables::Block, GcmKernel::kMaxPackets> masks;
};

template <class V, class Packet>
GODWIT_GCM_INLINE void begin_batch(const GcmTables& tables, std::span<Packet> packets, Beginnings& to) {
  // All nonces first: a vector is not loaded before the narrower stores to it have left the pipeline.
  const std::size_t count = (packets.size() + V::kBlocks - 1) / V::kBlocks * V::kBlocks;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint8_t* const block = to.states[i].data();
    const std::uint8_t* const nonce = packets[std::min(i, packets.size() - 1)].nonce;
    std::uint64_t front = 0;
    std::uint32_t back = 0;
    std::memcpy(&front, nonce, sizeof front);
    std::memcpy(&back, nonce + sizeof front, sizeof back);
    const std::uint64_t second = back;
    std::memcpy(block, &front, sizeof front);
    std::memcpy(block + sizeof front, &second, sizeof second);
  }
  const typename V::Vector one = V::repeat(_mm_set_epi32(0x01000000, 0, 0, 0));  // the counter of J0
  for (std::size_t i = 0; i < count; i += V::kBlocks) {
    const typename V::Vector first = V::exclusive_or(V::load(to.states[i].data()), round_key<V>(tables, 0));
    V::store(to.states[i].data(), V::encrypt_round(first, round_key<V>(tables, 1)));
    typename V::Vector state = V::exclusive_or(first, one);
    GODWIT_GCM_UNROLL
    for (std::size_t round = 1; round < kRounds; ++round) state = V::encrypt_round(state, round_key<V>(tables, round));
    V::store(to.masks[i].data(), V::encrypt_last(state, round_key<V>(tables, kRounds)));
  }
}

template <class V>
GODWIT_GCM_INLINE void wipe_beginnings(Beginnings& beginnings, std::size_t packets) {
  const std::size_t count = (packets + V::kBlocks - 1) / V::kBlocks * V::kBlocks;
  for (std::size_t i = 0; i < count; i += V::kBlocks) {
    V::store(beginnings.states[i].data(), V::repeat(_mm_setzero_si128()));
    V::store(beginnings.masks[i].data(), V::repeat(_mm_setzero_si128()));
  }
  asm volatile("" : : "r"(&beginnings) : "memory");
}

GODWIT_GCM_INLINE __m128i mask_of(const Beginnings& beginnings, std::size_t packet) {
  return _mm_load_si128(reinterpret_cast<const __m128i*>(beginnings.masks[packet].data()));
}

template <class V>
GODWIT_GCM_INLINE typename V::Vector state_of(const Beginnings& beginnings, std::size_t packet) {
  return V::repeat(_mm_load_si128(reinterpret_cast<const __m128i*>(beginnings.states[packet].data())));
}

// --- Sealing ---

// The previous packet, whose ciphertext is hashed while the next one is encrypted.
template <class V>
struct Hashing {
  const std::uint8_t* text;
  Sum<V> sum;
};

template <class V>
GODWIT_GCM_INLINE typename V::Vector ciphertext_of(const std::uint8_t* text, const Shape<V>& shape, std::size_t vector,
                                                   bool last) {
  return last ? V::load_part(text + vector * V::kBytes, shape.rest) : V::load(text + vector * V::kBytes);
}

// Encrypts kCount vectors from `first` on; with kHash it hashes the same vectors of the previous packet between the
// rounds. kEnds: the last of them is the last of the packet, and may be shorter.
template <class V, std::size_t kCount, bool kHash, bool kEnds>
GODWIT_GCM_INLINE void seal_vectors(const GcmTables& tables, typename V::Vector start, const typename V::Source& source,
                                    const Shape<V>& shape, std::size_t first, Hashing<V>& previous) {
  static_assert(kCount <= kRounds - 2, "one vector is hashed in each round");
  typename V::Vector state[kCount];  // g++ drops the attributes of a vector in std::array
  GODWIT_GCM_UNROLL
  for (std::size_t i = 0; i < kCount; ++i) {
    state[i] = V::exclusive_or(start, V::load(tables.first_rounds[V::kBlocks * (first + i)].data()));
  }
  GODWIT_GCM_UNROLL
  for (std::size_t round = 2; round < kRounds; ++round) {
    const typename V::Vector key = round_key<V>(tables, round);
    GODWIT_GCM_UNROLL
    for (std::size_t i = 0; i < kCount; ++i) state[i] = V::encrypt_round(state[i], key);
    if (const std::size_t i = round - 2; kHash && i < kCount) {
      multiply_add<V>(previous.sum, ciphertext_of<V>(previous.text, shape, first + i, kEnds && i + 1 == kCount), tables,
                      shape.powers + (first + i) * V::kBytes);
    }
  }
  const typename V::Vector key = round_key<V>(tables, kRounds);
  GODWIT_GCM_UNROLL
  for (std::size_t i = 0; i < kCount; ++i) {
    const bool last = kEnds && i + 1 == kCount;
    std::uint8_t* const to = source.text + (first + i) * V::kBytes;
    const typename V::Vector plaintext = source.load(first + i, last ? shape.rest : V::kBytes);
    const typename V::Vector ciphertext = V::encrypt_last(state[i], V::exclusive_or(plaintext, key));
    if (last) {
      V::store_part_over(to, ciphertext, shape.rest);
    } else {
      V::store(to, ciphertext);
    }
  }
}

// Groups of V::kSealed vectors, and a shorter one at the end.
template <class V, bool kHash>
GODWIT_GCM_INLINE void seal_text(const GcmTables& tables, typename V::Vector start, const typename V::Source& source,
                                 const Shape<V>& shape, Hashing<V>& previous) {
  std::size_t at = 0;
  for (; shape.count - at > V::kSealed; at += V::kSealed) {
    seal_vectors<V, V::kSealed, kHash, false>(tables, start, source, shape, at, previous);
  }
  static_assert(V::kSealed <= 8);
  switch (shape.count - at) {
    case 1: return seal_vectors<V, 1, kHash, true>(tables, start, source, shape, at, previous);
    case 2: return seal_vectors<V, 2, kHash, true>(tables, start, source, shape, at, previous);
    case 3: return seal_vectors<V, 3, kHash, true>(tables, start, source, shape, at, previous);
    case 4: return seal_vectors<V, 4, kHash, true>(tables, start, source, shape, at, previous);
    case 5: return seal_vectors<V, 5, kHash, true>(tables, start, source, shape, at, previous);
    case 6: return seal_vectors<V, 6, kHash, true>(tables, start, source, shape, at, previous);
    case 7: return seal_vectors<V, 7, kHash, true>(tables, start, source, shape, at, previous);
    case 8: return seal_vectors<V, 8, kHash, true>(tables, start, source, shape, at, previous);
    default: return;  // no text
  }
}

template <class V>
GODWIT_GCM_INLINE void hash_text(const GcmTables& tables, const Shape<V>& shape, Hashing<V>& hashing) {
  for (std::size_t i = 0; i < shape.count; ++i) {
    multiply_add<V>(hashing.sum, ciphertext_of<V>(hashing.text, shape, i, i + 1 == shape.count), tables,
                    shape.powers + i * V::kBytes);
  }
}

GODWIT_GCM_INLINE void request_body(std::span<const PacketToSeal> packets, std::size_t index) {
  if (index >= packets.size()) return;
  const PacketToSeal& packet = packets[index];
  for (std::size_t at = 0; at < packet.body_size; at += kLine) {
    _mm_prefetch(reinterpret_cast<const char*>(packet.body + at), _MM_HINT_T0);
  }
}

template <class V>
GODWIT_GCM_TARGET void seal_packets(const GcmTables& tables, std::span<const PacketToSeal> packets) {
  if (packets.empty()) return;
  Beginnings beginnings;
  begin_batch<V>(tables, packets, beginnings);
  LengthProduct lengths(tables);
  Hashing<V> previous{.text = nullptr, .sum = {}};
  for (std::size_t i = 0; i <= packets.size(); ++i) {
    const PacketToSeal* const before = i > 0 ? &packets[i - 1] : nullptr;
    const PacketToSeal* const packet = i < packets.size() ? &packets[i] : nullptr;
    if (before != nullptr) previous = {.text = before->text, .sum = lengths.begin<V>(before->size)};
    const bool alike = before != nullptr && packet != nullptr && before->size == packet->size;
    if (packet != nullptr) {
      request_body(packets, i + kPacketsAhead);
      const typename V::Source source(*packet);
      const Shape<V> shape = shape_of<V>(packet->size);
      if (alike) {
        seal_text<V, true>(tables, state_of<V>(beginnings, i), source, shape, previous);
      } else {
        seal_text<V, false>(tables, state_of<V>(beginnings, i), source, shape, previous);
      }
    }
    if (before != nullptr) {
      if (!alike) hash_text<V>(tables, shape_of<V>(before->size), previous);
      const __m128i tag = _mm_xor_si128(reflect_block(reduce<V>(previous.sum)), mask_of(beginnings, i - 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(before->text + before->size), tag);
    }
  }
  wipe_beginnings<V>(beginnings, packets.size());
}

// --- Opening ---

// Hashes and decrypts kCount vectors from `first` on. kEnds as above.
template <class V, std::size_t kCount, bool kEnds>
GODWIT_GCM_INLINE void open_vectors(const GcmTables& tables, typename V::Vector start, const PacketToOpen& packet,
                                    const Shape<V>& shape, std::size_t first, Sum<V>& sum) {
  static_assert(kCount <= kRounds - 2, "one vector is hashed in each round");
  typename V::Vector state[kCount];  // g++ drops the attributes of a vector in std::array
  typename V::Vector ciphertext[kCount];
  GODWIT_GCM_UNROLL
  for (std::size_t i = 0; i < kCount; ++i) {
    state[i] = V::exclusive_or(start, V::load(tables.first_rounds[V::kBlocks * (first + i)].data()));
    ciphertext[i] = ciphertext_of<V>(packet.sealed, shape, first + i, kEnds && i + 1 == kCount);
  }
  GODWIT_GCM_UNROLL
  for (std::size_t round = 2; round < kRounds; ++round) {
    const typename V::Vector key = round_key<V>(tables, round);
    GODWIT_GCM_UNROLL
    for (std::size_t i = 0; i < kCount; ++i) state[i] = V::encrypt_round(state[i], key);
    if (const std::size_t i = round - 2; i < kCount) {
      multiply_add<V>(sum, ciphertext[i], tables, shape.powers + (first + i) * V::kBytes);
    }
  }
  const typename V::Vector key = round_key<V>(tables, kRounds);
  GODWIT_GCM_UNROLL
  for (std::size_t i = 0; i < kCount; ++i) {
    std::uint8_t* const to = packet.out + (first + i) * V::kBytes;
    const typename V::Vector plaintext = V::encrypt_last(state[i], V::exclusive_or(ciphertext[i], key));
    if (kEnds && i + 1 == kCount) {
      V::store_part(to, plaintext, shape.rest);
    } else {
      V::store(to, plaintext);
    }
  }
}

template <class V>
GODWIT_GCM_INLINE void open_text(const GcmTables& tables, typename V::Vector start, const PacketToOpen& packet,
                                 const Shape<V>& shape, Sum<V>& sum) {
  std::size_t at = 0;
  for (; shape.count - at > V::kOpened; at += V::kOpened) {
    open_vectors<V, V::kOpened, false>(tables, start, packet, shape, at, sum);
  }
  static_assert(V::kOpened <= 8);
  switch (shape.count - at) {
    case 1: return open_vectors<V, 1, true>(tables, start, packet, shape, at, sum);
    case 2: return open_vectors<V, 2, true>(tables, start, packet, shape, at, sum);
    case 3: return open_vectors<V, 3, true>(tables, start, packet, shape, at, sum);
    case 4: return open_vectors<V, 4, true>(tables, start, packet, shape, at, sum);
    case 5: return open_vectors<V, 5, true>(tables, start, packet, shape, at, sum);
    case 6: return open_vectors<V, 6, true>(tables, start, packet, shape, at, sum);
    case 7: return open_vectors<V, 7, true>(tables, start, packet, shape, at, sum);
    case 8: return open_vectors<V, 8, true>(tables, start, packet, shape, at, sum);
    default: return;  // no text
  }
}

template <class V>
GODWIT_GCM_TARGET void open_packets(const GcmTables& tables, std::span<PacketToOpen> packets) {
  if (packets.empty()) return;
  Beginnings beginnings;
  begin_batch<V>(tables, packets, beginnings);
  LengthProduct lengths(tables);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    PacketToOpen& packet = packets[i];
    // Opening in place may overwrite what follows the text.
    const __m128i received = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packet.sealed + packet.size));
    Sum<V> sum = lengths.begin<V>(packet.size);
    open_text<V>(tables, state_of<V>(beginnings, i), packet, shape_of<V>(packet.size), sum);
    const __m128i tag = _mm_xor_si128(reflect_block(reduce<V>(sum)), mask_of(beginnings, i));
    const __m128i difference = _mm_xor_si128(tag, received);
    packet.authentic = _mm_testz_si128(difference, difference) != 0;
  }
  wipe_beginnings<V>(beginnings, packets.size());
}

}  // namespace godwit::gcm
