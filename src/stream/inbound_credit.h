// Credit that a receiver gives: how many bytes may come, how many have come, and how many the application has taken.
// One for each stream and one for the connection (docs/extended_sessions.md, section 9). The limit that the peer was
// told only rises: bytes taken plus the window.
#pragma once

#include <algorithm>
#include <cstdint>

namespace godwit {

class InboundCredit {
 public:
  InboundCredit() = default;
  explicit InboundCredit(std::uint64_t window) : window_(window), granted_(window) {}

  [[nodiscard]] bool admits(std::uint64_t bytes) const { return bytes <= granted_ - received_; }
  [[nodiscard]] std::uint64_t room() const { return granted_ - received_; }
  // Requires admits(bytes).
  void receive(std::uint64_t bytes) { received_ += bytes; }
  // Bytes that nobody will read have come.
  void pass(std::uint64_t bytes) {
    received_ += bytes;
    consumed_ += bytes;
  }
  // The application is done with them; never more than have come.
  void consume(std::uint64_t bytes) { consumed_ += std::min(bytes, received_ - consumed_); }

  // A quarter of the window can be granted anew: worth a frame.
  [[nodiscard]] bool update_due() const {
    return consumed_ + window_ - granted_ >= std::max<std::uint64_t>(window_ / 4, 1);
  }
  // The limit that the peer is told from now on.
  std::uint64_t grant() {
    granted_ = consumed_ + window_;
    return granted_;
  }
  [[nodiscard]] std::uint64_t granted() const { return granted_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t unconsumed() const { return received_ - consumed_; }

 private:
  std::uint64_t window_ = 0;
  std::uint64_t granted_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t consumed_ = 0;
};

}  // namespace godwit
