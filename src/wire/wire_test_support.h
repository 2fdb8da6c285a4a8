// What the tests of wire/ share: hexadecimal literals as the specification writes them, comparison of messages, and a
// seeded generator of arbitrary packets. For tests only.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/random.h"
#include "wire/message_codec.h"

namespace godwit::wire::test {

using Bytes = std::vector<std::uint8_t>;

// "01 00 | de ad": blanks and bars are for the reader.
inline Bytes hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '|' && c != '\n') digits.push_back(c);
  }
  const auto bytes = from_hex(digits);
  GODWIT_ASSERT(bytes.has_value());
  return *bytes;
}

// The key whose bytes count up from `first`: a0 … af and b0 … bf in the specification's examples.
inline SymmetricKey key_from(std::uint8_t first) {
  std::array<std::uint8_t, kSymmetricKeySize> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return SymmetricKey(bytes);
}

inline bool same(ByteView a, ByteView b) {
  return std::ranges::equal(a, b);
}
inline bool same(const AckOk& a, const AckOk& b) {
  return a.key == b.key && a.remote_address == b.remote_address && a.version == b.version;
}
inline bool same(const AckError& a, const AckError& b) {
  return a.text == b.text;
}
inline bool same(const ShortMessage& a, const ShortMessage& b) {
  return same(a.payload, b.payload);
}
inline bool same(const StreamFragment& a, const StreamFragment& b) {
  return a.stream_id == b.stream_id && a.total_length == b.total_length && a.number == b.number &&
         same(a.payload, b.payload) && a.metadata.has_value() == b.metadata.has_value() &&
         (!a.metadata || same(*a.metadata, *b.metadata));
}
inline bool same(const NoOp&, const NoOp&) {
  return true;
}
inline bool same(const Ping& a, const Ping& b) {
  return a.sequence == b.sequence;
}
inline bool same(const Pong& a, const Pong& b) {
  return a.sequence == b.sequence;
}
inline bool same(const UpgradeOffer& a, const UpgradeOffer& b) {
  return a.attempt == b.attempt && a.capabilities == b.capabilities;
}
inline bool same(const UpgradeAccept& a, const UpgradeAccept& b) {
  return a.attempt == b.attempt;
}
inline bool same(const UpgradeDecline& a, const UpgradeDecline& b) {
  return a.attempt == b.attempt && a.reason == b.reason;
}
inline bool same(const Message& a, const Message& b) {
  return std::visit(
      [](const auto& left, const auto& right) {
        if constexpr (std::is_same_v<decltype(left), decltype(right)>) {
          return same(left, right);
        } else {
          return false;
        }
      },
      a, b);
}
inline bool same(const AckList& decoded, Acks acks) {
  return decoded.size() == acks.size() && std::equal(decoded.begin(), decoded.end(), acks.begin());
}

inline Bytes encoded(std::uint32_t packet_id, Acks acks, const Message& message) {
  Bytes bytes(encoded_size(message) + acks.size() * kAckSize);
  const std::size_t size = encode(bytes, packet_id, acks, message);
  GODWIT_ASSERT(size == bytes.size());
  return bytes;
}

inline bool within(ByteView part, ByteView whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// Whether every view of a decoded packet lies in its plaintext, and encoding it again gives the same bytes.
inline bool is_sound(const Packet& packet, ByteView plaintext) {
  if (!within(packet.acks.raw, plaintext) || !within(packet.trailing, plaintext)) return false;
  if (const auto* const fragment = std::get_if<StreamFragment>(&packet.message)) {
    if (!within(fragment->payload, plaintext) || !within(fragment->metadata.value_or(ByteView{}), plaintext))
      return false;
  } else if (const auto* const message = std::get_if<ShortMessage>(&packet.message)) {
    if (!within(message->payload, plaintext)) return false;
  } else if (const auto* const error = std::get_if<AckError>(&packet.message)) {
    if (!within(as_bytes(error->text), plaintext)) return false;
  }

  const std::vector<std::uint32_t> acks(packet.acks.begin(), packet.acks.end());
  const Bytes again = encoded(packet.packet_id, acks, packet.message);
  const ByteView whole = plaintext.first(plaintext.size() - packet.trailing.size());
  // An IPv4-mapped IPv6 address is encoded as the IPv4 address it maps; everything else is canonical.
  constexpr std::size_t kMappedIsShorterBy = 12;
  const auto* const ack = std::get_if<AckOk>(&packet.message);
  if (ack != nullptr && ack->remote_address.is_ipv4() && again.size() + kMappedIsShorterBy == whole.size()) return true;
  return same(again, whole);
}

// Whether peek_fragment says of `plaintext` what the complete decoder says.
inline bool peek_agrees_with_decode(ByteView plaintext) {
  const auto quick = peek_fragment(plaintext);
  const auto packet = decode(plaintext);
  const auto* const fragment = packet ? std::get_if<StreamFragment>(&packet->message) : nullptr;
  if (fragment == nullptr || fragment->metadata || !packet->acks.empty()) return !quick;
  return quick && quick->packet_id == packet->packet_id && quick->stream_id == fragment->stream_id &&
         quick->total_length == fragment->total_length && quick->number == fragment->number &&
         quick->payload.data() == fragment->payload.data() && quick->payload.size() == fragment->payload.size();
}

// Arbitrary packets that are valid on the wire, of at most kMaxPlaintext bytes. Messages are views of this object's
// memory and valid until the next call.
class PacketGenerator {
 public:
  explicit PacketGenerator(std::uint64_t seed) : random_(seed) {}

  static constexpr std::size_t kKinds = std::variant_size_v<Message>;

  [[nodiscard]] RandomSource& random() { return random_; }

  Message message(std::size_t kind) {
    switch (kind) {
      case 0: return NoOp{};
      case 1: {
        AckOk ack{.key = SymmetricKey::generate(random_), .remote_address = address(), .version = std::nullopt};
        if (coin()) random_.fill(ack.version.emplace());
        return ack;
      }
      case 2: return AckError{.text = text()};
      case 3: return ShortMessage{.payload = fill(payload_storage_, kLargestShortMessage - kMostAckBytes)};
      case 4: {
        StreamFragment fragment{.stream_id = u32(),
                                .total_length = random_.next_u64(),
                                .number = u32(),
                                .payload = fill(payload_storage_, 500)};
        if (coin()) fragment.metadata = fill(metadata_storage_, 400);
        return fragment;
      }
      case 5: return Ping{.sequence = random_.next_u64()};
      case 6: return Pong{.sequence = random_.next_u64()};
      case 7: return UpgradeOffer{.attempt = u32(), .capabilities = u32()};
      case 8: return UpgradeAccept{.attempt = u32()};
      default: return UpgradeDecline{.attempt = u32(), .reason = static_cast<std::uint8_t>(u32())};
    }
  }
  Message message() { return message(random_.below(kKinds)); }

  Acks acks() {
    acks_.resize(coin() ? 0 : random_.below(kMostAckBytes / kAckSize + 1));
    for (std::uint32_t& ack : acks_) ack = u32();
    return acks_;
  }

  std::uint32_t u32() { return static_cast<std::uint32_t>(random_.next_u64()); }
  bool coin() { return (random_.next_u64() & 1) != 0; }

 private:
  static constexpr std::size_t kMostAckBytes = 80;

  ByteView fill(Bytes& storage, std::size_t most) {
    storage.resize(random_.below(most + 1));
    random_.fill(storage);
    return storage;
  }

  std::string_view text() {
    static constexpr std::array<std::string_view, 5> kPieces{"closed", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa6",
                                                             ""};
    text_storage_.clear();
    for (std::uint64_t i = random_.below(20); i > 0; --i) text_storage_ += kPieces[random_.below(kPieces.size())];
    return text_storage_;
  }

  SocketAddress address() {
    const auto port = static_cast<std::uint16_t>(u32());
    if (coin()) {
      std::array<std::uint8_t, 4> octets{};
      random_.fill(octets);
      return SocketAddress::ipv4(octets, port);
    }
    std::array<std::uint8_t, 16> octets{};
    random_.fill(octets);
    return SocketAddress::ipv6(octets, port);
  }

  DeterministicRandom random_;
  Bytes payload_storage_;
  Bytes metadata_storage_;
  std::string text_storage_;
  std::vector<std::uint32_t> acks_;
};

}  // namespace godwit::wire::test
