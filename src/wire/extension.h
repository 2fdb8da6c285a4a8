// What two Godwits say beside the deployed handshake (docs/extended_sessions.md, sections 2 and 3): a block behind the
// 24 bytes of an intro and behind a success ack, and the transport parameters inside the Noise messages that the blocks
// carry. Deployed peers ignore both places. Total over any bytes; nothing here allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"

namespace godwit::wire {

// --- The block: marker, version, length u16 LE, Noise message; behind an offer perhaps a cookie, and nothing else ---
inline constexpr std::array<std::uint8_t, 4> kExtensionMarker = {'G', 'd', 'w', 'X'};
inline constexpr std::uint8_t kExtensionVersion = 1;
inline constexpr std::size_t kExtensionHeader = kExtensionMarker.size() + 1 + 2;
inline constexpr std::size_t kMaxNoiseMessage = 512;
// What an acceptor gave a peer to show when it comes back (section 3.5).
inline constexpr std::size_t kCookieSize = 24;
using Cookie = std::array<std::uint8_t, kCookieSize>;
inline constexpr std::size_t kMaxExtensionBlock = kExtensionHeader + kMaxNoiseMessage + kCookieSize;

// Writes the header of a block whose message has `message_bytes` bytes, at most kMaxNoiseMessage.
void write_extension_header(std::array<std::uint8_t, kExtensionHeader>& out, std::size_t message_bytes);

enum class ExtensionBlock : std::uint8_t {
  kAbsent,     // no bytes, or bytes that do not begin with the marker
  kMalformed,  // cut short, too long, or followed by something
  kLater,      // another version
  kPresent
};
struct ExtensionSeen {
  ExtensionBlock block = ExtensionBlock::kAbsent;
  ByteView message;  // of a present one: a view of `trailing`
  std::optional<Cookie> cookie = std::nullopt;
};
[[nodiscard]] ExtensionSeen read_extension(ByteView trailing);

// --- Transport parameters: type u8, length u8, value; each type at most once, in any order ---
// A connection id is chosen by the receiver of the packets that carry it.
inline constexpr std::size_t kConnectionTagSize = 4;
using ConnectionTag = std::array<std::uint8_t, kConnectionTagSize>;
// What a side that has lost the session ends its one datagram with (section 8.1).
using ResetToken = std::array<std::uint8_t, 16>;
// Bytes of that datagram: those of the smallest packet.
inline constexpr std::size_t kResetDatagram = 45;

// One bit of `capabilities` each. A bit that the other side does not announce is not used.
namespace capability {
inline constexpr std::uint64_t kKeyUpdate = 1;         // section 6
inline constexpr std::uint64_t kRoaming = 2;           // section 7
inline constexpr std::uint64_t kFlowControl = 4;       // section 9
inline constexpr std::uint64_t kCoalescing = 8;        // section 5: several frames in a datagram
inline constexpr std::uint64_t kCloseCode = 16;        // section 8
inline constexpr std::uint64_t kOpenStreams = 32;      // section 5.1; with flow control alone
inline constexpr std::uint64_t kReset = 64;            // section 8.1
inline constexpr std::uint64_t kLargeDatagrams = 128;  // section 10
inline constexpr std::uint64_t kAckRanges = 256;       // section 5.2
inline constexpr std::uint64_t kPathProbing = 512;     // section 7.1; with roaming alone
inline constexpr std::uint64_t kEcn = 1024;            // section 5.3; with acknowledgement ranges alone
inline constexpr std::uint64_t kPortSearch = 2048;     // section 7.2; with path probing alone
}  // namespace capability
// What this implementation has.
inline constexpr std::uint64_t kOwnCapabilities =
    capability::kKeyUpdate | capability::kRoaming | capability::kFlowControl | capability::kCoalescing |
    capability::kCloseCode | capability::kOpenStreams | capability::kReset | capability::kLargeDatagrams |
    capability::kAckRanges | capability::kPathProbing | capability::kEcn | capability::kPortSearch;

struct TransportParameters {
  std::uint64_t capabilities = 0;
  ConnectionTag connection_tag{};
  std::uint16_t largest_datagram = 0;       // that the sender of the parameters accepts
  std::uint64_t initial_credit = 0;         // bytes of all streams together that the reader may send at first
  std::uint64_t initial_stream_credit = 0;  // the same of each stream
  std::uint64_t timestamp = 0;              // milliseconds, never falls from one intro of a peer to the next
  ResetToken reset_token{};                 // zero without capability::kReset
  std::optional<Cookie> cookie = {};        // of an answer

  friend bool operator==(const TransportParameters&, const TransportParameters&) = default;
};
// Of the parameters that a Godwit sends.
inline constexpr std::size_t kMaxParametersSize =
    (2 + 8) + (2 + 4) + (2 + 2) + (2 + 8) + (2 + 8) + (2 + 8) + (2 + 16) + (2 + kCookieSize);

// Returns the number of bytes: the token is written where capability::kReset is.
std::size_t encode_parameters(const TransportParameters& parameters, std::span<std::uint8_t, kMaxParametersSize> out);
// Nothing when a parameter is cut short, has the wrong length, comes twice or is missing, or the largest datagram is
// below 1200 bytes. A token without its capability, or the reverse, counts as missing. Unknown types are skipped.
[[nodiscard]] std::optional<TransportParameters> decode_parameters(ByteView bytes);

}  // namespace godwit::wire
