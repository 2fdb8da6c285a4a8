#include "wire/path_frame.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/message_codec.h"

namespace godwit::wire {
namespace {

TEST(PathFrame, IsReadAsItWasWrittenAndIsNoMessageOfTheDeployedWire) {
  for (const auto kind : {PathFrame::Kind::kChallenge, PathFrame::Kind::kResponse}) {
    const PathFrame frame{.kind = kind, .data = 0x0123456789abcdef};
    const auto bytes = encode(frame);
    EXPECT_EQ(read_path_frame(bytes), frame);
    const auto decoded = decode(bytes);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error(), DecodeError::kUnknownVariant);
  }
  EXPECT_EQ(to_hex(encode(PathFrame{.kind = PathFrame::Kind::kChallenge, .data = 1})),
            "00000000"
            "0000000000000000"
            "08000000"
            "0100000000000000");
}

TEST(PathFrame, OtherFramesAndCutOnesAreNone) {
  const auto bytes = encode(PathFrame{.kind = PathFrame::Kind::kResponse, .data = 5});
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read_path_frame(ByteView(bytes).first(size)));
  for (std::uint32_t variant = 0; variant < 20; ++variant) {
    auto other = bytes;
    store_le(&other[12], variant);
    EXPECT_EQ(read_path_frame(other).has_value(), variant == 8 || variant == 9) << variant;
  }
  auto with_receipts = bytes;
  with_receipts[4] = 1;
  EXPECT_FALSE(read_path_frame(with_receipts));
}

}  // namespace
}  // namespace godwit::wire
