// Batches that are put together by one thread and sealed by another: byte for byte what the sealer itself would have
// made, whatever has become of it.

#include "crypto/seal_job.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "crypto/packet_sealer.h"

namespace godwit::seal_job_test {
namespace {

constexpr std::size_t kHead = 41;

// The first kind that seals batches in one pass; the others leave nothing to a job.
std::optional<CipherKind> batch_kind() {
  for (const CipherKind kind : {CipherKind::kBatchAvx512, CipherKind::kBatchAvx2, CipherKind::kBatchAesni}) {
    if (cipher_available(kind)) return kind;
  }
  return std::nullopt;
}

// Datagrams whose texts have a head of their own and a body elsewhere.
struct Batch {
  Batch(std::size_t count, std::size_t text, std::uint64_t seed) : bodies(count * text), datagrams(count) {
    DeterministicRandom random(seed);
    random.fill(bodies);
    for (std::size_t i = 0; i < count; ++i) {
      datagrams[i].resize(text + kEnvelopeOverhead);
      random.fill(datagrams[i]);
      packets.push_back({.nonce = nullptr,
                         .text = datagrams[i].data() + kEnvelopePrefix,
                         .body = bodies.data() + i * text,
                         .size = text,
                         .head_size = kHead,
                         .body_size = text - kHead});
    }
  }
  std::vector<std::uint8_t> bodies;
  std::vector<std::vector<std::uint8_t>> datagrams;
  std::vector<PacketToSeal> packets;
};

class SealJobs : public testing::Test {
 protected:
  void SetUp() override {
    if (!batch_kind()) GTEST_SKIP() << "this processor has no cipher for batches";
  }
  [[nodiscard]] PacketSealer sealer(const NonceSalt& salt = {}, const SealerLimits& limits = {}) const {
    return {make_packet_cipher(*batch_kind(), key_), NonceCounter({1, 2, 3, 4}, 77, salt), limits};
  }
  DeterministicRandom random_{5};
  SymmetricKey key_ = SymmetricKey::generate(random_);
};

TEST_F(SealJobs, MakeWhatTheSealerWouldHaveMade) {
  std::array<std::uint8_t, kNonceSize> salt_bytes{};
  random_.fill(salt_bytes);
  for (const NonceSalt& salt : {NonceSalt(), NonceSalt(salt_bytes)}) {
    for (const std::size_t count : {SealJob::kLeastPackets, std::size_t{54}, SealJob::kMostPackets}) {
      Batch expected(count, 1171, count);
      PacketSealer plain = sealer(salt);
      ASSERT_TRUE(plain.seal_batch(expected.packets));
      Batch later(count, 1171, count);
      SealJob job;
      std::optional<PacketSealer> putting_off(sealer(salt));
      ASSERT_TRUE(putting_off->put_off(later.packets, job));
      EXPECT_TRUE(job.pending());
      EXPECT_EQ(putting_off->packets_sealed(), plain.packets_sealed());
      EXPECT_EQ(putting_off->next_counter(), plain.next_counter());
      EXPECT_NE(later.datagrams, expected.datagrams);
      // The key is replaced, or the connection ends.
      putting_off.reset();
      std::thread([&] { job.run(); }).join();
      EXPECT_FALSE(job.pending());
      EXPECT_EQ(later.datagrams, expected.datagrams) << count;
    }
  }
}

TEST_F(SealJobs, OutliveTheRestOfTheirKey) {
  Batch expected(20, 1000, 1);
  ASSERT_TRUE(sealer().seal_batch(expected.packets));
  Batch later(20, 1000, 1);
  PacketSealer putting_off = sealer();
  SealJob job;
  ASSERT_TRUE(putting_off.put_off(later.packets, job));
  putting_off.release_key_schedule();
  job.run();
  EXPECT_EQ(later.datagrams, expected.datagrams);
}

TEST_F(SealJobs, TakeOnlyWhatIsWorthItAndCanBeShared) {
  PacketSealer putting_off = sealer();
  SealJob job;
  EXPECT_FALSE(putting_off.put_off(Batch(SealJob::kLeastPackets - 1, 1171, 1).packets, job));
  EXPECT_FALSE(putting_off.put_off(Batch(SealJob::kMostPackets + 1, 1171, 1).packets, job));
  EXPECT_FALSE(putting_off.put_off(Batch(16, GcmTables::kMaxText + 1, 1).packets, job));
  PacketSealer single(make_packet_cipher(CipherKind::kOpenssl, key_), NonceCounter({1, 2, 3, 4}, 77));
  EXPECT_FALSE(single.put_off(Batch(16, 1171, 1).packets, job));
  PacketSealer nearly_used_up = sealer({}, {.hard = 15});
  EXPECT_FALSE(nearly_used_up.put_off(Batch(16, 1171, 1).packets, job));
  for (const PacketSealer* const refused : {&putting_off, &single, &nearly_used_up}) {
    EXPECT_EQ(refused->packets_sealed(), 0U);
    EXPECT_EQ(refused->next_counter(), 77U);
  }
  EXPECT_FALSE(job.pending());
}

TEST_F(SealJobs, KnowWhatTheyWillRead) {
  Batch batch(10, 1171, 1);
  const std::vector<std::uint8_t> others(100);
  PacketSealer putting_off = sealer();
  SealJob job;
  ASSERT_TRUE(putting_off.put_off(batch.packets, job));
  EXPECT_TRUE(job.reads(ByteView(batch.bodies).last(1171)));
  EXPECT_FALSE(job.reads(others));
  job.clear();
  EXPECT_FALSE(job.reads(batch.bodies));
}

}  // namespace
}  // namespace godwit::seal_job_test
