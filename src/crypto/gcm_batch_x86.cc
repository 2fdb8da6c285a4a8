// The tables of gcm_batch.h, and the choice among its kernels.

#include <immintrin.h>

#include "base/bytes.h"
#include "crypto/cpu_features_x86.h"
#include "crypto/gcm_batch.h"
#include "crypto/gcm_kernels_x86.h"

#define GODWIT_KEY_TARGET __attribute__((target("aes,pclmul,sse4.1")))

namespace godwit {
namespace gcm {
namespace {

// A step of the key schedule (FIPS 197, 5.2).
template <int kConstant>
GODWIT_KEY_TARGET __m128i next_round_key(__m128i key) {
  const __m128i word = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(key, kConstant), 0xff);
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  return _mm_xor_si128(key, word);
}

// A plain array inside: g++ drops the attributes of a vector in std::array.
struct RoundKeys {
  static constexpr std::size_t kCount = 11;
  __m128i keys[kCount];
  __m128i& operator[](std::size_t round) { return keys[round]; }
  const __m128i& operator[](std::size_t round) const { return keys[round]; }
};

GODWIT_KEY_TARGET RoundKeys expand_round_keys(__m128i key) {
  RoundKeys keys;
  keys[0] = key;
  keys[1] = next_round_key<0x01>(keys[0]);
  keys[2] = next_round_key<0x02>(keys[1]);
  keys[3] = next_round_key<0x04>(keys[2]);
  keys[4] = next_round_key<0x08>(keys[3]);
  keys[5] = next_round_key<0x10>(keys[4]);
  keys[6] = next_round_key<0x20>(keys[5]);
  keys[7] = next_round_key<0x40>(keys[6]);
  keys[8] = next_round_key<0x80>(keys[7]);
  keys[9] = next_round_key<0x1b>(keys[8]);
  keys[10] = next_round_key<0x36>(keys[9]);
  return keys;
}

GODWIT_KEY_TARGET __m128i fold_halves(__m128i value) {
  return _mm_xor_si128(value, _mm_shuffle_epi32(value, 0x4e));
}

// The product in the field, of operands that are reflected, one of them multiplied by x beforehand (Gueron).
GODWIT_KEY_TARGET __m128i multiply(__m128i left, __m128i right) {
  const __m128i polynomial = _mm_set_epi64x(static_cast<long long>(0xc200000000000000ULL), 1);
  const __m128i low = _mm_clmulepi64_si128(left, right, 0x00);
  const __m128i high = _mm_clmulepi64_si128(left, right, 0x11);
  __m128i middle = _mm_xor_si128(_mm_clmulepi64_si128(left, right, 0x01), _mm_clmulepi64_si128(left, right, 0x10));
  middle =
      _mm_xor_si128(_mm_xor_si128(middle, _mm_clmulepi64_si128(polynomial, low, 0x01)), _mm_shuffle_epi32(low, 0x4e));
  return _mm_xor_si128(_mm_xor_si128(high, _mm_clmulepi64_si128(polynomial, middle, 0x01)),
                       _mm_shuffle_epi32(middle, 0x4e));
}

GODWIT_KEY_TARGET __m128i multiply_by_x(__m128i value) {
  // The bit that leaves at the top comes back as the polynomial; a mask, so that nothing branches on it.
  const __m128i carry = _mm_srai_epi32(_mm_shuffle_epi32(value, 0xd3), 31);
  const __m128i polynomial = _mm_and_si128(carry, _mm_set_epi64x(static_cast<long long>(0xc200000000000001ULL), 1));
  return _mm_xor_si128(_mm_add_epi64(value, value), polynomial);
}

GODWIT_KEY_TARGET void store(GcmTables::Block& block, __m128i value) {
  _mm_store_si128(reinterpret_cast<__m128i*>(block.data()), value);
}

// Four chains of products at once: one alone would wait for each multiplication.
GODWIT_KEY_TARGET void fill_powers(__m128i h, GcmTables& tables) {
  constexpr std::size_t kChains = 4;
  __m128i power[kChains];
  power[0] = h;
  for (std::size_t i = 1; i < kChains; ++i) power[i] = multiply(power[i - 1], h);
  const __m128i step = power[kChains - 1];
  for (std::size_t exponent = 1; exponent <= GcmTables::kPowers; exponent += kChains) {
    for (std::size_t i = 0; i < kChains && exponent + i <= GcmTables::kPowers; ++i) {
      store(tables.powers[GcmTables::kPowers - exponent - i], power[i]);
      store(tables.folded_powers[GcmTables::kPowers - exponent - i], fold_halves(power[i]));
    }
    for (__m128i& value : power) value = multiply(value, step);
  }
  for (std::size_t i = GcmTables::kPowers; i < tables.powers.size(); ++i) {
    store(tables.powers[i], _mm_setzero_si128());
    store(tables.folded_powers[i], _mm_setzero_si128());
  }
}

GODWIT_KEY_TARGET void fill_first_rounds(const RoundKeys& keys, GcmTables& tables) {
  const __m128i without = _mm_aesenc_si128(keys[0], keys[1]);
  constexpr int kFirstCounter = 2;
  for (std::size_t i = 0; i < GcmTables::kFirstRounds; ++i) {
    const __m128i counter = _mm_slli_si128(_mm_cvtsi32_si128(kFirstCounter + static_cast<int>(i)), 15);
    const __m128i with = _mm_aesenc_si128(_mm_xor_si128(keys[0], counter), keys[1]);
    store(tables.first_rounds[i], _mm_xor_si128(with, without));
  }
}

}  // namespace

GODWIT_KEY_TARGET void expand_gcm_key(const SymmetricKey& key, GcmTables& tables) {
  const RoundKeys keys = expand_round_keys(_mm_loadu_si128(reinterpret_cast<const __m128i*>(key.bytes().data())));
  for (std::size_t round = 0; round < RoundKeys::kCount; ++round) {
    for (std::size_t at = 0; at < tables.round_keys[round].size(); at += sizeof(__m128i)) {
      _mm_store_si128(reinterpret_cast<__m128i*>(tables.round_keys[round].data() + at), keys[round]);
    }
  }
  __m128i h = keys[0];  // AES of a block of zeros
  for (std::size_t round = 1; round + 1 < RoundKeys::kCount; ++round) h = _mm_aesenc_si128(h, keys[round]);
  h = _mm_aesenclast_si128(h, keys[RoundKeys::kCount - 1]);
  h = _mm_shuffle_epi8(h, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  fill_powers(multiply_by_x(h), tables);
  fill_first_rounds(keys, tables);
}

}  // namespace gcm

GcmTables::~GcmTables() {
  wipe({reinterpret_cast<std::uint8_t*>(this), sizeof *this});
}

const GcmKernel* gcm_kernel(CipherKind kind) {
  static const CpuFeatures features = features_of(read_cpu_registers());
  switch (kind) {
    case CipherKind::kBatchAvx512: return features.vaes_avx512 ? &gcm::kAvx512Kernel : nullptr;
    case CipherKind::kBatchAvx2: return features.vaes_avx2 ? &gcm::kAvx2Kernel : nullptr;
    case CipherKind::kBatchAesni: return features.aesni ? &gcm::kAesniKernel : nullptr;
    default: return nullptr;
  }
}

}  // namespace godwit
