#include "cli/byte_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace godwit::cli {
namespace {

TEST(ByteQueue, GivesBackWhatWasPushedInPiecesOfAnySize) {
  ByteQueue queue;
  std::vector<std::uint8_t> expected;
  std::vector<std::uint8_t> got;
  std::uint8_t next = 0;
  for (std::size_t round = 1; round < 200; ++round) {
    std::vector<std::uint8_t> piece(round * 37 % 3000);
    for (std::uint8_t& byte : piece) byte = next++;
    expected.insert(expected.end(), piece.begin(), piece.end());
    queue.push(piece);
    const ByteView front = queue.front();
    const std::size_t count = std::min<std::size_t>(front.size(), round * 11 % 2500);
    got.insert(got.end(), front.begin(), front.begin() + static_cast<std::ptrdiff_t>(count));
    queue.pop(count);
    EXPECT_EQ(queue.size(), expected.size() - got.size());
  }
  while (!queue.empty()) {
    const ByteView front = queue.front();
    ASSERT_FALSE(front.empty());
    got.insert(got.end(), front.begin(), front.end());
    queue.pop(front.size());
  }
  EXPECT_EQ(got, expected);
  EXPECT_TRUE(queue.front().empty());
}

TEST(ByteQueue, ALargePushIsSeveralBlocks) {
  ByteQueue queue;
  queue.push(std::vector<std::uint8_t>(3 * ByteQueue::kBlock + 1, 7));
  EXPECT_EQ(queue.front().size(), ByteQueue::kBlock);
  EXPECT_EQ(queue.size(), 3 * ByteQueue::kBlock + 1);
}

}  // namespace
}  // namespace godwit::cli
