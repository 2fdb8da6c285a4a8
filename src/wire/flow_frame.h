// The frames of flow control (docs/extended_sessions.md, section 9), which exist in the extended form alone: a
// SymmetricMessage without acknowledgements whose variant is above those of the deployed wire. They have packet ids of
// their own and are acknowledged like messages. All have one layout; what a kind does not use is 0.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/limits.h"

namespace godwit::wire {

struct FlowFrame {
  enum class Kind : std::uint32_t {
    kConnectionCredit = 11,  // value: bytes of all streams together that the reader may send, from the first one on
    kStreamCredit = 12,      // value: bytes of the stream that the reader may send, from its start on
    kStreamReset = 13,       // its sender has given the stream up; value: bytes that it has sent, each once
    kStreamStop = 14,        // its receiver wants no more of the stream
    kStreamEnd = 15          // of a stream of unknown length; value: its bytes
  };
  Kind kind = Kind::kConnectionCredit;
  std::uint32_t packet_id = 0;
  std::uint32_t stream_id = 0;
  std::uint64_t value = 0;
  std::uint64_t code = 0;  // the application's, of a reset and a stop

  friend bool operator==(const FlowFrame&, const FlowFrame&) = default;
};
inline constexpr std::size_t kFlowFrameSize = kMessageOverhead + 4 + 8 + 8;

[[nodiscard]] inline std::array<std::uint8_t, kFlowFrameSize> encode(const FlowFrame& frame) {
  std::array<std::uint8_t, kFlowFrameSize> bytes{};
  store_le(bytes.data(), frame.packet_id);
  store_le(&bytes[12], static_cast<std::uint32_t>(frame.kind));
  store_le(&bytes[kMessageOverhead], frame.stream_id);
  store_le(&bytes[kMessageOverhead + 4], frame.value);
  store_le(&bytes[kMessageOverhead + 12], frame.code);
  return bytes;
}

// The frame at the start of `plaintext`; nothing when another one stands there, or it is cut short.
[[nodiscard]] inline std::optional<FlowFrame> read_flow_frame(ByteView plaintext) {
  if (plaintext.size() < kFlowFrameSize || load_le<std::uint64_t>(&plaintext[4]) != 0) return std::nullopt;
  const auto kind = load_le<std::uint32_t>(&plaintext[12]);
  constexpr auto kFirst = static_cast<std::uint32_t>(FlowFrame::Kind::kConnectionCredit);
  constexpr auto kLast = static_cast<std::uint32_t>(FlowFrame::Kind::kStreamEnd);
  if (kind < kFirst || kind > kLast) return std::nullopt;
  return FlowFrame{.kind = static_cast<FlowFrame::Kind>(kind),
                   .packet_id = load_le<std::uint32_t>(plaintext.data()),
                   .stream_id = load_le<std::uint32_t>(&plaintext[kMessageOverhead]),
                   .value = load_le<std::uint64_t>(&plaintext[kMessageOverhead + 4]),
                   .code = load_le<std::uint64_t>(&plaintext[kMessageOverhead + 12])};
}

}  // namespace godwit::wire
