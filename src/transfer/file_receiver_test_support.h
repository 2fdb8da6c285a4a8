// A FileReceiver and a sender of the test's own that breaks the rules of docs/file_transfer.md.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "transfer/file_pair_test_support.h"

namespace godwit {

class FileReceiverTest : public FilePair {
 protected:
  FileReceiverTest() { connect_raw(); }

  // A transfer that was offered and accepted.
  void begin(std::uint64_t transfer, std::uint64_t size, std::string_view name = "data.bin") {
    offer(transfer, size, name);
    ASSERT_TRUE(answered<FileAccept>()) << (answer<FileRefuse>() ? answer<FileRefuse>()->text : "no answer");
    EXPECT_EQ(answer<FileAccept>()->transfer, transfer);
  }
  [[nodiscard]] std::string refusal_of(std::uint64_t size, std::string_view name) {
    offer(99, size, name);
    if (!answered<FileRefuse>()) return "not refused";
    return std::to_string(static_cast<int>(answer<FileRefuse>()->code));
  }
  // What the sender is told when its transfer fails.
  [[nodiscard]] std::string cancellation(Duration limit = 30s) {
    if (!answered<FileCancel>(limit)) return "not cancelled";
    EXPECT_TRUE(pair_.run_until([this] { return store_->pending() == 0; }));
    EXPECT_TRUE(output_.names().empty());
    EXPECT_EQ(receiver_->unfinished(), 0U);
    return std::string(answer<FileCancel>()->text);
  }
  [[nodiscard]] bool wait(const std::function<bool()>& done) { return pair_.run_until(done); }
};

}  // namespace godwit
