#include "stream/body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace godwit {
namespace {

using testing::ElementsAre;

std::vector<std::uint8_t> counting(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}

// Delivers counting bytes up to `available`, short views beyond.
class CountingSource final : public BodySource {
 public:
  explicit CountingSource(std::size_t available) : bytes_(counting(available)) {}
  std::optional<ByteView> read(std::uint64_t offset, std::size_t length) override {
    if (offset >= bytes_.size()) return std::nullopt;
    return ByteView{bytes_}.subspan(offset, std::min<std::size_t>(length, bytes_.size() - offset));
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

TEST(Body, ReadsOwnedBytesAlsoAfterAMove) {
  Body first = Body::owned(counting(10));
  const ByteView before = *first.read(2, 3);
  Body second = std::move(first);
  EXPECT_EQ(second.size(), 10U);
  EXPECT_THAT(*second.read(7, 3), ElementsAre(7, 8, 9));
  EXPECT_EQ(second.read(2, 3)->data(), before.data()) << "moving leaves the bytes where they are";
  Body third;
  third = std::move(second);
  EXPECT_THAT(*third.read(0, 1), ElementsAre(0));
  EXPECT_EQ(second.size(), 0U);  // NOLINT(bugprone-use-after-move): a moved-from body is empty
}

TEST(Body, BorrowsWithoutCopying) {
  const std::vector<std::uint8_t> bytes = counting(5);
  Body body = Body::borrowed(bytes);
  EXPECT_EQ(body.read(1, 4)->data(), bytes.data() + 1);
}

TEST(Body, ReadsFromASource) {
  Body body = Body::from_source(std::make_unique<CountingSource>(8), 8);
  EXPECT_THAT(*body.read(5, 3), ElementsAre(5, 6, 7));
  Body moved = std::move(body);
  EXPECT_THAT(*moved.read(0, 2), ElementsAre(0, 1));
}

TEST(Body, TreatsAShortOrMissingReadAsAFailure) {
  Body body = Body::from_source(std::make_unique<CountingSource>(8), 20);
  EXPECT_TRUE(body.read(4, 4));
  EXPECT_FALSE(body.read(5, 4)) << "the source has shrunk";
  EXPECT_FALSE(body.read(12, 4));
}

TEST(Body, EmptyHasNoBytes) {
  Body body;
  EXPECT_EQ(body.size(), 0U);
  EXPECT_TRUE(body.read(0, 0)->empty());
}

}  // namespace
}  // namespace godwit
