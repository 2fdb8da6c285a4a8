// What this processor and the operating system offer: a processor that has wide registers is of no use where the
// system does not save them, so that CPUID alone does not decide (Intel SDM volume 1, 14.3 and 15.2).
#pragma once

#include <cstdint>

namespace godwit {

// The registers that decide, as the instructions CPUID and XGETBV return them.
struct CpuRegisters {
  std::uint32_t leaf1_ecx = 0;
  std::uint32_t leaf7_ebx = 0;
  std::uint32_t leaf7_ecx = 0;
  std::uint64_t xcr0 = 0;  // 0 where the system does not use XSAVE
};

struct CpuFeatures {
  bool aesni = false;        // AES-NI, PCLMULQDQ and SSE4.1
  bool vaes_avx2 = false;    // AVX2, VAES and VPCLMULQDQ, with the 256-bit registers saved
  bool vaes_avx512 = false;  // the same with AVX-512 F, BW, DQ and VL, with the 512-bit registers saved
};

[[nodiscard]] CpuRegisters read_cpu_registers();
[[nodiscard]] CpuFeatures features_of(const CpuRegisters& registers);

}  // namespace godwit
