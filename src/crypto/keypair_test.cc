#include "crypto/keypair.h"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <new>
#include <ostream>
#include <set>
#include <type_traits>

#include "crypto/test_vectors.h"

namespace godwit {
namespace {

// What could put a secret into a log line does not compile.
template <typename T>
concept Streamable = requires(std::ostream& stream, const T& value) { stream << value; };
template <typename T>
concept Printable = Streamable<T> || fmt::is_formattable<T>::value;
static_assert(!Printable<SecretKey> && !Printable<KeyPair> && !Printable<SymmetricKey>);
static_assert(Printable<std::string>);

static_assert(!std::is_copy_constructible_v<SecretKey> && !std::is_copy_assignable_v<SecretKey>);
static_assert(!std::is_copy_constructible_v<KeyPair> && !std::is_copy_assignable_v<KeyPair>);
static_assert(std::is_nothrow_move_constructible_v<SecretKey> && std::is_move_constructible_v<KeyPair>);
static_assert(std::is_copy_constructible_v<SymmetricKey>);

template <std::size_t N>
std::array<std::uint8_t, N> filled(std::uint8_t value) {
  std::array<std::uint8_t, N> bytes{};
  bytes.fill(value);
  return bytes;
}

// Whether every byte is zero after the destructor of an object made in its own storage.
template <typename T, typename... Arguments>
bool destructor_wipes(Arguments&&... arguments) {
  alignas(T) unsigned char storage[sizeof(T)];
  T* object = new (storage) T(std::forward<Arguments>(arguments)...);
  bool held = false;
  for (const std::uint8_t byte : object->bytes()) held = held || byte != 0;
  object->~T();
  const volatile unsigned char* seen = storage;
  bool wiped = true;
  for (std::size_t i = 0; i < sizeof(T); ++i) wiped = wiped && seen[i] == 0;
  return held && wiped;
}

// Every encoding that leads to the all-zero secret: points of order 1, 2, 4 and 8 on the curve and its twist, as
// canonical values, beyond the prime and with the ignored top bit set.
constexpr const char* kLowOrderPoints[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

TEST(ConstantTimeEqual, ComparesLikeMemcmp) {
  const auto bytes = filled<20>(7);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto other = bytes;
    EXPECT_TRUE(constant_time_equal(bytes, other));
    other[i] ^= 0x80;
    EXPECT_FALSE(constant_time_equal(bytes, other));
  }
  EXPECT_FALSE(constant_time_equal(ByteView(bytes), ByteView(bytes).first(19)));
  EXPECT_TRUE(constant_time_equal({}, {}));
}

TEST(PublicKey, ReadsAndWritesHexadecimal) {
  const std::string text = "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13";
  const auto key = PublicKey::from_hex(text);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->to_hex(), text);
  EXPECT_EQ(key->bytes()[0], 0x7b);
  EXPECT_EQ(PublicKey::from_hex("7B4E909BBE7FFE44C465A220037D608EE35897D31EF972F07F74892CB0F73F13"), key);
  EXPECT_FALSE(PublicKey::from_hex(text.substr(1)).has_value());
  EXPECT_FALSE(PublicKey::from_hex(text + "00").has_value());
  std::string no_digit = text;
  no_digit[0] = 'g';
  EXPECT_FALSE(PublicKey::from_hex(no_digit).has_value());
  EXPECT_FALSE(PublicKey::from_hex("").has_value());
}

TEST(PublicKey, ServesAsAKeyOfContainers) {
  const PublicKey first(filled<32>(1));
  const PublicKey second(filled<32>(2));
  EXPECT_LT(first, second);
  const std::set<PublicKey> keys = {first, second, first};
  EXPECT_EQ(keys.size(), 2u);
}

TEST(KeyPair, AgreesWithTheVectorsOfRfc7748) {
  for (const TestVector& vector : read_vectors("x25519.txt")) {
    const auto pair = KeyPair::from_secret(vector["secret"]);
    ASSERT_TRUE(pair.has_value()) << vector.name;
    if (vector.has("public")) {
      EXPECT_EQ(to_hex(pair->public_key().bytes()), to_hex(vector["public"])) << vector.name;
    }
    const PublicKey peer(vector.fixed<32>("peer"));
    std::array<std::uint8_t, 32> shared{};
    EXPECT_TRUE(pair->agree(peer, shared)) << vector.name;
    EXPECT_EQ(to_hex(shared), to_hex(vector["shared"])) << vector.name;
    shared = {};
    EXPECT_TRUE(x25519(SecretKey(vector.fixed<32>("secret")), peer, shared)) << vector.name;
    EXPECT_EQ(to_hex(shared), to_hex(vector["shared"])) << vector.name;
  }
}

// RFC 7748 section 5.2: k and u start as 9, then k, u = X25519(k, u), k.
TEST(KeyPair, AgreesWithTheIteratedVectorsOfRfc7748) {
  std::array<std::uint8_t, 32> k{9};
  std::array<std::uint8_t, 32> u{9};
  for (int round = 1; round <= 1000; ++round) {
    std::array<std::uint8_t, 32> result{};
    ASSERT_TRUE(x25519(SecretKey(k), PublicKey(u), result));
    u = k;
    k = result;
    if (round == 1) {
      EXPECT_EQ(to_hex(k), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
  }
  EXPECT_EQ(to_hex(k), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(KeyPair, TwoPeersReachOneSecret) {
  DeterministicRandom random(5);
  const auto left = KeyPair::generate(random);
  const auto right = KeyPair::generate(random);
  ASSERT_TRUE(left.has_value() && right.has_value());
  EXPECT_NE(left->public_key(), right->public_key());
  EXPECT_FALSE(left->secret() == right->secret());
  std::array<std::uint8_t, 32> from_left{};
  std::array<std::uint8_t, 32> from_right{};
  EXPECT_TRUE(left->agree(right->public_key(), from_left));
  EXPECT_TRUE(right->agree(left->public_key(), from_right));
  EXPECT_EQ(from_left, from_right);
}

TEST(KeyPair, RefusesPointsOfLowOrder) {
  const auto pair = KeyPair::from_secret(SecretKey(filled<32>(0x11)));
  ASSERT_TRUE(pair.has_value());
  for (const char* point : kLowOrderPoints) {
    auto shared = filled<32>(0xff);
    EXPECT_FALSE(pair->agree(*PublicKey::from_hex(point), shared)) << point;
    EXPECT_EQ(shared, filled<32>(0)) << point;
    EXPECT_FALSE(x25519(pair->secret(), *PublicKey::from_hex(point), shared)) << point;
  }
}

TEST(KeyPair, RefusesASecretOfTheWrongSize) {
  const auto pair = KeyPair::from_secret(ByteView(filled<32>(1)).first(31));
  ASSERT_FALSE(pair.has_value());
  EXPECT_EQ(pair.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(pair.error().message.find("31"), std::string::npos);
}

TEST(KeyPair, SurvivesAMove) {
  auto pair = KeyPair::from_secret(SecretKey(filled<32>(0x11)));
  ASSERT_TRUE(pair.has_value());
  const KeyPair moved = std::move(*pair);
  EXPECT_EQ(moved.public_key().to_hex(), "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13");
  EXPECT_TRUE(moved.secret() == SecretKey(filled<32>(0x11)));
}

TEST(SecretKey, LeavesNothingBehindWhenMovedOrDestroyed) {
  SecretKey source(filled<32>(0x5a));
  SecretKey target = std::move(source);
  EXPECT_TRUE(source == SecretKey(filled<32>(0)));  // NOLINT(bugprone-use-after-move): the point of the test
  EXPECT_TRUE(target == SecretKey(filled<32>(0x5a)));
  SecretKey assigned(filled<32>(1));
  assigned = std::move(target);
  EXPECT_TRUE(target == SecretKey(filled<32>(0)));  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(assigned == SecretKey(filled<32>(0x5a)));
  EXPECT_TRUE(destructor_wipes<SecretKey>(filled<32>(0x5a)));
}

TEST(SymmetricKey, LeavesNothingBehindWhenDestroyed) {
  EXPECT_TRUE(destructor_wipes<SymmetricKey>(filled<16>(0x5a)));
}

TEST(SymmetricKey, ComparesByValue) {
  DeterministicRandom random(6);
  const SymmetricKey key = SymmetricKey::generate(random);
  const SymmetricKey copy = key;
  EXPECT_TRUE(key == copy);
  EXPECT_FALSE(key == SymmetricKey::generate(random));
  EXPECT_FALSE(key == SymmetricKey());
  EXPECT_TRUE(SymmetricKey() == SymmetricKey(filled<16>(0)));
}

}  // namespace
}  // namespace godwit
