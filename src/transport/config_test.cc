#include "transport/config.h"

#include <gtest/gtest.h>

#include "stream/reassembly_memory.h"

namespace godwit {
namespace {

// Two endpoints with defaults: a fragment that the receiver has no room for is sent again and refused again.
TEST(Config, WhatMayBeSentBeyondALossFitsTheReceiver) {
  const Config config;
  constexpr std::uint64_t kBesideThePayload = 16;  // of a slot
  constexpr std::uint64_t kOfTheIndex = 8;         // a fragment, while it grows
  const std::uint64_t fragment = ReassemblyMemory::kSlotPayload + kBesideThePayload + kOfTheIndex;
  EXPECT_LE(config.recovery.span_limit * fragment, config.streams.memory.reorder_bytes);
}

}  // namespace
}  // namespace godwit
