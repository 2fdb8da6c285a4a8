// The first look at a received datagram, before any decryption: what byte 0 and the length alone decide (wire spec 1.1,
// 1.5). Endpoint::receive calls it for every datagram from every address; what it says to drop is counted and dropped
// without reply and without touching a connection or handshake (conformance item 13).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "wire/limits.h"

namespace godwit::wire {

enum class PacketType : std::uint8_t { kIntro, kSymmetric, kQuic, kUnassigned };

[[nodiscard]] constexpr PacketType packet_type(std::uint8_t first_byte) {
  if (first_byte == kTypeSymmetric) return PacketType::kSymmetric;
  if (first_byte == kTypeIntro) return PacketType::kIntro;
  return first_byte >= kFirstQuicType ? PacketType::kQuic : PacketType::kUnassigned;
}

// The first two are worth a decryption, the third in sessions with larger datagrams, and all others are reasons to
// drop.
enum class DatagramClass : std::uint8_t {
  kSymmetric,      // 29 to 1500 bytes; fewer than 16 bytes of plaintext still prove the key, and decode to nothing
  kIntro,          // 73 to 1500 bytes
  kLongSymmetric,  // 1501 to 8900 bytes: of extended sessions alone (docs/extended_sessions.md, section 10)
  kEmpty,
  kUnassigned,      // byte 0 is 00 or 03 … 3F
  kQuic,            // byte 0 is 40 … FF
  kShortSymmetric,  // below 29 bytes: has no room for nonce and tag (wire spec W7)
  kShortIntro,      // below 73 bytes: cannot hold 24 bytes of plaintext, not worth an X25519 (conformance item 6)
  kTooLong,         // above these
};

[[nodiscard]] constexpr DatagramClass classify(ByteView datagram) {
  if (datagram.empty()) return DatagramClass::kEmpty;
  const std::size_t size = datagram.size();
  switch (packet_type(datagram[0])) {
    case PacketType::kSymmetric:
      if (size < kDatagramOverhead) return DatagramClass::kShortSymmetric;
      if (size <= kMaxReceivedDatagram) return DatagramClass::kSymmetric;
      return size > kMaxLargeDatagram ? DatagramClass::kTooLong : DatagramClass::kLongSymmetric;
    case PacketType::kIntro:
      if (size < kIntroDatagram) return DatagramClass::kShortIntro;
      return size > kMaxReceivedDatagram ? DatagramClass::kTooLong : DatagramClass::kIntro;
    case PacketType::kQuic: return DatagramClass::kQuic;
    case PacketType::kUnassigned: return DatagramClass::kUnassigned;
  }
  return DatagramClass::kUnassigned;
}

[[nodiscard]] constexpr bool worth_opening(DatagramClass datagram_class) {
  return datagram_class == DatagramClass::kSymmetric || datagram_class == DatagramClass::kIntro;
}

// The enumerator in words, for traces.
[[nodiscard]] constexpr std::string_view to_string(DatagramClass datagram_class) {
  switch (datagram_class) {
    case DatagramClass::kSymmetric: return "symmetric";
    case DatagramClass::kIntro: return "intro";
    case DatagramClass::kLongSymmetric: return "long symmetric";
    case DatagramClass::kEmpty: return "empty";
    case DatagramClass::kUnassigned: return "unassigned type";
    case DatagramClass::kQuic: return "quic type";
    case DatagramClass::kShortSymmetric: return "short symmetric";
    case DatagramClass::kShortIntro: return "short intro";
    case DatagramClass::kTooLong: return "too long";
  }
  return "unknown";
}

}  // namespace godwit::wire
