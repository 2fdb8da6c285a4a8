// Counts what the packet path allocates: operator new of the whole test program and OpenSSL's own allocator.
#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstdlib>
#include <new>

#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"

namespace {

std::size_t allocations = 0;

void* counted_malloc(std::size_t size) {
  ++allocations;
  return std::malloc(size);
}
void* openssl_malloc(std::size_t size, const char*, int) {
  return counted_malloc(size);
}
void* openssl_realloc(void* pointer, std::size_t size, const char*, int) {
  ++allocations;
  return std::realloc(pointer, size);
}
void openssl_free(void* pointer, const char*, int) {
  std::free(pointer);
}

// OpenSSL takes another allocator only before it has used its own, hence before main.
const bool counting_openssl = CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;

}  // namespace

void* operator new(std::size_t size) {
  return counted_malloc(size == 0 ? 1 : size);
}
void* operator new[](std::size_t size) {
  return counted_malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto step = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(step, (size + step - 1) / step * step);
}
void operator delete(void* pointer) noexcept {
  std::free(pointer);
}
void operator delete[](void* pointer) noexcept {
  std::free(pointer);
}
void operator delete(void* pointer, std::size_t) noexcept {
  std::free(pointer);
}
void operator delete[](void* pointer, std::size_t) noexcept {
  std::free(pointer);
}
void operator delete(void* pointer, std::align_val_t) noexcept {
  std::free(pointer);
}
void operator delete(void* pointer, std::size_t, std::align_val_t) noexcept {
  std::free(pointer);
}

namespace godwit {
namespace {

TEST(PacketPath, AllocatesNothingAfterTheFirstPacket) {
  ASSERT_TRUE(counting_openssl);
  for (const CipherKind kind : kAllCipherKinds) {
    if (!cipher_available(kind)) continue;
    DeterministicRandom random(41);
    const SymmetricKey key = SymmetricKey::generate(random);
    const std::size_t before_keys = allocations;
    PacketSealer sealer(make_packet_cipher(kind, key), random);
    PacketOpener opener(make_packet_cipher(kind, key));
    std::vector<std::uint8_t> body(1130, 5);
    std::vector<std::uint8_t> datagram(1200);
    std::vector<std::uint8_t> scratch(1200);
    bool all_opened = true;
    constexpr std::size_t kBatch = 20;
    std::vector<std::uint8_t> batch(kBatch * 1200);
    const auto exchange_batch = [&] {
      std::array<PacketToSeal, kBatch> to_seal;
      std::array<PacketToOpen, kBatch> to_open;
      for (std::size_t i = 0; i < kBatch; ++i) {
        const MutableBytes one = MutableBytes(batch).subspan(i * 1200, 1200);
        to_seal[i] = {nullptr, one.data() + kEnvelopePrefix, body.data(), 1171, 40, body.size()};
        to_open[i] = PacketOpener::to_open(one);
      }
      all_opened = sealer.seal_batch(to_seal) && all_opened;
      opener.open_batch(to_open);
      for (const PacketToOpen& packet : to_open) all_opened = packet.authentic && all_opened;
    };
    const auto exchange = [&] {
      const std::size_t size = sealer.seal_pieces(ByteView(body).first(40), body, ByteView(body).first(1), datagram);
      all_opened = opener.open_copy(MutableBytes(datagram).first(size), scratch).has_value() && all_opened;
      all_opened = opener.open_in_place(MutableBytes(datagram).first(size)).has_value() && all_opened;
      all_opened = sealer.seal_in_place(MutableBytes(datagram).first(300)) && all_opened;
      all_opened = !opener.open_copy(MutableBytes(datagram).first(299), scratch).has_value() && all_opened;
    };
    exchange();
    exchange_batch();
    EXPECT_GT(allocations, before_keys) << cipher_name(kind);
    const std::size_t before_packets = allocations;
    for (int i = 0; i < 1000; ++i) {
      exchange();
      exchange_batch();
    }
    EXPECT_EQ(allocations, before_packets) << cipher_name(kind);
    EXPECT_TRUE(all_opened) << cipher_name(kind);
  }
}

}  // namespace
}  // namespace godwit
