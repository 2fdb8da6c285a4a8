#include "crypto/cpu_features_x86.h"

#include <cpuid.h>

namespace godwit {
namespace {

constexpr std::uint32_t bit(unsigned index) {
  return std::uint32_t{1} << index;
}
constexpr bool has_all(std::uint64_t value, std::uint64_t bits) {
  return (value & bits) == bits;
}

// CPUID leaf 1, ECX.
constexpr std::uint32_t kPclmulqdq = bit(1);
constexpr std::uint32_t kSse41 = bit(19);
constexpr std::uint32_t kAes = bit(25);
constexpr std::uint32_t kOsxsave = bit(27);
// CPUID leaf 7, EBX and ECX.
constexpr std::uint32_t kAvx2 = bit(5);
constexpr std::uint32_t kAvx512 = bit(16) | bit(17) | bit(30) | bit(31);  // F, DQ, BW, VL
constexpr std::uint32_t kVaes = bit(9);
constexpr std::uint32_t kVpclmulqdq = bit(10);
// XCR0: SSE and AVX state; mask registers and both halves of the 512-bit registers.
constexpr std::uint64_t kState256 = bit(1) | bit(2);
constexpr std::uint64_t kState512 = kState256 | bit(5) | bit(6) | bit(7);

}  // namespace

CpuRegisters read_cpu_registers() {
  CpuRegisters registers;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return registers;
  registers.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    registers.leaf7_ebx = ebx;
    registers.leaf7_ecx = ecx;
  }
  if ((registers.leaf1_ecx & kOsxsave) != 0) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    registers.xcr0 = std::uint64_t{high} << 32 | low;
  }
  return registers;
}

CpuFeatures features_of(const CpuRegisters& registers) {
  CpuFeatures features;
  features.aesni = has_all(registers.leaf1_ecx, kAes | kPclmulqdq | kSse41);
  const bool wide = features.aesni && has_all(registers.leaf1_ecx, kOsxsave) && has_all(registers.leaf7_ebx, kAvx2) &&
                    has_all(registers.leaf7_ecx, kVaes | kVpclmulqdq);
  features.vaes_avx2 = wide && has_all(registers.xcr0, kState256);
  features.vaes_avx512 = wide && has_all(registers.leaf7_ebx, kAvx512) && has_all(registers.xcr0, kState512);
  return features;
}

}  // namespace godwit
