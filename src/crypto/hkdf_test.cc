#include "crypto/hkdf.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(Hkdf, Sha256OfPiecesIsThatOfTheWhole) {
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(to_hex(sha256({as_bytes("a"), {}, as_bytes("bc")})),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hkdf, HmacReproducesRfc4231) {
  // Test cases 1 and 6 (a key longer than a block).
  EXPECT_EQ(to_hex(hmac_sha256(Bytes(20, 0x0b), {as_bytes("Hi "), as_bytes("There")}).bytes),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(
      to_hex(hmac_sha256(Bytes(131, 0xaa), {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")}).bytes),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

// RFC 5869, test case 3: no salt, no info. Its first 32 bytes are what both functions make of an empty label.
TEST(Hkdf, ReproducesRfc5869) {
  const SecretPair pair = hkdf_two(Secret(), Bytes(22, 0x0b));
  EXPECT_EQ(to_hex(pair.first.bytes), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
  EXPECT_EQ(to_hex(ByteView(pair.second.bytes).first(10)), "9d201395faa4b61a96c8");
  const Secret extracted = hmac_sha256(Bytes(32, 0), {Bytes(22, 0x0b)});
  Bytes out(16);
  hkdf_expand(extracted, "", out);
  EXPECT_EQ(to_hex(out), "8da4e775a563c18f715f802a063c5a31");
}

TEST(Hkdf, LabelsSeparate) {
  const Secret secret(sha256({as_bytes("secret")}));
  Bytes first(16);
  Bytes second(16);
  hkdf_expand(secret, "one", first);
  hkdf_expand(secret, "two", second);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace godwit
