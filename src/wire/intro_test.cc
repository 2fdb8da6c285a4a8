#include "wire/intro.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "wire/wire_test_support.h"

namespace godwit::wire {
namespace {

using test::hex;
using test::key_from;
using test::same;

TEST(Intro, WritesVersionAndKeyAsRawBytes) {  // wire spec A.1
  std::array<std::uint8_t, kIntroPlaintext> plaintext{};
  encode_intro_plaintext({.version = kAnnouncedVersion, .key = key_from(0xb0)}, plaintext);
  EXPECT_TRUE(same(plaintext, hex("ff0002009a007a01 b0b1b2b3b4b5b6b7b8b9babbbcbdbebf")));
}

TEST(Intro, ReadsWhatItWrites) {
  const auto plaintext = hex("ff00020081004001 b0b1b2b3b4b5b6b7b8b9babbbcbdbebf");
  const auto decoded = decode_intro_plaintext(plaintext);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->intro.version, (VersionBytes{0xff, 0x00, 0x02, 0x00, 0x81, 0x00, 0x40, 0x01}));
  EXPECT_EQ(decoded->intro.key, key_from(0xb0));
  EXPECT_TRUE(decoded->trailing.empty());
}

TEST(Intro, IgnoresTheExcessButKeepsItReachable) {  // checklist 5
  const auto plaintext = hex("ff0002009a007a01 b0b1b2b3b4b5b6b7b8b9babbbcbdbebf 0102ff");
  const auto decoded = decode_intro_plaintext(plaintext);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->intro.key, key_from(0xb0));
  EXPECT_TRUE(same(decoded->trailing, hex("0102ff")));
}

TEST(Intro, RefusesEveryPlaintextBelow24Bytes) {  // checklist 6
  const test::Bytes plaintext(kIntroPlaintext, 0xff);
  for (std::size_t size = 0; size < kIntroPlaintext; ++size) {
    EXPECT_FALSE(decode_intro_plaintext(ByteView(plaintext).first(size))) << size;
  }
  EXPECT_TRUE(decode_intro_plaintext(plaintext));
}

}  // namespace
}  // namespace godwit::wire
