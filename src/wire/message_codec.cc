#include "wire/message_codec.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "wire/bincode.h"
#include "wire/utf8.h"

namespace godwit::wire {
namespace {

// Indices of the wire (wire spec 2.2), in the order of the deployed declaration.
constexpr std::uint32_t kAckConnection = 0;
constexpr std::uint32_t kShortMessage = 1;
constexpr std::uint32_t kNoOp = 3;
constexpr std::uint32_t kPing = 4;
constexpr std::uint32_t kPong = 5;
constexpr std::uint32_t kAckConnectionV2 = 6;
constexpr std::uint32_t kUpgrade = 7;

constexpr std::uint32_t kResultOk = 0;
constexpr std::uint32_t kResultError = 1;

constexpr std::uint32_t kAddressIpv4 = 0;
constexpr std::uint32_t kAddressIpv6 = 1;

constexpr std::uint32_t kUpgradeOffer = 0;
constexpr std::uint32_t kUpgradeAccept = 1;
constexpr std::uint32_t kUpgradeDecline = 2;

constexpr std::uint8_t kOptionNone = 0;
constexpr std::uint8_t kOptionSome = 1;

constexpr std::size_t kUpgradeOverhead = kMessageOverhead + 4;  // and the inner index

// --- Decoding ---
// Each step fills the message where it stays and says what is wrong with it. A failed Reader yields zeros, and zero is
// a valid index or tag everywhere, so no step mistakes a truncated field for a bad one; decode() asks the Reader at the
// end.

using Fault = std::optional<DecodeError>;

// Makes `message` an empty T in its place. emplace() would do, but it brings the exception of std::get into a library
// that throws nothing; an assignment would move, which costs more than reading the fields.
template <typename T>
T& put(Message& message) {
  static_assert(std::is_nothrow_default_constructible_v<T>);
  std::destroy_at(&message);
  return *std::get_if<T>(std::construct_at(&message, std::in_place_type<T>));
}

template <std::size_t kSize>
std::array<std::uint8_t, kSize> read_array(Reader& reader) {
  std::array<std::uint8_t, kSize> array{};
  std::ranges::copy(reader.read_bytes(kSize), array.begin());
  return array;
}

Fault read_address(Reader& reader, SocketAddress& address) {
  const auto family = reader.read<std::uint32_t>();
  if (family == kAddressIpv4) {
    const auto octets = read_array<4>(reader);
    address = SocketAddress::ipv4(octets, reader.read<std::uint16_t>());
  } else if (family == kAddressIpv6) {
    const auto octets = read_array<16>(reader);
    address = SocketAddress::ipv6(octets, reader.read<std::uint16_t>());
  } else {
    return DecodeError::kBadAddress;
  }
  return std::nullopt;
}

Fault read_ack_ok(Reader& reader, bool with_version, AckOk& ack) {
  ack.key = SymmetricKey(read_array<kSymmetricKeySize>(reader));
  const Fault fault = read_address(reader, ack.remote_address);
  if (with_version) ack.version = read_array<kVersionSize>(reader);
  return fault;
}

Fault read_ack_error(Reader& reader, AckError& error) {
  const ByteView text = reader.read_buffer();
  error.text = {reinterpret_cast<const char*>(text.data()), text.size()};
  return is_valid_utf8(text) ? std::nullopt : Fault(DecodeError::kBadUtf8);
}

Fault read_ack(Reader& reader, Message& message) {
  const auto result = reader.read<std::uint32_t>();
  if (result == kResultOk) return read_ack_ok(reader, false, put<AckOk>(message));
  if (result == kResultError) return read_ack_error(reader, put<AckError>(message));
  return DecodeError::kBadResult;
}

Fault read_fragment(Reader& reader, StreamFragment& fragment) {
  fragment.stream_id = reader.read<std::uint32_t>();
  fragment.total_length = reader.read<std::uint64_t>();
  fragment.number = reader.read<std::uint32_t>();
  fragment.payload = reader.read_buffer();
  const auto option = reader.read<std::uint8_t>();
  if (option == kOptionNone) return std::nullopt;
  if (option != kOptionSome) return DecodeError::kBadOption;
  fragment.metadata = reader.read_buffer();
  return std::nullopt;
}

Fault read_upgrade(Reader& reader, Message& message) {
  const auto control = reader.read<std::uint32_t>();
  const auto attempt = reader.read<std::uint32_t>();
  if (control == kUpgradeOffer) {
    put<UpgradeOffer>(message) = {.attempt = attempt, .capabilities = reader.read<std::uint32_t>()};
  } else if (control == kUpgradeAccept) {
    put<UpgradeAccept>(message) = {.attempt = attempt};
  } else if (control == kUpgradeDecline) {
    put<UpgradeDecline>(message) = {.attempt = attempt, .reason = reader.read<std::uint8_t>()};
  } else {
    return DecodeError::kUnknownUpgrade;
  }
  return std::nullopt;
}

Fault read_message(Reader& reader, Message& message) {
  switch (reader.read<std::uint32_t>()) {
    case kAckConnection: return read_ack(reader, message);
    case kShortMessage: put<ShortMessage>(message).payload = reader.read_buffer(); return std::nullopt;
    case kStreamFragmentVariant: return read_fragment(reader, put<StreamFragment>(message));
    case kNoOp: put<NoOp>(message); return std::nullopt;
    case kPing: put<Ping>(message).sequence = reader.read<std::uint64_t>(); return std::nullopt;
    case kPong: put<Pong>(message).sequence = reader.read<std::uint64_t>(); return std::nullopt;
    case kAckConnectionV2: return read_ack_ok(reader, true, put<AckOk>(message));
    case kUpgrade: return read_upgrade(reader, message);
    default: return DecodeError::kUnknownVariant;
  }
}

// --- Encoding ---

// std::visit without its exception for a variant that lost its value, which a Message never does.
template <std::size_t kIndex = 0, typename Visitor>
std::size_t with_alternative(const Message& message, const Visitor& visitor) {
  if constexpr (kIndex < std::variant_size_v<Message>) {
    if (const auto* const alternative = std::get_if<kIndex>(&message)) return visitor(*alternative);
    return with_alternative<kIndex + 1>(message, visitor);
  } else {
    return 0;
  }
}

std::size_t address_size(const SocketAddress& address) {
  return 4 + (address.is_ipv4() ? 4U : 16U) + 2;
}

void write_header(Writer& writer, std::uint32_t packet_id, Acks acks, std::uint32_t variant) {
  writer.write(packet_id);
  writer.write<std::uint64_t>(acks.size());
  writer.write_elements(acks);
  writer.write(variant);
}

void write_address(Writer& writer, const SocketAddress& address) {
  // An address to be encoded is that of a datagram's sender; one without a family is the caller's mistake.
  GODWIT_ASSERT(address.is_specified());
  writer.write(address.is_ipv4() ? kAddressIpv4 : kAddressIpv6);
  writer.write_bytes(ByteView(address.octets()).first(address.is_ipv4() ? 4 : 16));
  writer.write(address.port());
}

void write_fragment_head(Writer& writer, std::uint32_t packet_id, Acks acks, const StreamFragment& fragment) {
  write_header(writer, packet_id, acks, kStreamFragmentVariant);
  writer.write(fragment.stream_id);
  writer.write(fragment.total_length);
  writer.write(fragment.number);
  writer.write<std::uint64_t>(fragment.payload.size());
}

void write_fragment_tail(Writer& writer, const StreamFragment& fragment) {
  writer.write(fragment.metadata ? kOptionSome : kOptionNone);
  if (fragment.metadata) writer.write_buffer(*fragment.metadata);
}

std::size_t encode_sequence(MutableBytes out, std::uint32_t packet_id, Acks acks, std::uint32_t variant,
                            std::uint64_t sequence) {
  Writer writer(out);
  write_header(writer, packet_id, acks, variant);
  writer.write(sequence);
  return writer.size();
}

Writer begin_upgrade(MutableBytes out, std::uint32_t packet_id, Acks acks, std::uint32_t control,
                     std::uint32_t attempt) {
  Writer writer(out);
  write_header(writer, packet_id, acks, kUpgrade);
  writer.write(control);
  writer.write(attempt);
  return writer;
}

}  // namespace

std::string_view to_string(DecodeError error) {
  switch (error) {
    case DecodeError::kTruncated: return "truncated";
    case DecodeError::kAcksTooLong: return "acknowledgements too long";
    case DecodeError::kUnknownVariant: return "unknown variant";
    case DecodeError::kUnknownUpgrade: return "unknown upgrade";
    case DecodeError::kBadOption: return "bad option";
    case DecodeError::kBadResult: return "bad result";
    case DecodeError::kBadAddress: return "bad address";
    case DecodeError::kBadUtf8: return "bad utf-8";
  }
  return "unknown";
}

std::expected<Packet, DecodeError> decode(ByteView plaintext) {
  std::expected<Packet, DecodeError> result;
  Reader reader(plaintext);
  result->packet_id = reader.read<std::uint32_t>();
  const auto ack_count = reader.read<std::uint64_t>();
  Fault fault;
  // Divided, not multiplied: the count is any u64.
  if (ack_count > reader.remaining() / kAckSize) {
    fault = DecodeError::kAcksTooLong;
  } else {
    result->acks.raw = reader.read_bytes(ack_count * kAckSize);
    fault = read_message(reader, result->message);
    if (reader.failed()) fault = DecodeError::kTruncated;
  }
  if (fault) {
    result = std::unexpected(*fault);
  } else {
    result->trailing = reader.rest();
  }
  return result;
}

std::size_t encoded_size(const AckOk& message) {
  const std::size_t common = kMessageOverhead + kSymmetricKeySize + address_size(message.remote_address);
  return common + (message.version ? kVersionSize : 4);  // the legacy form has a result index instead
}
std::size_t encoded_size(const AckError& message) {
  return kMessageOverhead + 4 + 8 + message.text.size();
}
std::size_t encoded_size(const ShortMessage& message) {
  return kShortMessageOverhead + message.payload.size();
}
std::size_t encoded_size(const StreamFragment& message) {
  const std::size_t metadata = message.metadata ? kMetadataOverhead + message.metadata->size() : 0;
  return kFragmentOverhead + message.payload.size() + metadata;
}
std::size_t encoded_size(const NoOp& /*message*/) {
  return kMessageOverhead;
}
std::size_t encoded_size(const Ping& /*message*/) {
  return kPingSize;
}
std::size_t encoded_size(const Pong& /*message*/) {
  return kPingSize;
}
std::size_t encoded_size(const UpgradeOffer& /*message*/) {
  return kUpgradeOverhead + 8;
}
std::size_t encoded_size(const UpgradeAccept& /*message*/) {
  return kUpgradeOverhead + 4;
}
std::size_t encoded_size(const UpgradeDecline& /*message*/) {
  return kUpgradeOverhead + 5;
}
std::size_t encoded_size(const Message& message) {
  return with_alternative(message, [](const auto& kind) { return encoded_size(kind); });
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const AckOk& message) {
  Writer writer(out);
  write_header(writer, packet_id, acks, message.version ? kAckConnectionV2 : kAckConnection);
  if (!message.version) writer.write(kResultOk);
  writer.write_bytes(message.key.bytes());
  write_address(writer, message.remote_address);
  if (message.version) writer.write_bytes(*message.version);
  return writer.size();
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const AckError& message) {
  if (!is_valid_utf8(as_bytes(message.text))) return 0;
  Writer writer(out);
  write_header(writer, packet_id, acks, kAckConnection);
  writer.write(kResultError);
  writer.write_buffer(as_bytes(message.text));
  return writer.size();
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const ShortMessage& message) {
  Writer writer(out);
  write_header(writer, packet_id, acks, kShortMessage);
  writer.write_buffer(message.payload);
  return writer.size();
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const StreamFragment& message) {
  Writer writer(out);
  write_fragment_head(writer, packet_id, acks, message);
  writer.write_bytes(message.payload);
  write_fragment_tail(writer, message);
  return writer.size();
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const NoOp& /*message*/) {
  Writer writer(out);
  write_header(writer, packet_id, acks, kNoOp);
  return writer.size();
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const Ping& message) {
  return encode_sequence(out, packet_id, acks, kPing, message.sequence);
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const Pong& message) {
  return encode_sequence(out, packet_id, acks, kPong, message.sequence);
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const UpgradeOffer& message) {
  Writer writer = begin_upgrade(out, packet_id, acks, kUpgradeOffer, message.attempt);
  writer.write(message.capabilities);
  return writer.size();
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const UpgradeAccept& message) {
  return begin_upgrade(out, packet_id, acks, kUpgradeAccept, message.attempt).size();
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const UpgradeDecline& message) {
  Writer writer = begin_upgrade(out, packet_id, acks, kUpgradeDecline, message.attempt);
  writer.write(message.reason);
  return writer.size();
}

std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const Message& message) {
  return with_alternative(message, [&](const auto& kind) { return encode(out, packet_id, acks, kind); });
}

std::size_t encode_short_message_head(MutableBytes out, std::uint32_t packet_id, Acks acks,
                                      std::uint64_t payload_length) {
  Writer writer(out);
  write_header(writer, packet_id, acks, kShortMessage);
  writer.write(payload_length);
  return writer.size();
}

std::size_t encode_fragment_head(MutableBytes out, std::uint32_t packet_id, Acks acks, const StreamFragment& fragment) {
  Writer writer(out);
  write_fragment_head(writer, packet_id, acks, fragment);
  return writer.size();
}

std::size_t encode_fragment_tail(MutableBytes out, const StreamFragment& fragment) {
  Writer writer(out);
  write_fragment_tail(writer, fragment);
  return writer.size();
}

}  // namespace godwit::wire
