// X25519 results that are remembered from one execution to the next. Keys are the same in every execution of a target
// and random numbers come from a fixed seed, so nearly every agreement has been computed before, and it costs more than
// all the rest of a small input. Linked with --wrap (CMakeLists.txt): the library under test is unchanged, and
// fuzz_intro and the tests of src/crypto use the real one.
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "crypto/keypair.h"

namespace godwit::fuzz {
namespace {

using Key = std::array<std::uint8_t, kPublicKeySize>;
struct Result {
  Key shared;
  bool agreed;
};
constexpr std::size_t kMostRemembered = 1 << 16;

Key key_of(std::span<const std::uint8_t, kPublicKeySize> bytes) {
  Key key;
  std::ranges::copy(bytes, key.begin());
  return key;
}

}  // namespace
}  // namespace godwit::fuzz

// KeyPair::agree as the linker names it, in the Itanium ABI of the only compiler that has libFuzzer.
extern "C" bool __real__ZNK6godwit7KeyPair5agreeERKNS_9PublicKeyESt4spanIhLm32EE(const godwit::KeyPair* self,
                                                                               const godwit::PublicKey& peer,
                                                                               std::span<std::uint8_t, 32> shared);
extern "C" bool __wrap__ZNK6godwit7KeyPair5agreeERKNS_9PublicKeyESt4spanIhLm32EE(const godwit::KeyPair* self,
                                                                               const godwit::PublicKey& peer,
                                                                               std::span<std::uint8_t, 32> shared);
extern "C" bool __wrap__ZNK6godwit7KeyPair5agreeERKNS_9PublicKeyESt4spanIhLm32EE(const godwit::KeyPair* self,
                                                                               const godwit::PublicKey& peer,
                                                                               std::span<std::uint8_t, 32> shared) {
  using namespace godwit::fuzz;
  static std::map<std::pair<Key, Key>, Result> known;
  const std::pair pair{key_of(self->public_key().bytes()), key_of(peer.bytes())};
  auto found = known.find(pair);
  if (found == known.end()) {
    if (known.size() >= kMostRemembered) known.clear();
    Result result{};
    result.agreed = __real__ZNK6godwit7KeyPair5agreeERKNS_9PublicKeyESt4spanIhLm32EE(self, peer, result.shared);
    found = known.emplace(pair, result).first;
  }
  std::ranges::copy(found->second.shared, shared.begin());
  return found->second.agreed;
}
