#include "crypto/packet_cipher.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "crypto/cipher_test_support.h"
#include "crypto/test_vectors.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

Nonce random_nonce(RandomSource& random) {
  Nonce nonce;
  random.fill(nonce.bytes);
  return nonce;
}

Bytes seal(PacketCipher& cipher, const Nonce& nonce, ByteView plaintext) {
  Bytes sealed(plaintext.size() + kTagSize);
  cipher.seal(nonce, plaintext, sealed.data());
  return sealed;
}

class EachCipher : public testing::TestWithParam<CipherKind> {
 protected:
  DeterministicRandom random_{static_cast<std::uint64_t>(GetParam()) + 100};
  SymmetricKey key_ = SymmetricKey::generate(random_);
  std::unique_ptr<PacketCipher> cipher_ = make_packet_cipher(GetParam(), key_);
};

INSTANTIATE_TEST_SUITE_P(PacketCipher, EachCipher, testing::ValuesIn(available_kinds()), cipher_test_name);

TEST_P(EachCipher, AgreesWithTheVectorsOfNist) {
  for (const TestVector& vector : read_vectors("aes128_gcm.txt")) {
    const auto cipher = make_packet_cipher(GetParam(), SymmetricKey(vector.fixed<kSymmetricKeySize>("key")));
    Nonce nonce;
    std::ranges::copy(vector.fixed<kNonceSize>("nonce"), nonce.bytes.begin());
    const Bytes sealed = seal(*cipher, nonce, vector["plaintext"]);
    const std::size_t size = vector["plaintext"].size();
    EXPECT_EQ(to_hex(ByteView(sealed).first(size)), to_hex(vector["ciphertext"])) << vector.name;
    EXPECT_EQ(to_hex(ByteView(sealed).subspan(size, vector["tag"].size())), to_hex(vector["tag"])) << vector.name;
    Bytes opened(size);
    EXPECT_TRUE(cipher->open(nonce, sealed, opened.data())) << vector.name;
    EXPECT_EQ(opened, vector["plaintext"]) << vector.name;
  }
}

TEST_P(EachCipher, SealsAndOpensInPlaceLikeInACopy) {
  for (std::size_t size = 0; size <= 1500; size += 1 + random_.below(7)) {
    const Bytes plaintext = random_bytes(random_, size);
    const Nonce nonce = random_nonce(random_);
    const Bytes sealed = seal(*cipher_, nonce, plaintext);
    Bytes in_place = plaintext;
    in_place.resize(size + kTagSize);
    cipher_->seal(nonce, ByteView(in_place).first(size), in_place.data());
    ASSERT_EQ(in_place, sealed) << size;

    Bytes opened(size);
    ASSERT_TRUE(cipher_->open(nonce, sealed, opened.data())) << size;
    ASSERT_EQ(opened, plaintext) << size;
    ASSERT_TRUE(cipher_->open(nonce, in_place, in_place.data())) << size;
    in_place.resize(size);
    ASSERT_EQ(in_place, plaintext) << size;
  }
}

TEST_P(EachCipher, SealsPiecesLikeTheirSum) {
  for (int i = 0; i < 400; ++i) {
    const Bytes head = random_bytes(random_, random_.below(60));
    const Bytes body = random_bytes(random_, i % 4 == 0 ? random_.below(20) : random_.below(1400));
    const Bytes tail = random_bytes(random_, random_.below(3));
    Bytes joined = head;
    joined.insert(joined.end(), body.begin(), body.end());
    joined.insert(joined.end(), tail.begin(), tail.end());
    const Nonce nonce = random_nonce(random_);
    Bytes sealed(joined.size() + kTagSize);
    cipher_->seal_pieces(nonce, head, body, tail, sealed.data());
    ASSERT_EQ(sealed, seal(*cipher_, nonce, joined));
  }
}

TEST_P(EachCipher, RefusesEveryChangedByteAndBit) {
  for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 129u, 1171u}) {
    const Nonce nonce = random_nonce(random_);
    const Bytes plaintext = random_bytes(random_, size);
    const Bytes sealed = seal(*cipher_, nonce, plaintext);
    Bytes opened(size + 1);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        Bytes changed = sealed;
        changed[i] = static_cast<std::uint8_t>(changed[i] ^ (1u << bit));
        ASSERT_FALSE(cipher_->open(nonce, changed, opened.data())) << size << " bytes, byte " << i << ", bit " << bit;
      }
    }
    for (std::size_t i = 0; i < kNonceSize; ++i) {
      Nonce changed = nonce;
      changed.bytes[i] ^= 0x10;
      ASSERT_FALSE(cipher_->open(changed, sealed, opened.data())) << i;
    }
    ASSERT_TRUE(cipher_->open(nonce, sealed, opened.data()));
  }
}

TEST_P(EachCipher, RefusesTruncationAndTheWrongKey) {
  const Nonce nonce = random_nonce(random_);
  const Bytes sealed = seal(*cipher_, nonce, random_bytes(random_, 100));
  Bytes opened(100);
  for (std::size_t size = kTagSize; size < sealed.size(); ++size) {
    EXPECT_FALSE(cipher_->open(nonce, ByteView(sealed).first(size), opened.data())) << size;
  }
  EXPECT_FALSE(make_packet_cipher(GetParam(), SymmetricKey::generate(random_))->open(nonce, sealed, opened.data()));
}

TEST_P(EachCipher, LeavesNothingOfAForgedPacket) {
  for (const std::size_t size : {1u, 16u, 33u, 1171u}) {
    const Nonce nonce = random_nonce(random_);
    Bytes sealed = seal(*cipher_, nonce, random_bytes(random_, size));
    sealed[random_.below(sealed.size())] ^= 1;
    Bytes opened(size, 0xaa);
    EXPECT_FALSE(cipher_->open(nonce, sealed, opened.data()));
    EXPECT_EQ(opened, Bytes(size)) << size;
    EXPECT_FALSE(cipher_->open(nonce, sealed, sealed.data()));
    sealed.resize(size);
    EXPECT_EQ(sealed, Bytes(size)) << "in place, " << size;
  }
}

// Forged packets must not leave anything behind that spoils the next authentic one.
TEST_P(EachCipher, RecoversAfterAForgery) {
  for (int i = 0; i < 50; ++i) {
    const Nonce nonce = random_nonce(random_);
    const Bytes plaintext = random_bytes(random_, random_.below(200));
    const Bytes sealed = seal(*cipher_, nonce, plaintext);
    Bytes changed = sealed;
    changed[random_.below(changed.size())] ^= 0x40;
    Bytes opened(plaintext.size());
    EXPECT_FALSE(cipher_->open(nonce, changed, opened.data()));
    EXPECT_TRUE(cipher_->open(nonce, sealed, opened.data()));
    EXPECT_EQ(opened, plaintext);
  }
}

TEST_P(EachCipher, WorksOnAfterARest) {
  const Nonce nonce = random_nonce(random_);
  const Bytes plaintext = random_bytes(random_, 500);
  const Bytes sealed = seal(*cipher_, nonce, plaintext);
  cipher_->release_key_schedule();
  EXPECT_EQ(seal(*cipher_, nonce, plaintext), sealed);
  cipher_->release_key_schedule();
  cipher_->release_key_schedule();
  Bytes opened(plaintext.size());
  EXPECT_TRUE(cipher_->open(nonce, sealed, opened.data()));
  EXPECT_EQ(opened, plaintext);
}

// Two mappings of which the second page is inaccessible: the libraries' assembly is outside a sanitizer's sight.
TEST_P(EachCipher, TouchesNoByteBeyondItsBuffers) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto guarded = [page] {
    void* pages = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(pages, MAP_FAILED);
    EXPECT_EQ(mprotect(static_cast<std::uint8_t*>(pages) + page, page, PROT_NONE), 0);
    return static_cast<std::uint8_t*>(pages);
  };
  std::uint8_t* source = guarded();
  std::uint8_t* target = guarded();
  for (std::size_t size = 0; size <= 1500; size += size < 300 ? 1 : 37) {
    const Nonce nonce = random_nonce(random_);
    const Bytes plaintext = random_bytes(random_, size);
    std::uint8_t* from = source + page - size;
    std::uint8_t* to = target + page - size - kTagSize;
    std::ranges::copy(plaintext, from);
    cipher_->seal(nonce, ByteView(from, size), to);
    const Bytes sealed(to, to + size + kTagSize);
    ASSERT_EQ(sealed, seal(*cipher_, nonce, plaintext)) << size;
    std::fill_n(from, size, std::uint8_t{0});
    ASSERT_TRUE(cipher_->open(nonce, ByteView(to, size + kTagSize), from)) << size;
    ASSERT_TRUE(std::equal(plaintext.begin(), plaintext.end(), from)) << size;
    cipher_->seal_pieces(nonce, {}, ByteView(from, size), {}, to);
    ASSERT_TRUE(std::equal(sealed.begin(), sealed.end(), to)) << size;
  }
  munmap(source, 2 * page);
  munmap(target, 2 * page);
}

TEST_P(EachCipher, LeavesTheBytesAroundItsOutputAlone) {
  for (int i = 0; i < 200; ++i) {
    const std::size_t size = random_.below(400);
    const Nonce nonce = random_nonce(random_);
    const Bytes plaintext = random_bytes(random_, size);
    Bytes room(size + kTagSize + 32, 0xcc);
    cipher_->seal(nonce, plaintext, room.data() + 16);
    const Bytes sealed(room.begin() + 16, room.end() - 16);
    Bytes opened(size + 32, 0xdd);
    ASSERT_TRUE(cipher_->open(nonce, sealed, opened.data() + 16));
    for (std::size_t edge = 0; edge < 16; ++edge) {
      ASSERT_EQ(room[edge], 0xcc);
      ASSERT_EQ(room[room.size() - 1 - edge], 0xcc);
      ASSERT_EQ(opened[edge], 0xdd);
      ASSERT_EQ(opened[opened.size() - 1 - edge], 0xdd);
    }
  }
}

TEST_P(EachCipher, TellsItsKind) {
  EXPECT_EQ(cipher_->kind(), GetParam());
  EXPECT_FALSE(describe_cipher(GetParam()).empty());
}

// Every ordered pair of implementations: what one seals, the other seals alike and opens.
TEST(PacketCipher, ImplementationsAgree) {
  DeterministicRandom random(17);
  for (int round = 0; round < 40; ++round) {
    const SymmetricKey key = SymmetricKey::generate(random);
    std::vector<std::unique_ptr<PacketCipher>> ciphers;
    for (const CipherKind kind : available_kinds()) ciphers.push_back(make_packet_cipher(kind, key));
    for (int packet = 0; packet < 40; ++packet) {
      const Nonce nonce = random_nonce(random);
      const Bytes plaintext = random_bytes(random, random.below(1501));
      const Bytes reference = seal(*ciphers[0], nonce, plaintext);
      for (const auto& cipher : ciphers) {
        ASSERT_EQ(seal(*cipher, nonce, plaintext), reference) << cipher_name(cipher->kind());
        Bytes opened(plaintext.size());
        ASSERT_TRUE(cipher->open(nonce, reference, opened.data())) << cipher_name(cipher->kind());
        ASSERT_EQ(opened, plaintext) << cipher_name(cipher->kind());
        Bytes in_place = reference;
        ASSERT_TRUE(cipher->open(nonce, in_place, in_place.data()));
        in_place.resize(plaintext.size());
        ASSERT_EQ(in_place, plaintext);
      }
    }
  }
}

TEST(PacketCipher, NamesAreReadBack) {
  for (const CipherKind kind : kAllCipherKinds) EXPECT_EQ(parse_cipher_name(cipher_name(kind)), kind);
  EXPECT_FALSE(parse_cipher_name("auto").has_value());
  EXPECT_FALSE(parse_cipher_name("").has_value());
}

TEST(PacketCipher, PrefersAnAvailableImplementation) {
  EXPECT_TRUE(cipher_available(CipherKind::kOpenssl));
  EXPECT_TRUE(cipher_available(preferred_cipher()));
  const std::array fastest_first = {CipherKind::kBatchAvx512, CipherKind::kBatchAvx2, CipherKind::kIpsecMb,
                                    CipherKind::kOpenssl};
  EXPECT_EQ(preferred_cipher(), *std::ranges::find_if(fastest_first, cipher_available));
  for (const CipherKind kind : kAllCipherKinds) EXPECT_FALSE(describe_cipher(kind).empty());
}

}  // namespace
}  // namespace godwit
