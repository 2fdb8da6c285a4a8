#include "support/format.h"

#include <gtest/gtest.h>

#include <limits>

namespace godwit::report {
namespace {

TEST(Format, KeepsThreeSignificantDigits) {
  EXPECT_EQ(format_number(0), "0");
  EXPECT_EQ(format_number(3.14159), "3.14");
  EXPECT_EQ(format_number(31.4159), "31.4");
  EXPECT_EQ(format_number(314.159), "314");
  EXPECT_EQ(format_number(31415.9), "31416");
  EXPECT_EQ(format_number(0.0314159), "0.0314");
  EXPECT_EQ(format_number(9.999), "10.0");
  EXPECT_EQ(format_number(-2.5), "-2.50");
  EXPECT_EQ(format_number(std::numeric_limits<double>::infinity()), "–");
}

TEST(Format, GivesTheTicksOfAnAxisEqualDecimals) {
  EXPECT_EQ(format_tick(20, 5), "20");
  EXPECT_EQ(format_tick(5, 2.5), "5.0");
  EXPECT_EQ(format_tick(0.3, 0.1), "0.3");
}

TEST(Format, ChoosesAUnitThatFits) {
  EXPECT_EQ(format_value(315, "ns"), "315 ns");
  EXPECT_EQ(format_value(4510, "ns"), "4.51 µs");
  EXPECT_EQ(format_value(999.9, "ns"), "1.00 µs");
  EXPECT_EQ(format_value(17.3e9, "bit/s"), "17.3 Gbit/s");
  EXPECT_EQ(format_value(1.88e6, "packets/s"), "1.88 M packets/s");
  EXPECT_EQ(format_value(16.0 * 1024 * 1024, "bytes"), "16.0 MiB");
  EXPECT_EQ(format_value(0.951, "share of the path"), "95.1 %");
  EXPECT_EQ(format_value(42, "handshakes"), "42.0 handshakes");
  EXPECT_EQ(format_value(42, ""), "42.0");
  EXPECT_EQ(format_value(1.9e6, "count"), "1.90 M");
}

TEST(Format, WritesSharesAndChanges) {
  EXPECT_EQ(format_percent(0.42), "42 %");
  EXPECT_EQ(format_percent(0.042), "4.2 %");
  EXPECT_EQ(format_percent(0.0004), "0.04 %");
  EXPECT_EQ(format_percent(0), "0 %");
  EXPECT_EQ(format_change(0.05), "+5.0 %");
  EXPECT_EQ(format_change(-0.5), "−50 %");
  EXPECT_EQ(format_change(0.0001), "±0 %");
}

TEST(Format, WritesDurations) {
  EXPECT_EQ(format_duration(3.4), "0:03");
  EXPECT_EQ(format_duration(123), "2:03");
  EXPECT_EQ(format_duration(3723), "1:02:03");
}

TEST(Format, EscapesWhatHtmlWouldRead) {
  EXPECT_EQ(escape_html("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
}

}  // namespace
}  // namespace godwit::report
