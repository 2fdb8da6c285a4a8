// Makes the use of memory that a pool has taken back visible: under AddressSanitizer as an error at the place of the
// access, in other debug builds as bytes that no test takes for data. Nothing in release builds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define GODWIT_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GODWIT_ADDRESS_SANITIZER 1
#endif
#endif
#if defined(GODWIT_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#endif

namespace godwit {

// What released memory is filled with where no sanitizer watches it.
inline constexpr std::uint8_t kPoisonByte = 0xdb;

#if defined(GODWIT_ADDRESS_SANITIZER)
inline constexpr bool kPoisonFills = false;
#elif !defined(NDEBUG)
inline constexpr bool kPoisonFills = true;
#else
inline constexpr bool kPoisonFills = false;
#endif

// `bytes` is not to be read or written until unpoison().
inline void poison([[maybe_unused]] void* bytes, [[maybe_unused]] std::size_t size) {
#if defined(GODWIT_ADDRESS_SANITIZER)
  __asan_poison_memory_region(bytes, size);
#else
  if constexpr (kPoisonFills) std::memset(bytes, kPoisonByte, size);
#endif
}

inline void unpoison([[maybe_unused]] void* bytes, [[maybe_unused]] std::size_t size) {
#if defined(GODWIT_ADDRESS_SANITIZER)
  __asan_unpoison_memory_region(bytes, size);
#endif
}

}  // namespace godwit
