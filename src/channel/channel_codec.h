// What channels say (docs/channels.md): the header at the beginning of each stream, and control messages, each of them
// one short message. Values <-> bytes. Texts of a decoded value point into the bytes.
// Invariant: decoding is total: any bytes yield a value, the wish for more, or nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace godwit {

inline constexpr std::array<std::uint8_t, 4> kChannelMagic = {0x47, 0x57, 0x43, 0x01};  // "GWC", version 1
// Of a text, longer ones are cut.
inline constexpr std::size_t kMaxChannelText = 300;
// Of a stream's header before its text.
inline constexpr std::size_t kChannelHeader = 12;

// What a channel is for.
enum class ChannelKind : std::uint8_t {
  kAnswer = 0,   // of the stream of the side that accepts: it has no other kind
  kPipe = 1,     // standard input and output; no text
  kTarget = 2,   // a connection to the address that the text names, "HOST:PORT"
  kArrival = 3,  // a connection that has come to the address that the text names, listened at for the other side
};

// Why a channel was refused, reset or stopped; the application code of the transport's resets and stops.
enum class ChannelCode : std::uint8_t {
  kNone = 0,
  kNotAllowed = 1,
  kUnreachable = 2,   // the target refuses connections, or its host cannot be reached
  kNotFound = 3,      // the target's name has no address
  kTimeout = 4,       // the target does not answer
  kTooMany = 5,       // channels
  kReset = 6,         // the connection beyond this side was reset
  kReaderGone = 7,    // nobody reads what comes any more
  kUnknownKind = 8,   // not served here
  kProtocol = 9,      // what the other side said makes no sense
  kInterrupted = 10,  // by a signal, or the end of the program
  kReadFailed = 11,   // the input beyond this side cannot be read
};
// For a person: "not allowed".
[[nodiscard]] std::string_view channel_code_text(ChannelCode code);
// Of a number that came from a peer; kNone for an unknown one.
[[nodiscard]] ChannelCode channel_code(std::uint64_t value);

struct ChannelHeader {
  std::uint32_t channel = 0;
  ChannelKind kind = ChannelKind::kAnswer;
  std::string_view text;
};
[[nodiscard]] std::vector<std::uint8_t> encode_channel_header(const ChannelHeader& header);

enum class HeaderState : std::uint8_t { kIncomplete, kComplete, kInvalid };
struct DecodedChannelHeader {
  HeaderState state = HeaderState::kIncomplete;
  ChannelHeader header;   // when complete
  std::size_t bytes = 0;  // that it takes
};
// `bytes`: the beginning of a stream, as much as has come. kInvalid as soon as no continuation makes it a header; kinds
// that are not known are not invalid.
[[nodiscard]] DecodedChannelHeader decode_channel_header(ByteView bytes);

// The channel will not be: its opener gives it up.
struct ChannelRefused {
  std::uint32_t channel = 0;
  ChannelCode code = ChannelCode::kNone;
  std::string_view text;
};
// Everything that the receiver of this message has sent in the channel, so many bytes, has reached its goal.
struct ChannelDelivered {
  std::uint32_t channel = 0;
  std::uint64_t bytes = 0;
};
// Asks the other side to listen at an address, "HOST:PORT", for channels of kArrival with this text.
struct ListenRequest {
  std::uint32_t request = 0;
  std::string_view text;
};
struct ListenAnswer {
  std::uint32_t request = 0;
  ChannelCode code = ChannelCode::kNone;  // kNone: it listens
  std::string_view text;                  // the address, or why not
};
using ChannelMessage = std::variant<ChannelRefused, ChannelDelivered, ListenRequest, ListenAnswer>;

[[nodiscard]] std::vector<std::uint8_t> encode_channel_message(const ChannelMessage& message);
// Nothing for what is none, is cut short or has an unknown type. Bytes behind the fields are ignored.
[[nodiscard]] std::optional<ChannelMessage> decode_channel_message(ByteView bytes);
// Whether it is one at all.
[[nodiscard]] bool is_channel_message(ByteView bytes);

}  // namespace godwit
