// Where tests find the source tree's test data. The path is compiled into one small file, so that the objects of all
// tests are the same in every checkout and a compiler cache can share them.
#pragma once

#include <string_view>

namespace godwit::test {

// Absolute path of the source tree, without a trailing slash.
[[nodiscard]] std::string_view source_tree();

}  // namespace godwit::test
