// For tests that run once for each implementation of the packet cipher: which there are here, and how a test is named.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"
#include "crypto/packet_cipher.h"

namespace godwit {

inline std::vector<CipherKind> available_kinds() {
  std::vector<CipherKind> kinds;
  std::ranges::copy_if(kAllCipherKinds, std::back_inserter(kinds), cipher_available);
  return kinds;
}

// The cipher's name in what a test's name may consist of.
inline std::string cipher_test_name(const testing::TestParamInfo<CipherKind>& parameter) {
  std::string name(cipher_name(parameter.param));
  std::erase(name, '-');
  return name;
}

inline std::vector<std::uint8_t> random_bytes(RandomSource& random, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  random.fill(bytes);
  return bytes;
}

}  // namespace godwit
