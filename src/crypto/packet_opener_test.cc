#include "crypto/packet_opener.h"

#include <gtest/gtest.h>

#include "crypto/packet_sealer.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

class Opener : public testing::Test {
 protected:
  [[nodiscard]] Bytes sealed(ByteView plaintext) {
    Bytes datagram(plaintext.size() + kEnvelopeOverhead);
    EXPECT_EQ(sealer_.seal_pieces({}, plaintext, {}, datagram), datagram.size());
    return datagram;
  }

  DeterministicRandom random_{31};
  SymmetricKey key_ = SymmetricKey::generate(random_);
  PacketSealer sealer_{make_packet_cipher(preferred_cipher(), key_), random_};
  PacketOpener opener_{make_packet_cipher(preferred_cipher(), key_)};
  PacketOpener stranger_{make_packet_cipher(preferred_cipher(), SymmetricKey::generate(random_))};
};

TEST_F(Opener, YieldsThePlaintextInsideTheDatagram) {
  const Bytes plaintext(1171, 0x3c);
  Bytes datagram = sealed(plaintext);
  const auto opened = opener_.open_in_place(datagram);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->data(), datagram.data() + kEnvelopePrefix);
  EXPECT_EQ(Bytes(opened->begin(), opened->end()), plaintext);
}

TEST_F(Opener, LeavesTheDatagramToTheNextKeyWhenItCopies) {
  const Bytes plaintext = {1, 2, 3, 4, 5};
  const Bytes datagram = sealed(plaintext);
  const Bytes before = datagram;
  Bytes scratch(1500);
  EXPECT_FALSE(stranger_.open_copy(datagram, scratch).has_value());
  EXPECT_EQ(datagram, before);
  const auto opened = opener_.open_copy(datagram, scratch);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->data(), scratch.data());
  EXPECT_EQ(Bytes(opened->begin(), opened->end()), plaintext);
}

TEST_F(Opener, CountsOnlyAuthenticDatagrams) {
  Bytes scratch(1500);
  const Bytes datagram = sealed(Bytes(40, 7));
  for (std::size_t i = 1; i < datagram.size(); ++i) {
    Bytes changed = datagram;
    changed[i] ^= 0x08;
    EXPECT_FALSE(opener_.open_copy(changed, scratch).has_value()) << i;
    EXPECT_FALSE(opener_.open_in_place(changed).has_value()) << i;
  }
  EXPECT_EQ(opener_.packets_opened(), 0u);
  EXPECT_TRUE(opener_.open_copy(datagram, scratch).has_value());
  EXPECT_TRUE(opener_.open_copy(datagram, scratch).has_value());  // a replay is authentic
  EXPECT_EQ(opener_.packets_opened(), 2u);
}

// More packets than stand together on the stack, under a salt and without one.
TEST_F(Opener, OpensABatchAsItOpensEachPacket) {
  for (const bool salted : {false, true}) {
    std::array<std::uint8_t, kNonceSize> bytes{};
    if (salted) random_.fill(bytes);
    const NonceSalt salt(bytes);
    PacketSealer sealer(make_packet_cipher(preferred_cipher(), key_), NonceCounter({9, 8, 7, 6}, 5, salt));
    PacketOpener opener(make_packet_cipher(preferred_cipher(), key_), salt);
    std::vector<Bytes> datagrams;
    std::vector<PacketToOpen> packets;
    for (std::size_t i = 0; i < 150; ++i) {
      Bytes& datagram = datagrams.emplace_back(i + kEnvelopeOverhead);
      ASSERT_EQ(sealer.seal_pieces({}, Bytes(i, static_cast<std::uint8_t>(i)), {}, datagram), datagram.size());
      if (i == 77) datagram.back() ^= 1;
    }
    for (Bytes& datagram : datagrams) packets.push_back(PacketOpener::to_open(datagram));
    opener.open_batch(packets);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      EXPECT_EQ(packets[i].authentic, i != 77) << i;
      EXPECT_EQ(packets[i].nonce, datagrams[i].data() + 1) << "the caller's view of the header";
      if (i == 77) continue;
      EXPECT_EQ(Bytes(packets[i].out, packets[i].out + i), Bytes(i, static_cast<std::uint8_t>(i)));
    }
    EXPECT_EQ(opener.packets_opened(), 149u);
  }
}

TEST_F(Opener, OpensTheSmallestDatagramAndTheLargest) {
  Bytes scratch(1500);
  EXPECT_TRUE(opener_.open_copy(sealed({}), {}).has_value());
  EXPECT_EQ(opener_.open_copy(sealed(Bytes(1471)), scratch)->size(), 1471u);
}

TEST_F(Opener, AcceptsNoncesInAnyOrder) {
  std::vector<Bytes> datagrams;
  for (std::uint8_t i = 0; i < 20; ++i) datagrams.push_back(sealed(Bytes(10, i)));
  for (std::size_t i = datagrams.size(); i-- > 0;) {
    const auto opened = opener_.open_in_place(datagrams[i]);
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ((*opened)[0], i);
  }
}

TEST_F(Opener, WorksOnAfterARest) {
  sealer_.release_key_schedule();
  opener_.release_key_schedule();
  Bytes datagram = sealed(Bytes(10, 1));
  EXPECT_TRUE(opener_.open_in_place(datagram).has_value());
}

}  // namespace
}  // namespace godwit
