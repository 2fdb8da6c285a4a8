// gcm_batch.h with vectors of 32 bytes: AVX2 with VAES and VPCLMULQDQ, for processors without AVX-512.

#define GODWIT_GCM_TARGET __attribute__((target("avx2,vaes,vpclmulqdq,aes,pclmul,sse4.1")))

#include "crypto/gcm_batch_loops_x86.h"
#include "crypto/gcm_gather_x86.h"
#include "crypto/gcm_kernels_x86.h"

namespace godwit::gcm {
namespace {

struct Wide256 {
  using Vector = __m256i;
  using Source = GatheredText<Wide256>;
  static constexpr std::size_t kBlocks = 2;
  static constexpr std::size_t kBytes = 32;
  static constexpr std::size_t kSealed = 8;
  static constexpr std::size_t kOpened = 6;

  GODWIT_GCM_INLINE static Vector load(const std::uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  GODWIT_GCM_INLINE static void store(std::uint8_t* to, Vector vector) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), vector);
  }
  // The first `size` bytes (1 … kBytes). Reads up to the end of the block in which they end: the tag follows the text.
  GODWIT_GCM_INLINE static Vector load_part(const std::uint8_t* from, std::size_t size) {
    if (size <= kBlock) return widen(load_block_part(from, size));
    const __m128i front = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm256_set_m128i(load_block_part(from + kBlock, size - kBlock), front);
  }
  GODWIT_GCM_INLINE static void store_part(std::uint8_t* to, Vector vector, std::size_t size) {
    const __m128i front = _mm256_castsi256_si128(vector);
    if (size <= kBlock) return store_block_part(to, front, size);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), front);
    store_block_part(to + kBlock, _mm256_extracti128_si256(vector, 1), size - kBlock);
  }
  // May write what follows, up to the end of the block.
  GODWIT_GCM_INLINE static void store_part_over(std::uint8_t* to, Vector vector, std::size_t size) {
    if (size > kBlock) return store(to, vector);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(vector));
  }
  GODWIT_GCM_INLINE static Vector repeat(__m128i block) { return _mm256_broadcastsi128_si256(block); }
  GODWIT_GCM_INLINE static Vector widen(__m128i block) { return _mm256_zextsi128_si256(block); }
  GODWIT_GCM_INLINE static Vector exclusive_or(Vector left, Vector right) { return _mm256_xor_si256(left, right); }
  GODWIT_GCM_INLINE static Vector encrypt_round(Vector state, Vector key) { return _mm256_aesenc_epi128(state, key); }
  GODWIT_GCM_INLINE static Vector encrypt_last(Vector state, Vector key) {
    return _mm256_aesenclast_epi128(state, key);
  }
  template <int kHalves>
  GODWIT_GCM_INLINE static Vector multiply(Vector left, Vector right) {
    return _mm256_clmulepi64_epi128(left, right, kHalves);
  }
  GODWIT_GCM_INLINE static Vector reflect(Vector vector) {
    return _mm256_shuffle_epi8(vector, repeat(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)));
  }
  GODWIT_GCM_INLINE static Vector fold_halves(Vector vector) {
    return _mm256_xor_si256(vector, _mm256_shuffle_epi32(vector, 0x4e));
  }
  GODWIT_GCM_INLINE static __m128i add_lanes(Vector vector) {
    return _mm_xor_si128(_mm256_castsi256_si128(vector), _mm256_extracti128_si256(vector, 1));
  }
};

GODWIT_GCM_TARGET void seal(const GcmTables& tables, std::span<const PacketToSeal> packets) {
  seal_packets<Wide256>(tables, packets);
}

GODWIT_GCM_TARGET void open(const GcmTables& tables, std::span<PacketToOpen> packets) {
  open_packets<Wide256>(tables, packets);
}

}  // namespace

const GcmKernel kAvx2Kernel{.expand = expand_gcm_key, .seal = seal, .open = open};

}  // namespace godwit::gcm
