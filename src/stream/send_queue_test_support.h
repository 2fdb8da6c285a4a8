// What the tests of SendQueue share: messages of random bytes, and items taken one by one.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "stream/send_queue.h"
#include "stream/stream_test_support.h"

namespace godwit {

inline constexpr std::uint64_t kMebibyte = 1024 * 1024;

class SendQueueTest : public testing::Test {
 protected:
  MessageId send(std::size_t size, SendOptions options = {}) {
    const auto id = queue_.send(kStart, Body::owned(random_bytes(random_, size)), std::move(options));
    EXPECT_TRUE(id) << (id ? "" : id.error().message);
    return id.value_or(0);
  }
  MessageId send_borrowed(std::uint64_t size, SendOptions options = {}) {
    if (ground_.size() < size) ground_.resize(size);
    const auto id = queue_.send(kStart, Body::borrowed(ByteView{ground_}.first(size)), std::move(options));
    return id.value_or(0);
  }
  ErrorCode refused(std::uint64_t size, SendOptions options = {}) {
    if (ground_.size() < size) ground_.resize(size);
    const auto id = queue_.send(kStart, Body::borrowed(ByteView{ground_}.first(size)), std::move(options));
    EXPECT_FALSE(id);
    return id ? ErrorCode::kSystem : id.error().code;
  }
  // Takes the next item; kind, owner and fragment 0 if there is none.
  SendItem take() {
    const SendItem* item = queue_.peek();
    if (item == nullptr) return {};
    const SendItem copy = *item;
    queue_.take();
    return copy;
  }
  std::optional<MessageId> acknowledge(const SendItem& item) {
    return queue_.on_acknowledged(item.kind, item.owner, item.fragment, 1);
  }
  std::vector<SendItem> take_all() {
    std::vector<SendItem> items;
    while (queue_.peek() != nullptr) items.push_back(take());
    return items;
  }

  DeterministicRandom random_{1};
  Bytes ground_;
  SendQueue queue_;
};

}  // namespace godwit
