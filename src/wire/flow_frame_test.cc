#include "wire/flow_frame.h"

#include <gtest/gtest.h>

#include "wire/control_frame.h"
#include "wire/message_codec.h"

namespace godwit::wire::flow_frame_test {
namespace {

constexpr FlowFrame kSome{.kind = FlowFrame::Kind::kStreamReset,
                          .packet_id = 0x01020304,
                          .stream_id = 0x8000'0005,
                          .value = 0x1112'1314'1516'1718,
                          .code = 7};

TEST(FlowFrame, IsReadAsItWasWrittenAndIsNoOtherFrame) {
  for (std::uint32_t kind = 11; kind <= 15; ++kind) {
    FlowFrame frame = kSome;
    frame.kind = static_cast<FlowFrame::Kind>(kind);
    const auto bytes = encode(frame);
    EXPECT_EQ(read_flow_frame(bytes), frame);
    EXPECT_FALSE(read_control_frame(bytes));
    const auto decoded = decode(bytes);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error(), DecodeError::kUnknownVariant);
  }
  EXPECT_EQ(to_hex(encode(kSome)),
            "04030201"
            "0000000000000000"
            "0d000000"
            "05000080"
            "1817161514131211"
            "0700000000000000");
}

TEST(FlowFrame, OtherVariantsCutOnesAndThoseWithAcksAreNone) {
  const auto bytes = encode(kSome);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read_flow_frame(ByteView(bytes).first(size)));
  for (std::uint32_t variant = 0; variant < 20; ++variant) {
    auto other = bytes;
    store_le(&other[12], variant);
    EXPECT_EQ(read_flow_frame(other).has_value(), variant >= 11 && variant <= 15) << variant;
  }
  auto with_acks = bytes;
  with_acks[4] = 1;
  EXPECT_FALSE(read_flow_frame(with_acks));
}

}  // namespace
}  // namespace godwit::wire::flow_frame_test
