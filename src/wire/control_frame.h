// The short frames that exist in the extended form alone (docs/extended_sessions.md, section 5): a SymmetricMessage
// without acknowledgements whose variant is above those of the deployed wire, with eight bytes of data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/limits.h"

namespace godwit::wire {

struct ControlFrame {
  enum class Kind : std::uint32_t {
    kPathChallenge = 8,  // unpredictable bytes, section 7
    kPathResponse = 9,   // those of a challenge
    kCloseCode = 10,     // the application's, behind an error ack, section 8
    kSizeProbe = 16,     // fills a datagram with what follows it, section 10
    kSizeAnswer = 17,    // the data of a size probe that has come
    kPathNote = 19,      // what the sender knows of both translations, section 7.1
    kPortSearch = 21     // the sender has opened ports for the receiver to find, section 7.2
  };
  Kind kind = Kind::kPathChallenge;
  std::uint64_t data = 0;

  friend bool operator==(const ControlFrame&, const ControlFrame&) = default;
};
// Bits of a path note: the translation of its sender, or of its receiver, has another port for each destination, and
// chooses them one after the other. Then the latest port of either that is known, or 0.
inline constexpr std::uint64_t kSenderPortChanges = 1;
inline constexpr std::uint64_t kReceiverPortChanges = 2;
inline constexpr std::uint64_t kSenderInSequence = 4;
inline constexpr std::uint64_t kReceiverInSequence = 8;
inline constexpr unsigned kSenderPortShift = 16;
inline constexpr unsigned kReceiverPortShift = 32;
inline constexpr std::size_t kControlFrameSize = kMessageOverhead + 8;

// Its packet id is 0: it is not acknowledged.
[[nodiscard]] inline std::array<std::uint8_t, kControlFrameSize> encode(const ControlFrame& frame) {
  std::array<std::uint8_t, kControlFrameSize> bytes{};
  store_le(&bytes[12], static_cast<std::uint32_t>(frame.kind));
  store_le(&bytes[kMessageOverhead], frame.data);
  return bytes;
}

// The frame at the start of `plaintext`; nothing when another one stands there, or it is cut short.
[[nodiscard]] inline std::optional<ControlFrame> read_control_frame(ByteView plaintext) {
  if (plaintext.size() < kControlFrameSize) return std::nullopt;
  if (load_le<std::uint32_t>(plaintext.data()) != 0 || load_le<std::uint64_t>(&plaintext[4]) != 0) return std::nullopt;
  const auto kind = load_le<std::uint32_t>(&plaintext[12]);
  const auto between = [kind](ControlFrame::Kind first, ControlFrame::Kind last) {
    return kind >= static_cast<std::uint32_t>(first) && kind <= static_cast<std::uint32_t>(last);
  };
  if (!between(ControlFrame::Kind::kPathChallenge, ControlFrame::Kind::kCloseCode) &&
      !between(ControlFrame::Kind::kSizeProbe, ControlFrame::Kind::kSizeAnswer) &&
      kind != static_cast<std::uint32_t>(ControlFrame::Kind::kPathNote) &&
      kind != static_cast<std::uint32_t>(ControlFrame::Kind::kPortSearch)) {
    return std::nullopt;
  }
  return ControlFrame{.kind = static_cast<ControlFrame::Kind>(kind),
                      .data = load_le<std::uint64_t>(&plaintext[kMessageOverhead])};
}

}  // namespace godwit::wire
