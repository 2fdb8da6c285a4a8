// What any bytes are to the readers of the extended form: blocks behind handshakes, transport parameters and frames.
// What is read comes back as the same bytes when it is written again.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"
#include "wire/ack_frame.h"
#include "wire/control_frame.h"
#include "wire/extension.h"
#include "wire/flow_frame.h"

namespace godwit::fuzz {

inline void check_block(ByteView bytes) {
  const wire::ExtensionSeen seen = wire::read_extension(bytes);
  if (seen.block == wire::ExtensionBlock::kPresent) {
    const std::size_t cookie = seen.cookie ? wire::kCookieSize : 0;
    GODWIT_ASSERT(wire::kExtensionHeader + seen.message.size() + cookie == bytes.size());
    std::array<std::uint8_t, wire::kExtensionHeader> again;
    wire::write_extension_header(again, seen.message.size());
    GODWIT_ASSERT(std::ranges::equal(again, bytes.first(again.size())));
  } else {
    GODWIT_ASSERT(seen.message.empty());
  }
  if (const auto parameters = wire::decode_parameters(bytes)) {
    std::array<std::uint8_t, wire::kMaxParametersSize> memory;
    const ByteView again = ByteView(memory).first(wire::encode_parameters(*parameters, memory));
    GODWIT_ASSERT(wire::decode_parameters(again) == parameters);
  }
  if (const auto frame = wire::read_control_frame(bytes)) {
    GODWIT_ASSERT(std::ranges::equal(wire::encode(*frame), bytes.first(wire::kControlFrameSize)));
  }
  if (const auto frame = wire::read_flow_frame(bytes)) {
    GODWIT_ASSERT(std::ranges::equal(wire::encode(*frame), bytes.first(wire::kFlowFrameSize)));
  }
  if (!wire::is_ack_frame(bytes)) return;
  if (const auto frame = wire::read_ack_frame(bytes)) {
    std::array<std::uint8_t, wire::kLargestAckFrame> again;
    const std::size_t size = wire::encode(again, *frame);
    GODWIT_ASSERT(size == wire::ack_frame_size(*frame));
    GODWIT_ASSERT(std::ranges::equal(ByteView(again).first(size), bytes.first(size)));
  }
}

}  // namespace godwit::fuzz
