// gcm_batch.h with vectors of 64 bytes: AVX-512 with VAES and VPCLMULQDQ. Masks read and write parts of vectors.

// The compiler's own header hands out registers that are undefined on purpose, and g++ 12 warns of it where they are
// inlined (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define GODWIT_GCM_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi2,vaes,vpclmulqdq,aes,pclmul,sse4.1")))

#include "crypto/gcm_batch_loops_x86.h"
#include "crypto/gcm_kernels_x86.h"

namespace godwit::gcm {
namespace {

struct Wide512 {
  using Vector = __m512i;
  static constexpr std::size_t kBlocks = 4;
  static constexpr std::size_t kBytes = 64;
  static constexpr std::size_t kSealed = 5;
  static constexpr std::size_t kOpened = 6;

  GODWIT_GCM_INLINE static Vector load(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
  GODWIT_GCM_INLINE static void store(std::uint8_t* to, Vector vector) { _mm512_storeu_si512(to, vector); }
  // The first `size` bytes (1 … kBytes).
  GODWIT_GCM_INLINE static Vector load_part(const std::uint8_t* from, std::size_t size) {
    return _mm512_maskz_loadu_epi8(lowest(size), from);
  }
  GODWIT_GCM_INLINE static void store_part(std::uint8_t* to, Vector vector, std::size_t size) {
    _mm512_mask_storeu_epi8(to, lowest(size), vector);
  }
  // May write what follows, up to the end of the block.
  GODWIT_GCM_INLINE static void store_part_over(std::uint8_t* to, Vector vector, std::size_t size) {
    store_part(to, vector, size);
  }
  GODWIT_GCM_INLINE static Vector repeat(__m128i block) { return _mm512_broadcast_i32x4(block); }
  GODWIT_GCM_INLINE static Vector widen(__m128i block) { return _mm512_zextsi128_si512(block); }
  GODWIT_GCM_INLINE static Vector exclusive_or(Vector left, Vector right) { return _mm512_xor_si512(left, right); }
  GODWIT_GCM_INLINE static Vector encrypt_round(Vector state, Vector key) { return _mm512_aesenc_epi128(state, key); }
  GODWIT_GCM_INLINE static Vector encrypt_last(Vector state, Vector key) {
    return _mm512_aesenclast_epi128(state, key);
  }
  template <int kHalves>
  GODWIT_GCM_INLINE static Vector multiply(Vector left, Vector right) {
    return _mm512_clmulepi64_epi128(left, right, kHalves);
  }
  GODWIT_GCM_INLINE static Vector reflect(Vector vector) {
    return _mm512_shuffle_epi8(vector, repeat(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)));
  }
  GODWIT_GCM_INLINE static Vector fold_halves(Vector vector) {
    return _mm512_xor_si512(vector, _mm512_shuffle_epi32(vector, _MM_PERM_BADC));
  }
  GODWIT_GCM_INLINE static __m128i add_lanes(Vector vector) {
    const __m256i two = _mm256_xor_si256(_mm512_castsi512_si256(vector), _mm512_extracti64x4_epi64(vector, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
  }

  // A packet's plaintext: each vector is put together from body and text by masks.
  class Source {
   public:
    GODWIT_GCM_INLINE explicit Source(const PacketToSeal& packet)
        : text(packet.text),
          body_(reinterpret_cast<std::uintptr_t>(packet.body) - packet.head_size),
          begin_(packet.body_size > 0 ? packet.head_size : kNowhere),
          end_(packet.head_size + packet.body_size) {}

    // `bytes` of the vector belong to the packet.
    [[nodiscard]] GODWIT_GCM_INLINE Vector load(std::size_t vector, std::size_t bytes) const {
      const std::size_t at = vector * kBytes;
      // An address and no pointer: it may lie before the body, where the mask keeps the processor from reading.
      const void* const from = reinterpret_cast<const void*>(body_ + at);  // NOLINT(performance-no-int-to-ptr)
      if (at >= begin_ && at + kBytes <= end_) return _mm512_loadu_si512(from);
      if (at + kBytes <= begin_ || at >= end_) return _mm512_maskz_loadu_epi8(lowest(bytes), text + at);
      const std::size_t first = std::max(at, begin_);
      const std::size_t last = std::min(at + kBytes, end_);
      if (page_of(at) != page_of(first) || page_of(at + kBytes - 1) != page_of(last - 1)) [[unlikely]] {
        // A load that touches a page that is not mapped costs hundreds of cycles even where the mask suppresses every
        // byte of it, and what lies beside a body may be such a page.
        std::memcpy(text + first, reinterpret_cast<const void*>(body_ + first), last - first);  // NOLINT
        return _mm512_maskz_loadu_epi8(lowest(bytes), text + at);
      }
      const __mmask64 body = below(end_, at) & ~below(begin_, at);
      const Vector beside = _mm512_maskz_loadu_epi8(lowest(bytes) & ~body, text + at);
      return _mm512_mask_loadu_epi8(beside, body, from);
    }

    std::uint8_t* text;

   private:
    static constexpr std::size_t kNowhere = ~std::size_t{0};  // begin_ of no body: behind every vector

    [[nodiscard]] GODWIT_GCM_INLINE std::uintptr_t page_of(std::size_t position) const {
      constexpr unsigned kPageBits = 12;  // the smallest pages
      return (body_ + position) >> kPageBits;
    }
    // The bytes of the vector at `at` that stand before `position`.
    GODWIT_GCM_INLINE static __mmask64 below(std::size_t position, std::size_t at) {
      return lowest(position <= at ? 0 : std::min(position - at, kBytes));
    }

    std::uintptr_t body_;
    std::size_t begin_;
    std::size_t end_;
  };

 private:
  GODWIT_GCM_INLINE static __mmask64 lowest(std::size_t count) {
    return _bzhi_u64(~std::uint64_t{0}, static_cast<unsigned>(count));
  }
};

GODWIT_GCM_TARGET void seal(const GcmTables& tables, std::span<const PacketToSeal> packets) {
  seal_packets<Wide512>(tables, packets);
}

GODWIT_GCM_TARGET void open(const GcmTables& tables, std::span<PacketToOpen> packets) {
  open_packets<Wide512>(tables, packets);
}

}  // namespace

const GcmKernel kAvx512Kernel{.expand = expand_gcm_key, .seal = seal, .open = open};

}  // namespace godwit::gcm
