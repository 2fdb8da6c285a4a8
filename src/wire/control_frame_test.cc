#include "wire/control_frame.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/message_codec.h"

namespace godwit::wire {
namespace {

TEST(ControlFrame, IsReadAsItWasWrittenAndIsNoMessageOfTheDeployedWire) {
  for (const auto kind :
       {ControlFrame::Kind::kPathChallenge, ControlFrame::Kind::kPathResponse, ControlFrame::Kind::kCloseCode}) {
    const ControlFrame frame{.kind = kind, .data = 0x0123456789abcdef};
    const auto bytes = encode(frame);
    EXPECT_EQ(read_control_frame(bytes), frame);
    const auto decoded = decode(bytes);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error(), DecodeError::kUnknownVariant);
  }
  EXPECT_EQ(to_hex(encode(ControlFrame{.kind = ControlFrame::Kind::kPathChallenge, .data = 1})),
            "00000000"
            "0000000000000000"
            "08000000"
            "0100000000000000");
}

TEST(ControlFrame, OtherFramesAndCutOnesAreNone) {
  const auto bytes = encode(ControlFrame{.kind = ControlFrame::Kind::kPathResponse, .data = 5});
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read_control_frame(ByteView(bytes).first(size)));
  for (std::uint32_t variant = 0; variant < 20; ++variant) {
    auto other = bytes;
    store_le(&other[12], variant);
    const bool known = (variant >= 8 && variant <= 10) || variant == 16 || variant == 17 || variant == 19;
    EXPECT_EQ(read_control_frame(other).has_value(), known) << variant;
  }
  auto with_id = bytes;
  with_id[0] = 1;
  EXPECT_FALSE(read_control_frame(with_id));
  auto with_acks = bytes;
  with_acks[4] = 1;
  EXPECT_FALSE(read_control_frame(with_acks));
}

}  // namespace
}  // namespace godwit::wire
