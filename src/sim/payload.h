// What simulated applications say: bytes that follow from (seed, message number) alone, so that a receiver can check
// every byte without being told. The first 16 bytes name the message and its size, the rest is a window of one fixed
// random pattern.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "stream/body.h"

namespace godwit::sim {

struct PayloadHeader {
  static constexpr std::size_t kSize = 16;
  std::uint64_t message = 0;
  std::uint64_t size = 0;
};

class PayloadRule {
 public:
  explicit PayloadRule(std::uint64_t seed) : seed_(seed) {}

  // `size` >= PayloadHeader::kSize. Read on demand: costs no memory, whatever the size.
  [[nodiscard]] Body body(std::uint64_t message, std::uint64_t size) const;
  // Nothing when there are too few bytes.
  [[nodiscard]] static std::optional<PayloadHeader> header(ByteView start);
  // Whether `bytes` are those of the message from `offset` on.
  [[nodiscard]] bool matches(std::uint64_t message, std::uint64_t size, std::uint64_t offset, ByteView bytes) const;

 private:
  [[nodiscard]] std::uint64_t begin_of(std::uint64_t message) const;
  std::uint64_t seed_;
};

// A copy of `body` in memory of its own, whose views stay until it is released, as an application's do. `released` is
// called then, and the bytes are overwritten. The memory is not counted by live_memory.h.
[[nodiscard]] Body watched(Body body, std::function<void(ByteView)> released);

}  // namespace godwit::sim
