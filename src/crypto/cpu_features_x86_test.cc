#include "crypto/cpu_features_x86.h"

#include <gtest/gtest.h>

#include "crypto/packet_cipher.h"

namespace godwit {
namespace {

// A processor with all that the batch kernels use, under a system that saves all registers.
constexpr CpuRegisters kAll{.leaf1_ecx = 1U << 1 | 1U << 19 | 1U << 25 | 1U << 27,
                            .leaf7_ebx = 1U << 5 | 1U << 16 | 1U << 17 | 1U << 30 | 1U << 31,
                            .leaf7_ecx = 1U << 9 | 1U << 10,
                            .xcr0 = 0xe7};

TEST(CpuFeatures, FindsAllThatIsThere) {
  const CpuFeatures features = features_of(kAll);
  EXPECT_TRUE(features.aesni);
  EXPECT_TRUE(features.vaes_avx2);
  EXPECT_TRUE(features.vaes_avx512);
}

TEST(CpuFeatures, NeedsTheRegistersToBeSaved) {
  CpuRegisters registers = kAll;
  registers.xcr0 = 0x07;  // no AVX-512 state, as under an old hypervisor
  EXPECT_TRUE(features_of(registers).vaes_avx2);
  EXPECT_FALSE(features_of(registers).vaes_avx512);
  registers.xcr0 = 0xe3;  // no AVX state
  EXPECT_FALSE(features_of(registers).vaes_avx2);
  EXPECT_FALSE(features_of(registers).vaes_avx512);
  registers = kAll;
  registers.leaf1_ecx &= ~(1U << 27);  // the system does not use XSAVE at all
  EXPECT_FALSE(features_of(registers).vaes_avx2);
  EXPECT_TRUE(features_of(registers).aesni);
}

TEST(CpuFeatures, NeedsEveryInstruction) {
  for (unsigned bit = 0; bit < 32; ++bit) {
    CpuRegisters registers = kAll;
    registers.leaf7_ebx &= ~(1U << bit);
    const bool used = (kAll.leaf7_ebx >> bit & 1U) != 0;
    EXPECT_EQ(features_of(registers).vaes_avx512, !used) << "leaf 7, EBX, bit " << bit;
    EXPECT_EQ(features_of(registers).vaes_avx2, bit != 5) << "leaf 7, EBX, bit " << bit;
    registers = kAll;
    registers.leaf7_ecx &= ~(1U << bit);
    EXPECT_EQ(features_of(registers).vaes_avx2, bit != 9 && bit != 10) << "leaf 7, ECX, bit " << bit;
    registers = kAll;
    registers.leaf1_ecx &= ~(1U << bit);
    EXPECT_EQ(features_of(registers).aesni, bit != 1 && bit != 19 && bit != 25) << "leaf 1, ECX, bit " << bit;
  }
  EXPECT_FALSE(features_of({}).aesni);
}

// What the decision says of this machine is what the ciphers go by.
TEST(CpuFeatures, DecideWhichCiphersThereAre) {
  const CpuFeatures features = features_of(read_cpu_registers());
  EXPECT_EQ(cipher_available(CipherKind::kBatchAvx512), features.vaes_avx512);
  EXPECT_EQ(cipher_available(CipherKind::kBatchAvx2), features.vaes_avx2);
  EXPECT_EQ(cipher_available(CipherKind::kBatchAesni), features.aesni);
}

}  // namespace
}  // namespace godwit
