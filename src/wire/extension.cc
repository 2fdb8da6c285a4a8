#include "wire/extension.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"
#include "wire/limits.h"

namespace godwit::wire {
namespace {

enum Parameter : std::uint8_t {
  kCapabilities = 1,
  kTag = 2,
  kLargestDatagram = 3,
  kInitialCredit = 4,
  kTimestamp = 5,
  kInitialStreamCredit = 6,
  kResetToken = 7,
  kCookie = 8
};
constexpr std::uint32_t kAllParameters = 1u << kCapabilities | 1u << kTag | 1u << kLargestDatagram |
                                         1u << kInitialCredit | 1u << kTimestamp | 1u << kInitialStreamCredit;

std::optional<std::size_t> length_of(std::uint8_t type) {
  switch (type) {
    case kCapabilities:
    case kInitialCredit:
    case kInitialStreamCredit:
    case kTimestamp: return 8;
    case kTag: return kConnectionTagSize;
    case kLargestDatagram: return 2;
    case kResetToken: return std::tuple_size_v<ResetToken>;
    case kCookie: return kCookieSize;
    default: return std::nullopt;
  }
}

template <typename T>
std::uint8_t* put(std::uint8_t* out, Parameter type, T value) {
  *out++ = type;
  *out++ = sizeof value;
  store_le(out, value);
  return out + sizeof value;
}

}  // namespace

void write_extension_header(std::array<std::uint8_t, kExtensionHeader>& out, std::size_t message_bytes) {
  GODWIT_ASSERT(message_bytes <= kMaxNoiseMessage);
  std::ranges::copy(kExtensionMarker, out.begin());
  out[kExtensionMarker.size()] = kExtensionVersion;
  store_le(&out[kExtensionMarker.size() + 1], static_cast<std::uint16_t>(message_bytes));
}

ExtensionSeen read_extension(ByteView trailing) {
  if (trailing.size() < kExtensionMarker.size() ||
      !std::ranges::equal(trailing.first(kExtensionMarker.size()), kExtensionMarker)) {
    return {};
  }
  if (trailing.size() < kExtensionHeader) return {.block = ExtensionBlock::kMalformed, .message = {}};
  const std::uint8_t* at = trailing.data() + kExtensionMarker.size();
  if (*at != kExtensionVersion) return {.block = ExtensionBlock::kLater, .message = {}};
  const std::size_t size = load_le<std::uint16_t>(at + 1);
  const ByteView rest = trailing.subspan(kExtensionHeader);
  if (size > kMaxNoiseMessage || (rest.size() != size && rest.size() != size + kCookieSize)) {
    return {.block = ExtensionBlock::kMalformed, .message = {}};
  }
  ExtensionSeen seen{.block = ExtensionBlock::kPresent, .message = rest.first(size)};
  if (rest.size() > size) std::ranges::copy(rest.subspan(size), seen.cookie.emplace().begin());
  return seen;
}

std::size_t encode_parameters(const TransportParameters& parameters, std::span<std::uint8_t, kMaxParametersSize> out) {
  std::uint8_t* at = put(out.data(), kCapabilities, parameters.capabilities);
  *at++ = kTag;
  *at++ = kConnectionTagSize;
  at = std::ranges::copy(parameters.connection_tag, at).out;
  at = put(at, kLargestDatagram, parameters.largest_datagram);
  at = put(at, kInitialCredit, parameters.initial_credit);
  at = put(at, kTimestamp, parameters.timestamp);
  at = put(at, kInitialStreamCredit, parameters.initial_stream_credit);
  if ((parameters.capabilities & capability::kReset) != 0) {
    *at++ = kResetToken;
    *at++ = static_cast<std::uint8_t>(parameters.reset_token.size());
    at = std::ranges::copy(parameters.reset_token, at).out;
  }
  if (parameters.cookie) {
    *at++ = Parameter::kCookie;
    *at++ = kCookieSize;
    at = std::ranges::copy(*parameters.cookie, at).out;
  }
  return static_cast<std::size_t>(at - out.data());
}

std::optional<TransportParameters> decode_parameters(ByteView bytes) {
  TransportParameters result;
  std::array<bool, 256> seen{};
  std::uint32_t found = 0;
  while (!bytes.empty()) {
    if (bytes.size() < 2) return std::nullopt;
    const std::uint8_t type = bytes[0];
    const std::size_t length = bytes[1];
    if (bytes.size() - 2 < length || std::exchange(seen[type], true)) return std::nullopt;
    const ByteView value = bytes.subspan(2, length);
    bytes = bytes.subspan(2 + length);
    const auto expected = length_of(type);
    if (!expected) continue;
    if (*expected != length) return std::nullopt;
    if (type != Parameter::kCookie) found |= 1u << type;
    switch (type) {
      case kCapabilities: result.capabilities = load_le<std::uint64_t>(value.data()); break;
      case kTag: std::ranges::copy(value, result.connection_tag.begin()); break;
      case kLargestDatagram: result.largest_datagram = load_le<std::uint16_t>(value.data()); break;
      case kInitialCredit: result.initial_credit = load_le<std::uint64_t>(value.data()); break;
      case kTimestamp: result.timestamp = load_le<std::uint64_t>(value.data()); break;
      case kResetToken: std::ranges::copy(value, result.reset_token.begin()); break;
      case kCookie: std::ranges::copy(value, result.cookie.emplace().begin()); break;
      case kInitialStreamCredit: result.initial_stream_credit = load_le<std::uint64_t>(value.data()); break;
      default: break;
    }
  }
  const bool resets = (result.capabilities & capability::kReset) != 0;
  if (found != (kAllParameters | (resets ? 1u << kResetToken : 0u)) || result.largest_datagram < kMaxDatagram)
    return std::nullopt;
  return result;
}

}  // namespace godwit::wire
