#include "report/table.h"

#include <gtest/gtest.h>

namespace godwit::report {
namespace {

TEST(Table, LeavesOutColumnsWithoutAWord) {
  const Table table{.title = "t",
                    .columns = {{.title = "a"}, {.title = "b"}, {.title = "c"}},
                    .rows = {{{"1"}, {""}, {""}}, {{""}, {""}, {"3"}}}};
  const Table narrower = without_empty_columns(table);
  ASSERT_EQ(narrower.columns.size(), 2U);
  EXPECT_EQ(narrower.columns[1].title, "c");
  EXPECT_EQ(narrower.rows[1][1].text, "3");
  EXPECT_EQ(narrower.title, "t");
}

}  // namespace
}  // namespace godwit::report
