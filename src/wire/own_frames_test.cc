// The frames of the extended form against vectors that an independent implementation has made
// (tests/cli/extended_peer.py). Those of acknowledgements are in ack_frame_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "crypto/test_vectors.h"
#include "wire/control_frame.h"
#include "wire/flow_frame.h"

namespace godwit::wire::own_frames_test {
namespace {

TEST(OwnFrames, AreThoseOfTheVectors) {
  std::set<std::uint32_t> variants;
  for (const TestVector& vector : read_vectors("frames.txt", "extended")) {
    const auto variant = load_le<std::uint32_t>(vector["variant"].data());
    variants.insert(variant);
    const std::vector<std::uint8_t>& bytes = vector["frame"];
    if (vector.has("data")) {
      const ControlFrame frame{.kind = static_cast<ControlFrame::Kind>(variant),
                               .data = load_le<std::uint64_t>(vector["data"].data())};
      EXPECT_TRUE(std::ranges::equal(encode(frame), bytes)) << vector.name;
      EXPECT_EQ(read_control_frame(bytes), frame) << vector.name;
      EXPECT_FALSE(read_flow_frame(bytes)) << vector.name;
    } else {
      const FlowFrame frame{.kind = static_cast<FlowFrame::Kind>(variant),
                            .packet_id = load_le<std::uint32_t>(vector["packet_id"].data()),
                            .stream_id = load_le<std::uint32_t>(vector["stream"].data()),
                            .value = load_le<std::uint64_t>(vector["value"].data()),
                            .code = load_le<std::uint64_t>(vector["code"].data())};
      EXPECT_TRUE(std::ranges::equal(encode(frame), bytes)) << vector.name;
      EXPECT_EQ(read_flow_frame(bytes), frame) << vector.name;
      EXPECT_FALSE(read_control_frame(bytes)) << vector.name;
    }
  }
  EXPECT_EQ(variants, (std::set<std::uint32_t>{8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 21}));
}

}  // namespace
}  // namespace godwit::wire::own_frames_test
