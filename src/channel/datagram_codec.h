// What the two sides of a forwarded UDP port say (docs/channels.md section 7): an association is opened with a message
// that is sent until it arrives, its datagrams are messages that are sent once, and what is too long for one is cut
// into parts. Values <-> bytes; views of a decoded value point into the bytes. Invariant: decoding is total: any bytes
// yield a message or nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "channel/channel_codec.h"
#include "wire/limits.h"

namespace godwit {

inline constexpr std::size_t kDatagramHeader = 14;
inline constexpr std::size_t kMaxPartBytes = wire::kShortMessageLimit - kDatagramHeader;
inline constexpr std::size_t kMaxParts = 16;
inline constexpr std::size_t kMaxForwardedDatagram = kMaxPartBytes * kMaxParts;
// Of the first datagram, in the message that opens: beside the longest text.
inline constexpr std::size_t kMaxFirstBytes = 512;

// Datagrams between one address at the opener's side and what the text names.
struct AssociationOpen {
  std::uint32_t association = 0;            // chosen by the opener
  ChannelKind kind = ChannelKind::kTarget;  // or kArrival
  std::string_view text;
  bool has_first = false;
  ByteView first;  // datagram, at most kMaxFirstBytes
};
// By the opener or by the other side; datagrams of it that still come belong to nobody.
struct AssociationEnded {
  std::uint32_t association = 0;
  bool by_opener = false;
  ChannelCode code = ChannelCode::kNone;
};
struct DatagramPart {
  std::uint32_t association = 0;
  bool by_opener = false;
  std::uint16_t datagram = 0;  // counts the sender's datagrams of the association
  std::uint8_t index = 0;
  std::uint8_t count = 1;  // 1 to kMaxParts; all parts but the last have kMaxPartBytes
  ByteView bytes;
};
using DatagramMessage = std::variant<AssociationOpen, AssociationEnded, DatagramPart>;

[[nodiscard]] std::vector<std::uint8_t> encode_datagram_message(const DatagramMessage& message);
// Nothing for what is none, is cut short or makes no sense.
[[nodiscard]] std::optional<DatagramMessage> decode_datagram_message(ByteView bytes);

// Puts the parts of one direction of an association together again: of the latest datagram alone, so that it holds at
// most kMaxForwardedDatagram bytes.
class DatagramAssembler {
 public:
  // The whole datagram, once its last part has come; valid until the next call.
  [[nodiscard]] std::optional<ByteView> add(const DatagramPart& part);
  // Datagrams that another one overtook before all their parts had come.
  [[nodiscard]] std::uint64_t incomplete() const { return incomplete_; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t size_ = 0;
  std::uint32_t missing_ = 0;  // parts, as bits
  std::uint8_t count_ = 0;
  std::uint16_t datagram_ = 0;
  std::uint64_t incomplete_ = 0;
};

}  // namespace godwit
