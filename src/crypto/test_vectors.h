// Reads the vectors of testdata/crypto, nist and wycheproof, for the tests of this folder: paragraphs of `field =
// hexadecimal` lines, the first of which is `name = text`; a line that begins with # is a comment.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/source_tree_test_support.h"

namespace godwit {

struct TestVector {
  std::string name;
  std::map<std::string, std::vector<std::uint8_t>> fields;

  [[nodiscard]] bool has(const std::string& field) const { return fields.contains(field); }
  [[nodiscard]] const std::vector<std::uint8_t>& operator[](const std::string& field) const { return fields.at(field); }
  // The field as a key or nonce of exactly N bytes.
  template <std::size_t N>
  [[nodiscard]] std::span<const std::uint8_t, N> fixed(const std::string& field) const {
    EXPECT_EQ(fields.at(field).size(), N) << name << ": " << field;
    return std::span<const std::uint8_t, N>(fields.at(field));
  }
};

inline std::vector<TestVector> read_vectors(const std::string& file, const std::string& folder = "crypto") {
  std::ifstream stream(std::string(test::source_tree()) + "/testdata/" + folder + "/" + file);
  EXPECT_TRUE(stream.is_open()) << file;
  std::vector<TestVector> vectors;
  for (std::string line; std::getline(stream, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t equals = line.find(" =");
    if (equals == std::string::npos) {
      ADD_FAILURE() << file << ": " << line;
      continue;
    }
    const std::string field = line.substr(0, equals);
    const std::string value = line.substr(std::min(line.size(), equals + 3));
    if (field == "name") {
      vectors.push_back({value, {}});
      continue;
    }
    const auto bytes = from_hex(value);
    EXPECT_TRUE(bytes.has_value() && !vectors.empty()) << file << ": " << line;
    if (bytes && !vectors.empty()) vectors.back().fields[field] = *bytes;
  }
  EXPECT_FALSE(vectors.empty()) << file;
  return vectors;
}

}  // namespace godwit
