#include "channel/channel_codec.h"

#include <algorithm>
#include <variant>

#include "wire/fields.h"

namespace godwit {
namespace {

constexpr std::uint8_t kTypeRefused = 1;
constexpr std::uint8_t kTypeDelivered = 2;
constexpr std::uint8_t kTypeListen = 3;
constexpr std::uint8_t kTypeListenAnswer = 4;

using wire::FieldReader;
using wire::FieldWriter;

bool begins_with_magic(ByteView bytes) {
  const std::size_t count = std::min(bytes.size(), kChannelMagic.size());
  return std::equal(kChannelMagic.begin(), kChannelMagic.begin() + static_cast<std::ptrdiff_t>(count), bytes.begin());
}

struct Encoder {
  std::vector<std::uint8_t> operator()(const ChannelRefused& message) const {
    return FieldWriter(kChannelMagic)
        .number(kTypeRefused)
        .number(message.channel)
        .number(static_cast<std::uint8_t>(message.code))
        .text(message.text, kMaxChannelText)
        .take();
  }
  std::vector<std::uint8_t> operator()(const ChannelDelivered& message) const {
    return FieldWriter(kChannelMagic).number(kTypeDelivered).number(message.channel).number(message.bytes).take();
  }
  std::vector<std::uint8_t> operator()(const ListenRequest& message) const {
    return FieldWriter(kChannelMagic)
        .number(kTypeListen)
        .number(message.request)
        .text(message.text, kMaxChannelText)
        .take();
  }
  std::vector<std::uint8_t> operator()(const ListenAnswer& message) const {
    return FieldWriter(kChannelMagic)
        .number(kTypeListenAnswer)
        .number(message.request)
        .number(static_cast<std::uint8_t>(message.code))
        .text(message.text, kMaxChannelText)
        .take();
  }
};

}  // namespace

std::string_view channel_code_text(ChannelCode code) {
  switch (code) {
    case ChannelCode::kNone: return "for no stated reason";
    case ChannelCode::kNotAllowed: return "not allowed";
    case ChannelCode::kUnreachable: return "the target cannot be reached";
    case ChannelCode::kNotFound: return "the target has no address";
    case ChannelCode::kTimeout: return "the target does not answer";
    case ChannelCode::kTooMany: return "too many channels";
    case ChannelCode::kReset: return "the connection was reset";
    case ChannelCode::kReaderGone: return "nobody reads any more";
    case ChannelCode::kUnknownKind: return "not served there";
    case ChannelCode::kProtocol: return "the protocol was broken";
    case ChannelCode::kInterrupted: return "interrupted";
    case ChannelCode::kReadFailed: return "the input cannot be read";
  }
  return "for an unknown reason";
}

ChannelCode channel_code(std::uint64_t value) {
  constexpr auto kLast = static_cast<std::uint64_t>(ChannelCode::kReadFailed);
  return value <= kLast ? static_cast<ChannelCode>(value) : ChannelCode::kNone;
}

std::vector<std::uint8_t> encode_channel_header(const ChannelHeader& header) {
  constexpr std::uint8_t kReserved = 0;
  return FieldWriter(kChannelMagic)
      .number(static_cast<std::uint8_t>(header.kind))
      .number(kReserved)
      .number(header.channel)
      .text(header.text, kMaxChannelText)
      .take();
}

DecodedChannelHeader decode_channel_header(ByteView bytes) {
  DecodedChannelHeader result;
  if (!begins_with_magic(bytes)) {
    result.state = HeaderState::kInvalid;
    return result;
  }
  if (bytes.size() < kChannelHeader) return result;
  FieldReader reader(bytes.subspan(kChannelMagic.size()));
  result.header.kind = static_cast<ChannelKind>(reader.number<std::uint8_t>());
  static_cast<void>(reader.number<std::uint8_t>());
  result.header.channel = reader.number<std::uint32_t>();
  const std::size_t length = load_le<std::uint16_t>(bytes.data() + kChannelHeader - 2);
  if (length > kMaxChannelText) {
    result.state = HeaderState::kInvalid;
    return result;
  }
  result.header.text = reader.text();
  if (!reader.complete()) return result;
  result.state = HeaderState::kComplete;
  result.bytes = kChannelHeader + length;
  return result;
}

std::vector<std::uint8_t> encode_channel_message(const ChannelMessage& message) {
  return std::visit(Encoder{}, message);
}

bool is_channel_message(ByteView bytes) {
  return bytes.size() > kChannelMagic.size() && begins_with_magic(bytes);
}

std::optional<ChannelMessage> decode_channel_message(ByteView bytes) {
  if (!is_channel_message(bytes)) return std::nullopt;
  FieldReader reader(bytes.subspan(kChannelMagic.size()));
  std::optional<ChannelMessage> result;
  // The members of a braced list are read in order.
  switch (reader.number<std::uint8_t>()) {
    case kTypeRefused:
      result = ChannelRefused{.channel = reader.number<std::uint32_t>(),
                              .code = channel_code(reader.number<std::uint8_t>()),
                              .text = reader.text()};
      break;
    case kTypeDelivered:
      result = ChannelDelivered{.channel = reader.number<std::uint32_t>(), .bytes = reader.number<std::uint64_t>()};
      break;
    case kTypeListen: result = ListenRequest{.request = reader.number<std::uint32_t>(), .text = reader.text()}; break;
    case kTypeListenAnswer:
      result = ListenAnswer{.request = reader.number<std::uint32_t>(),
                            .code = channel_code(reader.number<std::uint8_t>()),
                            .text = reader.text()};
      break;
    default: break;
  }
  return reader.complete() ? result : std::nullopt;
}

}  // namespace godwit
