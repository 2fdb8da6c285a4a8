// Does a branch or an address of the batch cipher depend on a secret? Under valgrind, memory that is marked undefined
// taints everything computed from it, and memcheck reports each branch and each address that is tainted (Langley's
// ctgrind). Key and plaintext are marked, and with them every table, ciphertext and tag. constant_time.sh runs this.
//
//   godwit_constant_time          seals and opens batches of many shapes; valgrind must find nothing
//   godwit_constant_time --leak   branches on a bit of the key and on one of a table, and reads at an address made of
//   the
//                                 key; valgrind must find all three
#include <valgrind/memcheck.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "crypto/gcm_batch.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

void mark_secret(MutableBytes bytes) {
  VALGRIND_MAKE_MEM_UNDEFINED(bytes.data(), bytes.size());
}
void mark_public(MutableBytes bytes) {
  VALGRIND_MAKE_MEM_DEFINED(bytes.data(), bytes.size());
}

SymmetricKey secret_key(RandomSource& random) {
  std::array<std::uint8_t, kSymmetricKeySize> bytes{};
  random.fill(bytes);
  mark_secret(bytes);
  return SymmetricKey(std::span<const std::uint8_t, kSymmetricKeySize>(bytes));
}

// Seals `count` packets, forges every third, opens all. False when a verdict is wrong.
bool exchange(const GcmKernel& kernel, RandomSource& random, std::size_t count, std::size_t size) {
  const SymmetricKey key = secret_key(random);
  GcmTables tables;
  kernel.expand(key, tables);
  std::vector<Nonce> nonces(count);
  std::vector<Bytes> bodies(count);
  std::vector<Bytes> texts(count);
  std::vector<PacketToSeal> to_seal;
  std::vector<PacketToOpen> to_open;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t length = i + 1 == count ? size / 2 : size;
    const std::size_t head = std::min<std::size_t>(length, 40);
    random.fill(nonces[i].bytes);
    bodies[i].resize(length - head);
    texts[i].resize(length + kTagSize);
    random.fill(bodies[i]);
    random.fill(texts[i]);
    mark_secret(bodies[i]);
    mark_secret(texts[i]);
    to_seal.push_back({nonces[i].bytes.data(), texts[i].data(), bodies[i].data(), length, head, bodies[i].size()});
    to_open.push_back({nonces[i].bytes.data(), texts[i].data(), texts[i].data(), length, false});
  }
  kernel.seal(tables, to_seal);
  for (std::size_t i = 0; i < count; i += 3) texts[i].back() = static_cast<std::uint8_t>(texts[i].back() ^ 1);
  kernel.open(tables, to_open);
  bool right = true;
  for (std::size_t i = 0; i < count; ++i) {
    // Whether a packet was genuine is no secret: it is dropped or not.
    mark_public({reinterpret_cast<std::uint8_t*>(&to_open[i].authentic), sizeof to_open[i].authentic});
    right = to_open[i].authentic == (i % 3 != 0) && right;
  }
  return right;
}

int leak() {
  DeterministicRandom random(1);
  const SymmetricKey key = secret_key(random);
  const GcmKernel* const kernel = gcm_kernel(CipherKind::kBatchAesni);
  if (kernel == nullptr) return 77;
  GcmTables tables;
  kernel->expand(key, tables);
  volatile int sink = 0;
  if ((key.bytes()[3] & 1) != 0) sink = 1;
  // Of a table, to show that what AES and the multiplication make of the key is as secret as the key.
  if ((tables.powers[7][2] & 1) != 0) sink = 2;
  const std::array<std::uint8_t, 256> table{};
  const volatile std::uint8_t* const bytes = table.data();
  sink = bytes[key.bytes()[5]];
  return sink;
}

int run() {
  if (RUNNING_ON_VALGRIND == 0) {
    std::puts("constant_time: not under valgrind: nothing would be found");
    return 1;
  }
  const GcmKernel* const kernel = gcm_kernel(CipherKind::kBatchAesni);
  if (kernel == nullptr) {
    std::puts("constant_time: skipped: valgrind shows no AES-NI on this processor");
    return 77;
  }
  DeterministicRandom random(2);
  bool right = true;
  for (std::size_t size = 0; size <= 300; size += 7) right = exchange(*kernel, random, 1 + size % 5, size) && right;
  for (const std::size_t size : {1171UL, 1471UL, 1504UL}) right = exchange(*kernel, random, 7, size) && right;
  std::puts(right ? "constant_time: all verdicts are right" : "constant_time: a verdict is wrong");
  return right ? 0 : 1;
}

}  // namespace
}  // namespace godwit

int main(int argc, char** argv) {
  return argc > 1 && std::string_view(argv[1]) == "--leak" ? godwit::leak() : godwit::run();
}
