// gcm_batch.h with vectors of 16 bytes: AES-NI and PCLMULQDQ, which every x86 processor of the last ten years has. It
// is the instantiation that valgrind can execute (tests/constant_time.cc).

#define GODWIT_GCM_TARGET __attribute__((target("aes,pclmul,sse4.1")))

#include "crypto/gcm_batch_loops_x86.h"
#include "crypto/gcm_gather_x86.h"
#include "crypto/gcm_kernels_x86.h"

namespace godwit::gcm {
namespace {

struct Wide128 {
  using Vector = __m128i;
  using Source = GatheredText<Wide128>;
  static constexpr std::size_t kBlocks = 1;
  static constexpr std::size_t kBytes = 16;
  static constexpr std::size_t kSealed = 8;
  static constexpr std::size_t kOpened = 6;

  GODWIT_GCM_INLINE static Vector load(const std::uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  GODWIT_GCM_INLINE static void store(std::uint8_t* to, Vector vector) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), vector);
  }
  // The first `size` bytes (1 … kBytes). Reads the whole block: the tag follows the text.
  GODWIT_GCM_INLINE static Vector load_part(const std::uint8_t* from, std::size_t size) {
    return load_block_part(from, size);
  }
  GODWIT_GCM_INLINE static void store_part(std::uint8_t* to, Vector vector, std::size_t size) {
    store_block_part(to, vector, size);
  }
  // May write what follows, up to the end of the block.
  GODWIT_GCM_INLINE static void store_part_over(std::uint8_t* to, Vector vector, std::size_t) { store(to, vector); }
  GODWIT_GCM_INLINE static Vector repeat(__m128i block) { return block; }
  GODWIT_GCM_INLINE static Vector widen(__m128i block) { return block; }
  GODWIT_GCM_INLINE static Vector exclusive_or(Vector left, Vector right) { return _mm_xor_si128(left, right); }
  GODWIT_GCM_INLINE static Vector encrypt_round(Vector state, Vector key) { return _mm_aesenc_si128(state, key); }
  GODWIT_GCM_INLINE static Vector encrypt_last(Vector state, Vector key) { return _mm_aesenclast_si128(state, key); }
  template <int kHalves>
  GODWIT_GCM_INLINE static Vector multiply(Vector left, Vector right) {
    return _mm_clmulepi64_si128(left, right, kHalves);
  }
  GODWIT_GCM_INLINE static Vector reflect(Vector vector) { return reflect_block(vector); }
  GODWIT_GCM_INLINE static Vector fold_halves(Vector vector) {
    return _mm_xor_si128(vector, _mm_shuffle_epi32(vector, 0x4e));
  }
  GODWIT_GCM_INLINE static __m128i add_lanes(Vector vector) { return vector; }
};

GODWIT_GCM_TARGET void seal(const GcmTables& tables, std::span<const PacketToSeal> packets) {
  seal_packets<Wide128>(tables, packets);
}

GODWIT_GCM_TARGET void open(const GcmTables& tables, std::span<PacketToOpen> packets) {
  open_packets<Wide128>(tables, packets);
}

}  // namespace

const GcmKernel kAesniKernel{.expand = expand_gcm_key, .seal = seal, .open = open};

}  // namespace godwit::gcm
