#include "support/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace godwit::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Svg, WritesPercentagesAcrossAndPixelsDown) {
  Svg svg(40, "a <label>");
  svg.rectangle(12.5, 3, 50, 20, "bar", "tip & more", 2);
  svg.line(0, 1, 100, 2, "rule");
  svg.text(100, 9, "5 < 6", "axis", Anchor::kEnd);
  EXPECT_EQ(std::move(svg).take(),
            "<svg class=\"chart\" width=\"100%\" height=\"40\" role=\"img\" aria-label=\"a &lt;label&gt;\">\n"
            "<rect x=\"12.5%\" y=\"3\" width=\"50%\" height=\"20\" class=\"bar\" rx=\"2\"><title>tip &amp; "
            "more</title></rect>\n"
            "<line x1=\"0%\" y1=\"1\" x2=\"100%\" y2=\"2\" class=\"rule\"/>\n"
            "<text x=\"100%\" y=\"9\" text-anchor=\"end\" class=\"axis\">5 &lt; 6</text>\n</svg>\n");
}

TEST(Svg, ShortensALongNameOnAPhoneOnly) {
  Svg svg(10, "x");
  svg.name(5, "level2/whole_transport/gso/batch_64/1200_bytes", "bar-name");
  const std::string text = std::move(svg).take();
  EXPECT_THAT(text, HasSubstr("bar-name wide\">level2/whole_transport/gso/batch_64/1200_bytes<"));
  EXPECT_THAT(text, HasSubstr("bar-name narrow\">level2/wh…tch_64/1200_bytes<"));
}

TEST(Svg, DoesNotCutACharacterInTwo) {
  Svg svg(10, "x");
  svg.name(5, "ééééééééééééééééééééééééééééééééé", "n");
  const std::string text = std::move(svg).take();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) == 0xC3) {
      EXPECT_EQ(static_cast<unsigned char>(text[i + 1]), 0xA9);
    }
  }
}

TEST(Ticks, AreRoundAndCoverTheRange) {
  const Ticks ticks = make_ticks(0, 17.3, 5);
  EXPECT_DOUBLE_EQ(ticks.step, 5);
  EXPECT_DOUBLE_EQ(ticks.last(), 20);
  for (const double high : {0.0003, 0.9, 1.0, 7.0, 99.0, 12345.0}) {
    const Ticks any = make_ticks(0, high, 5);
    EXPECT_GE(any.last(), high * 0.999999);
    EXPECT_LE(any.count, 7U);
  }
  EXPECT_GE(make_ticks(0, 0, 5).count, 2U);
}

}  // namespace
}  // namespace godwit::report
