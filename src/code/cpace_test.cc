#include "code/cpace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/source_tree_test_support.h"

namespace godwit::cpace_test {
namespace {

class CpaceVectors : public testing::Test {
 protected:
  void SetUp() override {
    if (!cpace::available()) GTEST_SKIP() << "built without libsodium";
    std::ifstream file(std::string(test::source_tree()) + "/testdata/crypto/cpace_ristretto255.txt");
    for (std::string line; std::getline(file, line);) {
      const std::size_t at = line.find(" = ");
      if (line.starts_with("#") || at == std::string::npos) continue;
      values_[line.substr(0, at)] = *from_hex(line.substr(at + 3));
    }
    ASSERT_GE(values_.size(), 17U);
  }
  [[nodiscard]] const std::vector<std::uint8_t>& value(const std::string& name) const { return values_.at(name); }
  [[nodiscard]] std::array<std::uint8_t, 32> value32(const std::string& name) const {
    std::array<std::uint8_t, 32> result{};
    EXPECT_EQ(value(name).size(), result.size()) << name;
    std::ranges::copy(value(name), result.begin());
    return result;
  }

  std::map<std::string, std::vector<std::uint8_t>> values_;
};

TEST_F(CpaceVectors, AreMet) {
  const cpace::Point generator = cpace::generator(value("PRS"), value("CI"), value("sid"));
  EXPECT_EQ(generator, value32("g"));
  const auto ya = cpace::multiply(value32("ya"), generator);
  const auto yb = cpace::multiply(value32("yb"), generator);
  EXPECT_EQ(ya, value32("Ya"));
  EXPECT_EQ(yb, value32("Yb"));
  const auto ka = cpace::multiply(value32("ya"), *yb);
  EXPECT_EQ(ka, value32("K"));
  EXPECT_EQ(cpace::multiply(value32("yb"), *ya), value32("K"));
  const auto key = cpace::session_key(value("sid"), *ka, {*ya, value("ADa")}, {*yb, value("ADb")});
  EXPECT_EQ(std::vector<std::uint8_t>(key.begin(), key.end()), value("ISK_IR"));
}

TEST_F(CpaceVectors, WhatIsNoPointAndTheNeutralElementEndTheExchange) {
  EXPECT_EQ(cpace::multiply(value32("s"), value32("X")), value32("sX"));
  EXPECT_FALSE(cpace::multiply(value32("s"), value32("Y_i1")));
  EXPECT_FALSE(cpace::multiply(value32("s"), value32("Y_i2")));
}

TEST_F(CpaceVectors, EveryInputMattersToTheKeyAndToTheTags) {
  const cpace::Point point = value32("X");
  const cpace::Share a{point, value("ADa")};
  const cpace::Share b{point, value("ADb")};
  const cpace::Key key = cpace::session_key(value("sid"), point, a, b);
  EXPECT_NE(key, cpace::session_key(value("CI"), point, a, b));
  EXPECT_NE(key, cpace::session_key(value("sid"), value32("sX"), a, b));
  EXPECT_NE(key, cpace::session_key(value("sid"), point, b, a));
  const cpace::Key tag = cpace::confirmation(value("sid"), key, a);
  EXPECT_NE(tag, cpace::confirmation(value("sid"), key, b));
  EXPECT_NE(tag, cpace::confirmation(value("CI"), key, a));
  EXPECT_FALSE(cpace::equal(tag, key));
  EXPECT_FALSE(cpace::equal(tag, ByteView(tag).first(63)));
  EXPECT_TRUE(cpace::equal(tag, cpace::confirmation(value("sid"), key, a)));
}

TEST(CpaceScalar, HasNoBitBeyondTheSizeOfTheGroup) {
  if (!cpace::available()) GTEST_SKIP() << "built without libsodium";
  std::array<std::uint8_t, cpace::kScalarSize> random;
  random.fill(0xff);
  EXPECT_EQ(cpace::scalar_of(random).back(), 0x0f);
}

}  // namespace
}  // namespace godwit::cpace_test
