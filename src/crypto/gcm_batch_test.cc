// The batch kernels against the libraries: every length, alignment and batch size, forgeries, and the bytes around.
#include "crypto/gcm_batch.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/random.h"
#include "crypto/cipher_test_support.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kMargin = 80;  // of bytes around what a kernel may write
constexpr std::uint8_t kUntouched = 0xcc;

// One packet with everything that sealing and opening it needs.
struct TestPacket {
  Nonce nonce;
  Bytes plaintext;
  Bytes sealed;  // by OpenSSL
  Bytes body;
  Bytes room;  // kMargin, alignment, text, tag, kMargin
  std::size_t head_size = 0;
  std::size_t at = 0;  // of the text in `room`

  std::uint8_t* text() { return room.data() + at; }
  PacketToSeal to_seal() { return {nonce.bytes.data(), text(), body.data(), plaintext.size(), head_size, body.size()}; }
  // Whether the bytes around the text, and around the tag where there is one, are as they were.
  [[nodiscard]] bool margins_untouched(std::size_t used) const {
    const auto untouched = [](std::uint8_t byte) { return byte == kUntouched; };
    return std::all_of(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(at), untouched) &&
           std::all_of(room.begin() + static_cast<std::ptrdiff_t>(at + used), room.end(), untouched);
  }
};

std::vector<CipherKind> kernel_kinds() {
  std::vector<CipherKind> kinds;
  for (const CipherKind kind : kAllCipherKinds) {
    if (gcm_kernel(kind) != nullptr) kinds.push_back(kind);
  }
  return kinds;
}

class EachKernel : public testing::TestWithParam<CipherKind> {
 protected:
  void SetUp() override { use_new_key(); }

  void use_new_key() {
    key_ = SymmetricKey::generate(random_);
    kernel_->expand(key_, tables_);
    openssl_ = make_packet_cipher(CipherKind::kOpenssl, key_);
    ipsec_ = cipher_available(CipherKind::kIpsecMb) ? make_packet_cipher(CipherKind::kIpsecMb, key_) : nullptr;
  }

  TestPacket make_packet(std::size_t size, std::size_t head, std::size_t body, std::size_t alignment) {
    TestPacket packet;
    random_.fill(packet.nonce.bytes);
    packet.plaintext.resize(size);
    random_.fill(packet.plaintext);
    packet.sealed.resize(size + kTagSize);
    openssl_->seal(packet.nonce, packet.plaintext, packet.sealed.data());
    if (ipsec_ != nullptr) {
      Bytes second(size + kTagSize);
      ipsec_->seal(packet.nonce, packet.plaintext, second.data());
      EXPECT_EQ(second, packet.sealed);
    }
    packet.head_size = head;
    packet.at = kMargin + alignment;
    packet.room.assign(kMargin + alignment + size + kTagSize + kMargin, kUntouched);
    std::ranges::copy(packet.plaintext, packet.text());
    std::fill_n(packet.text() + head, body, std::uint8_t{0x55});
    packet.body.assign(packet.plaintext.begin() + static_cast<std::ptrdiff_t>(head),
                       packet.plaintext.begin() + static_cast<std::ptrdiff_t>(head + body));
    return packet;
  }
  // With pieces of any size, most often those of a fragment.
  TestPacket random_packet(std::size_t size) {
    std::size_t head = random_.below(size + 1);
    std::size_t body = random_.below(size - head + 1);
    if (random_.below(2) == 0) {
      head = std::min<std::size_t>(size, 40);
      body = size - head - (size > head ? random_.below(2) : 0);
    }
    return make_packet(size, head, body, random_.below(64));
  }

  void seal_and_check(std::vector<TestPacket>& packets) {
    std::vector<PacketToSeal> batch;
    for (TestPacket& packet : packets) batch.push_back(packet.to_seal());
    kernel_->seal(tables_, batch);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      TestPacket& packet = packets[i];
      ASSERT_TRUE(std::equal(packet.sealed.begin(), packet.sealed.end(), packet.text()))
          << "packet " << i << " of " << packets.size() << ", " << packet.plaintext.size() << " bytes, head "
          << packet.head_size << ", body " << packet.body.size();
      ASSERT_TRUE(packet.margins_untouched(packet.sealed.size())) << packet.plaintext.size() << " bytes";
    }
  }

  // Opens the packets in place or apart, each forged with the probability 1 / `forged`.
  void open_and_check(std::vector<TestPacket>& packets, bool in_place, std::uint64_t forged) {
    std::vector<PacketToOpen> batch;
    std::vector<bool> genuine;
    std::vector<Bytes> sources;
    sources.reserve(packets.size());
    for (TestPacket& packet : packets) {
      sources.push_back(packet.sealed);
      genuine.push_back(random_.below(forged) != 0);
      if (!genuine.back()) {
        std::uint8_t& byte = sources.back()[random_.below(sources.back().size())];
        byte = static_cast<std::uint8_t>(byte ^ 1U << random_.below(8));
      }
      std::fill(packet.room.begin(), packet.room.end(), kUntouched);
      if (in_place) std::ranges::copy(sources.back(), packet.text());
      batch.push_back({packet.nonce.bytes.data(), in_place ? packet.text() : sources.back().data(), packet.text(),
                       packet.plaintext.size(), false});
    }
    kernel_->open(tables_, batch);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      TestPacket& packet = packets[i];
      ASSERT_EQ(batch[i].authentic, genuine[i]) << packet.plaintext.size() << " bytes, packet " << i;
      if (genuine[i]) {
        ASSERT_TRUE(std::equal(packet.plaintext.begin(), packet.plaintext.end(), packet.text()));
      }
      ASSERT_TRUE(in_place || packet.margins_untouched(packet.plaintext.size())) << packet.plaintext.size();
    }
  }

  DeterministicRandom random_{static_cast<std::uint64_t>(GetParam()) + 500};
  const GcmKernel* kernel_ = gcm_kernel(GetParam());
  SymmetricKey key_ = SymmetricKey::generate(random_);
  GcmTables tables_;
  std::unique_ptr<PacketCipher> openssl_;
  std::unique_ptr<PacketCipher> ipsec_;
};

INSTANTIATE_TEST_SUITE_P(GcmBatch, EachKernel, testing::ValuesIn(kernel_kinds()), cipher_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EachKernel);  // off x86 there is none

TEST_P(EachKernel, SealsAndOpensEveryLength) {
  for (std::size_t size = 0; size <= GcmTables::kMaxText; ++size) {
    std::vector<TestPacket> packets;
    for (int i = 0; i < 3; ++i) packets.push_back(random_packet(size));
    ASSERT_NO_FATAL_FAILURE(seal_and_check(packets));
    ASSERT_NO_FATAL_FAILURE(open_and_check(packets, size % 2 == 0, 4));
  }
}

TEST_P(EachKernel, SealsAndOpensAtEveryAlignment) {
  for (std::size_t alignment = 0; alignment < 64; ++alignment) {
    std::vector<TestPacket> packets;
    for (const std::size_t size : {0UL, 1UL, 15UL, 31UL, 33UL, 63UL, 64UL, 65UL, 127UL, 1171UL, 1471UL}) {
      packets.push_back(make_packet(size, size / 3, size / 2, alignment));
    }
    ASSERT_NO_FATAL_FAILURE(seal_and_check(packets));
    ASSERT_NO_FATAL_FAILURE(open_and_check(packets, alignment % 2 == 0, 4));
  }
}

TEST_P(EachKernel, SealsABodyOfEverySizeBehindAHeadOfEverySize) {
  for (std::size_t head = 0; head <= 130; ++head) {
    std::vector<TestPacket> packets;
    for (std::size_t body = head % 3; body <= 186; body += 3) {
      packets.push_back(make_packet(head + body + head % 5, head, body, body % 64));
    }
    packets.resize(std::min(packets.size(), GcmKernel::kMaxPackets));
    ASSERT_NO_FATAL_FAILURE(seal_and_check(packets));
  }
}

TEST_P(EachKernel, HandlesBatchesOfEverySizeWithAShorterLastPacket) {
  for (std::size_t count = 1; count <= GcmKernel::kMaxPackets; ++count) {
    for (const std::size_t size : {std::size_t{1171}, 1 + random_.below(1400), 1 + random_.below(80)}) {
      std::vector<TestPacket> packets;
      while (packets.size() + 1 < count) packets.push_back(random_packet(size));
      packets.push_back(random_packet(random_.below(size + 1)));
      ASSERT_NO_FATAL_FAILURE(seal_and_check(packets));
      ASSERT_NO_FATAL_FAILURE(open_and_check(packets, count % 2 == 0, 8));
    }
  }
}

TEST_P(EachKernel, AgreesWithTheLibrariesOnRandomBatches) {
  for (int round = 0; round < 400; ++round) {
    use_new_key();
    std::vector<TestPacket> packets;
    const std::size_t count = 1 + random_.below(12);
    while (packets.size() < count) packets.push_back(random_packet(random_.below(GcmTables::kMaxText + 1)));
    ASSERT_NO_FATAL_FAILURE(seal_and_check(packets));
    ASSERT_NO_FATAL_FAILURE(open_and_check(packets, round % 2 == 0, 3));
  }
}

TEST_P(EachKernel, RefusesEveryChangedBit) {
  for (const std::size_t size : {0UL, 1UL, 16UL, 47UL, 130UL}) {
    const TestPacket packet = random_packet(size);
    std::vector<Bytes> changed;
    for (std::size_t bit = 0; bit < packet.sealed.size() * 8; ++bit) {
      changed.push_back(packet.sealed);
      changed.back()[bit / 8] = static_cast<std::uint8_t>(changed.back()[bit / 8] ^ 1U << bit % 8);
    }
    for (std::size_t first = 0; first < changed.size(); first += GcmKernel::kMaxPackets) {
      std::vector<PacketToOpen> batch;
      for (std::size_t i = first; i < std::min(changed.size(), first + GcmKernel::kMaxPackets); ++i) {
        batch.push_back({packet.nonce.bytes.data(), changed[i].data(), changed[i].data(), size, true});
      }
      kernel_->open(tables_, batch);
      for (std::size_t i = 0; i < batch.size(); ++i) ASSERT_FALSE(batch[i].authentic) << size << ", " << first + i;
    }
  }
}

// Mappings of which the second page is inaccessible: what a kernel may read and write ends at the end of the first.
TEST_P(EachKernel, TouchesNoByteBeyondItsBuffers) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto guarded = [page] {
    void* pages = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(pages, MAP_FAILED);
    EXPECT_EQ(mprotect(static_cast<std::uint8_t*>(pages) + page, page, PROT_NONE), 0);
    return static_cast<std::uint8_t*>(pages) + page;
  };
  std::uint8_t* const body_end = guarded();
  std::uint8_t* const text_end = guarded();
  std::uint8_t* const nonce_end = guarded();
  std::uint8_t* const opened_end = guarded();
  for (std::size_t size = 0; size <= GcmTables::kMaxText; size += size < 300 ? 1 : 29) {
    TestPacket packet = make_packet(size, size / 5, size - size / 5, 0);
    std::ranges::copy(packet.nonce.bytes, nonce_end - kNonceSize);
    std::uint8_t* const text = text_end - size - kTagSize;
    std::copy_n(packet.plaintext.begin(), packet.head_size, text);
    std::ranges::copy(packet.body, body_end - packet.body.size());
    const std::array to_seal = {PacketToSeal{nonce_end - kNonceSize, text, body_end - packet.body.size(), size,
                                             packet.head_size, packet.body.size()}};
    kernel_->seal(tables_, to_seal);
    ASSERT_TRUE(std::equal(packet.sealed.begin(), packet.sealed.end(), text)) << size;
    std::array to_open = {PacketToOpen{nonce_end - kNonceSize, text, opened_end - size, size, false}};
    kernel_->open(tables_, to_open);
    ASSERT_TRUE(to_open[0].authentic) << size;
    ASSERT_TRUE(std::equal(packet.plaintext.begin(), packet.plaintext.end(), opened_end - size)) << size;
  }
  for (std::uint8_t* end : {body_end, text_end, nonce_end, opened_end}) munmap(end - page, 2 * page);
}

TEST_P(EachKernel, WipesItsTables) {
  alignas(GcmTables) std::array<std::uint8_t, sizeof(GcmTables)> memory;
  auto* const tables = new (memory.data()) GcmTables;
  kernel_->expand(key_, *tables);
  EXPECT_FALSE(std::ranges::all_of(memory, [](std::uint8_t byte) { return byte == 0; }));
  tables->~GcmTables();
  EXPECT_TRUE(std::ranges::all_of(memory, [](std::uint8_t byte) { return byte == 0; }));
}

// --- Batches through the interface, for every implementation there is ---

class EachCipherInBatches : public testing::TestWithParam<CipherKind> {};

INSTANTIATE_TEST_SUITE_P(GcmBatch, EachCipherInBatches, testing::ValuesIn(available_kinds()), cipher_test_name);

// More packets than a kernel takes at once, and longer ones than its tables hold: sealed and opened all the same.
TEST_P(EachCipherInBatches, TakesAnyNumberOfPacketsOfAnyLength) {
  DeterministicRandom random(71);
  const SymmetricKey key = SymmetricKey::generate(random);
  const auto cipher = make_packet_cipher(GetParam(), key);
  const auto reference = make_packet_cipher(CipherKind::kOpenssl, key);
  for (const std::size_t longest :
       {std::size_t{1171}, GcmTables::kMaxText, GcmTables::kMaxText + 1, std::size_t{9000}}) {
    for (const std::size_t count : {0UL, 1UL, 7UL, 8UL, 63UL, 64UL, 65UL, 150UL}) {
      std::vector<Nonce> nonces(count);
      std::vector<Bytes> plaintexts(count);
      std::vector<Bytes> texts(count);
      std::vector<PacketToSeal> to_seal(count);
      std::vector<PacketToOpen> to_open(count);
      for (std::size_t i = 0; i < count; ++i) {
        random.fill(nonces[i].bytes);
        plaintexts[i].resize(i + 1 == count ? random.below(longest + 1) : longest);
        random.fill(plaintexts[i]);
        texts[i].resize(plaintexts[i].size() + kTagSize);
        to_seal[i] = {nonces[i].bytes.data(), texts[i].data(), plaintexts[i].data(), plaintexts[i].size(), 0,
                      plaintexts[i].size()};
        to_open[i] = {nonces[i].bytes.data(), texts[i].data(), texts[i].data(), plaintexts[i].size(), false};
      }
      cipher->seal_batch(to_seal);
      for (std::size_t i = 0; i < count; ++i) {
        Bytes expected(texts[i].size());
        reference->seal(nonces[i], plaintexts[i], expected.data());
        ASSERT_EQ(texts[i], expected) << count << " packets of " << longest;
      }
      if (count > 2) texts[2].back() ^= 0x80;
      cipher->open_batch(to_open);
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(to_open[i].authentic, i != 2);
        texts[i].resize(plaintexts[i].size());
        // Of the forged one nothing is left.
        ASSERT_EQ(texts[i], i == 2 ? Bytes(plaintexts[i].size()) : plaintexts[i]);
      }
    }
    cipher->release_key_schedule();
  }
}

}  // namespace
}  // namespace godwit
