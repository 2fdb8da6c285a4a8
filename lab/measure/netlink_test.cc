#include "measure/netlink.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace godwit::measure {
namespace {

TEST(Netlink, ListsTheLoopbackInterface) {
  const Result<std::vector<LinkFacts>> links = list_links();
  if (!links) GTEST_SKIP() << links.error().message;
  const auto lo = std::find_if(links->begin(), links->end(), [](const LinkFacts& link) { return link.name == "lo"; });
  ASSERT_NE(lo, links->end());
  EXPECT_TRUE(lo->loopback);
  EXPECT_GT(lo->mtu, 0U);
}

TEST(Netlink, CountsFilterTablesOrSaysWhyNot) {
  const Result<std::size_t> tables = count_filter_tables();
  if (!tables) {
    EXPECT_FALSE(tables.error().message.empty());
  }
}

}  // namespace
}  // namespace godwit::measure
