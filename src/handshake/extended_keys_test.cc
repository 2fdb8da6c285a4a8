#include "handshake/extended_keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "crypto/hkdf.h"
#include "handshake/handshake_test_support.h"
#include "handshake/session.h"

namespace godwit::extended_keys_test {
namespace {

using test::Bytes;
using test::kStart;

constexpr Duration kGrace = 100ms;

TEST(ReplayWindow, AcceptsEachNumberOnce) {
  ReplayWindow window;
  DeterministicRandom random{7};
  std::set<std::uint64_t> accepted;
  std::uint64_t newest = 0;
  for (int i = 0; i < 50'000; ++i) {
    // Around the newest one, now and then far ahead.
    const std::uint64_t ahead = random.below(1000) == 0 ? random.below(20'000) : random.below(20);
    const std::uint64_t back = random.below(3 * ReplayWindow::kSize / 2);
    const std::uint64_t number = random.below(2) == 0 ? newest + ahead : newest - std::min(newest, back);
    const bool within = number + ReplayWindow::kSize >= window.next();
    ASSERT_EQ(window.would_accept(number), within && !accepted.contains(number)) << number;
    if (!window.would_accept(number)) continue;
    if (!accepted.empty() && random.below(4) == 0) {
      const std::uint64_t run = 1 + random.below(random.below(50) == 0 ? 5000 : 70);
      for (std::uint64_t each = window.next(); each < window.next() + run; ++each) accepted.insert(each);
      newest = window.next() + run - 1;
      window.record_next(run);
      continue;
    }
    ASSERT_EQ(window.record(number), accepted.empty() || number > newest);
    accepted.insert(number);
    newest = std::max(newest, number);
  }
}

TEST(ReplayWindow, RefusesWhatHadNotArrivedBeforeARest) {
  ReplayWindow window;
  for (const std::uint64_t number : {0U, 1U, 2U, 5U}) EXPECT_TRUE(window.record(number));
  EXPECT_TRUE(window.would_accept(4));
  window.release();
  for (std::uint64_t number = 0; number <= 5; ++number) EXPECT_FALSE(window.would_accept(number)) << number;
  EXPECT_TRUE(window.record(7));
  EXPECT_TRUE(window.would_accept(6));
  EXPECT_FALSE(window.record(6));
  for (std::uint64_t number = 0; number <= 7; ++number) EXPECT_FALSE(window.would_accept(number)) << number;
  EXPECT_TRUE(window.would_accept(8));
}

class ExtendedKeysTest : public testing::Test {
 protected:
  struct Side {
    Side(const HandshakeContext& context, const ExtendedSecrets& secrets)
        : keys(context, secrets), sealer(keys.take_first_sealer()), opener(keys.take_first_opener()) {}

    Bytes seal(const Bytes& plaintext) {
      Bytes datagram(plaintext.size() + kEnvelopeOverhead);
      datagram.resize(sealer->seal_pieces(plaintext, {}, {}, datagram));
      return datagram;
    }
    bool open(Bytes datagram) {
      const auto header = keys.read_header(datagram.data() + 1);
      if (!header) return false;
      if (!keys.opener(*header, opener).open_in_place(datagram)) return false;
      keys.accept(*header, opener);
      return true;
    }
    bool update() {
      auto next = keys.update(*sealer);
      if (!next) return false;
      sealer = std::move(next);
      return true;
    }

    ExtendedKeys keys;
    std::unique_ptr<PacketSealer> sealer;
    PacketOpener opener;
  };

  ExtendedKeysTest() {
    party_.context.key_limits.soft = 10;
    ExtendedSecrets secrets;
    party_.random.fill(secrets.send.bytes);
    party_.random.fill(secrets.receive.bytes);
    secrets.mine = {.capabilities = wire::capability::kKeyUpdate, .connection_tag = {1, 2, 3, 4}};
    secrets.theirs = {.capabilities = wire::capability::kKeyUpdate, .connection_tag = {5, 6, 7, 8}};
    secrets_ = secrets;
  }
  [[nodiscard]] Side alice() { return {party_.context, secrets_}; }
  [[nodiscard]] Side bob() {
    ExtendedSecrets mirrored = secrets_;
    std::swap(mirrored.send, mirrored.receive);
    std::swap(mirrored.mine, mirrored.theirs);
    return {party_.context, mirrored};
  }

  test::Party party_{5};
  ExtendedSecrets secrets_;
  Bytes text_ = Bytes(30, 0x61);
};

TEST_F(ExtendedKeysTest, APacketCarriesTheReceiversTagAndIsAcceptedOnce) {
  Side a = alice();
  Side b = bob();
  const Bytes datagram = a.seal(text_);
  EXPECT_EQ(datagram[0], 2);
  EXPECT_EQ(to_hex(ByteView(datagram).subspan(1, 4)), "05060708");
  EXPECT_TRUE(b.open(datagram));
  EXPECT_FALSE(b.open(datagram)) << "a replay";
  EXPECT_FALSE(a.open(datagram)) << "a reflection";
  for (std::size_t i = 1; i < datagram.size(); ++i) {
    Bytes changed = a.seal(text_);
    changed[i] ^= 0x01;
    EXPECT_FALSE(b.open(changed)) << i;
  }
}

TEST_F(ExtendedKeysTest, NonceFieldsNeverRepeatAcrossUpdates) {
  Side a = alice();
  Side b = bob();
  std::set<Bytes> fields;
  Instant now = kStart;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 12; ++i) {
      const Bytes datagram = a.seal(text_);
      EXPECT_TRUE(fields.insert(Bytes(datagram.begin() + 1, datagram.begin() + 13)).second);
      ASSERT_TRUE(b.open(datagram)) << round;
    }
    b.update();
    ASSERT_TRUE(a.open(b.seal(text_)));
    a.keys.on_time(now, kGrace);
    b.keys.on_time(now, kGrace);
    now += 2 * kGrace;
    a.keys.on_time(now, kGrace);
    b.keys.on_time(now, kGrace);
    a.update();
  }
  EXPECT_EQ(a.keys.updates(), 50u);
  EXPECT_GE(b.keys.updates(), 49u);
}

TEST_F(ExtendedKeysTest, AnUpdateWaitsUntilThePeerHasFollowedTheLastOneAndTheFormerKeyIsGone) {
  Side a = alice();
  Side b = bob();
  EXPECT_FALSE(a.update()) << "below the limit";
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(b.open(a.seal(text_)));
  ASSERT_TRUE(a.update());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(b.open(a.seal(text_)));
  EXPECT_FALSE(a.update()) << "the peer has not followed";
  ASSERT_TRUE(b.update()) << "it follows below its limit";
  ASSERT_TRUE(a.open(b.seal(text_)));
  EXPECT_FALSE(a.update()) << "packets under the former key may still come";
  a.keys.on_time(kStart, kGrace);
  EXPECT_EQ(a.keys.next_timeout(), kStart + kGrace);
  a.keys.on_time(kStart + kGrace, kGrace);
  EXPECT_TRUE(a.update());
}

TEST_F(ExtendedKeysTest, DelayedPacketsOfTheFormerKeyAreAcceptedUntilItIsForgotten) {
  Side a = alice();
  Side b = bob();
  std::vector<Bytes> late;
  for (int i = 0; i < 10; ++i) late.push_back(a.seal(text_));
  ASSERT_TRUE(a.update());
  std::vector<Bytes> fresh;
  for (int i = 0; i < 5; ++i) fresh.push_back(a.seal(text_));
  ASSERT_TRUE(b.open(fresh[3]));
  b.keys.on_time(kStart, kGrace);
  ASSERT_TRUE(b.open(late[9]));
  ASSERT_TRUE(b.open(fresh[0])) << "overtaken within the new generation";
  ASSERT_TRUE(b.open(late[0]));
  b.keys.on_time(kStart + kGrace, kGrace);
  EXPECT_FALSE(b.open(late[1]));
  EXPECT_TRUE(b.open(fresh[1]));
}

TEST_F(ExtendedKeysTest, ForgedPhasesMoveNothing) {
  Side a = alice();
  Side b = bob();
  ASSERT_TRUE(b.open(a.seal(text_)));
  for (int i = 0; i < 100; ++i) {
    Bytes forged = a.seal(text_);
    forged[12] ^= 0x80;  // the top bit of the little-endian number: the phase, up to a carry
    EXPECT_FALSE(b.open(forged));
  }
  EXPECT_TRUE(b.open(a.seal(text_)));
  EXPECT_FALSE(b.update());
}

// Who reads the memory of a process finds the keys of the present and of the future, and none of the past.
TEST_F(ExtendedKeysTest, TheSecretOfAGenerationIsGoneOnceTheNextIsDerived) {
  const auto holds = [](const ExtendedKeys& keys, const Secret& secret) {
    const ByteView bytes(reinterpret_cast<const std::uint8_t*>(&keys), sizeof(keys));
    return !std::ranges::search(bytes, secret.bytes).empty();
  };
  ExtendedKeys keys(party_.context, secrets_);
  ASSERT_TRUE(holds(keys, secrets_.send) && holds(keys, secrets_.receive));
  auto sealer = keys.take_first_sealer();
  static_cast<void>(keys.take_first_opener());
  EXPECT_FALSE(holds(keys, secrets_.send));
  EXPECT_FALSE(holds(keys, secrets_.receive));
  Secret next;
  hkdf_expand(secrets_.send, "godwit next", next.bytes);
  EXPECT_TRUE(holds(keys, next));
  Bytes datagram(1 + kEnvelopeOverhead);
  for (int i = 0; i < 10; ++i) ASSERT_NE(sealer->seal_pieces(Bytes{1}, {}, {}, datagram), 0u);
  sealer = keys.update(*sealer);
  ASSERT_TRUE(sealer);
  EXPECT_FALSE(holds(keys, next));
}

// Each generation costs its receiver four derivations and a cipher: a peer has one for each packet of this side.
TEST_F(ExtendedKeysTest, AFloodOfUpdatesIsNotFollowed) {
  Side b = bob();
  const auto of_generation = [&](std::uint64_t generation) {
    Secret secret = secrets_.send;
    std::array<std::uint8_t, 8> start;
    hkdf_expand(secret, "godwit start", start);
    for (std::uint64_t i = 0; i < generation; ++i) {
      Secret next;
      hkdf_expand(secret, "godwit next", next.bytes);
      secret = next;
    }
    std::array<std::uint8_t, kSymmetricKeySize> key;
    std::array<std::uint8_t, kNonceSize> salt;
    hkdf_expand(secret, "godwit key", key);
    hkdf_expand(secret, "godwit salt", salt);
    const std::uint64_t phase = generation % 2 == 0 ? 0 : kPhaseBit;
    const NonceCounter nonces({5, 6, 7, 8}, load_le<std::uint64_t>(start.data()) + phase + generation, NonceSalt(salt));
    PacketSealer sealer(make_packet_cipher(CipherKind::kOpenssl, SymmetricKey(key)), nonces);
    Bytes datagram(text_.size() + kEnvelopeOverhead);
    datagram.resize(sealer.seal_pieces(text_, {}, {}, datagram));
    return datagram;
  };
  ASSERT_TRUE(b.open(of_generation(0)));
  ASSERT_TRUE(b.open(of_generation(1)));
  for (std::uint64_t generation = 2; generation < 100; generation += 2) {
    EXPECT_FALSE(b.open(of_generation(generation))) << generation;
  }
  ASSERT_TRUE(b.update());
  EXPECT_EQ(b.keys.updates(), 1u);
  ASSERT_TRUE(b.open(of_generation(2))) << "now the peer may have heard of it";
}

TEST_F(ExtendedKeysTest, WithoutTheCapabilityNobodyUpdates) {
  secrets_.theirs.capabilities = 0;
  Side a = alice();
  for (int i = 0; i < 20; ++i) static_cast<void>(a.seal(text_));
  EXPECT_FALSE(a.update());
}

}  // namespace
}  // namespace godwit::extended_keys_test
