#include "wire/bincode.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>

#include "wire/wire_test_support.h"

namespace godwit::wire {
namespace {

using test::hex;
using test::same;

TEST(Reader, ReadsFixedWidthLittleEndianIntegers) {
  const auto bytes = hex("01 0302 07060504 0f0e0d0c0b0a0908");
  Reader reader(bytes);
  EXPECT_EQ(reader.read<std::uint8_t>(), 0x01);
  EXPECT_EQ(reader.read<std::uint16_t>(), 0x0203);
  EXPECT_EQ(reader.read<std::uint32_t>(), 0x04050607U);
  EXPECT_EQ(reader.read<std::uint64_t>(), 0x08090a0b0c0d0e0fU);
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_FALSE(reader.failed());
}

TEST(Reader, ReadsABufferAsAViewAndLeavesTheRest) {
  const auto bytes = hex("0200000000000000 cafe 0102");
  Reader reader(bytes);
  const ByteView buffer = reader.read_buffer();
  EXPECT_EQ(buffer.data(), bytes.data() + 8);
  EXPECT_TRUE(same(buffer, hex("cafe")));
  EXPECT_TRUE(same(reader.rest(), hex("0102")));
}

TEST(Reader, FailsForGoodAtTheFirstAccessBeyondTheEnd) {
  const auto bytes = hex("010203");
  Reader reader(bytes);
  EXPECT_EQ(reader.read<std::uint32_t>(), 0U);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.read<std::uint8_t>(), 0U);
  EXPECT_TRUE(reader.read_bytes(1).empty());
  EXPECT_TRUE(reader.rest().empty());
}

TEST(Reader, ReadsNothingFromAnEmptyViewWithoutFailing) {
  Reader reader(ByteView{});
  EXPECT_TRUE(reader.read_bytes(0).empty());
  EXPECT_FALSE(reader.failed());
  EXPECT_EQ(reader.read<std::uint8_t>(), 0U);
  EXPECT_TRUE(reader.failed());
}

TEST(Reader, RefusesEveryLengthBeyondTheEnd) {
  for (const std::uint64_t length : {std::uint64_t{3}, std::uint64_t{1} << 31, std::uint64_t{1} << 32,
                                     std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()}) {
    std::array<std::uint8_t, 10> bytes{};
    store_le(bytes.data(), length);
    Reader reader(bytes);
    EXPECT_TRUE(reader.read_buffer().empty());
    EXPECT_TRUE(reader.failed()) << length;
  }
}

TEST(Writer, WritesWhatReaderReads) {
  std::array<std::uint8_t, 64> bytes{};
  Writer writer(bytes);
  writer.write<std::uint8_t>(1);
  writer.write<std::uint16_t>(0x0203);
  writer.write<std::uint32_t>(0x04050607);
  writer.write<std::uint64_t>(0x08090a0b0c0d0e0f);
  writer.write_buffer(hex("cafe"));
  writer.write_bytes(ByteView{});
  ASSERT_EQ(writer.size(), 25U);
  EXPECT_TRUE(same(ByteView(bytes).first(25), hex("01 0302 07060504 0f0e0d0c0b0a0908 0200000000000000 cafe")));
}

TEST(Writer, ReportsZeroAndStopsWritingOnceItIsFull) {
  std::array<std::uint8_t, 6> bytes{};
  bytes.fill(0xee);
  Writer writer(MutableBytes(bytes).first(5));
  writer.write<std::uint32_t>(0);
  writer.write<std::uint32_t>(0);  // does not fit
  writer.write<std::uint8_t>(1);   // would fit, but the message is broken already
  EXPECT_TRUE(writer.failed());
  EXPECT_EQ(writer.size(), 0U);
  EXPECT_TRUE(same(bytes, hex("00000000 eeee")));
}

TEST(Writer, LeavesAPayloadInItsPlace) {
  std::array<std::uint8_t, 10> bytes{};
  bytes[8] = 0xca;
  bytes[9] = 0xfe;
  Writer writer(bytes);
  writer.write_buffer(ByteView(bytes).subspan(8));
  EXPECT_EQ(writer.size(), 10U);
  EXPECT_TRUE(same(bytes, hex("0200000000000000 cafe")));
}

}  // namespace
}  // namespace godwit::wire
