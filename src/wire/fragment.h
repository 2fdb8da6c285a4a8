// The short path of the packet that makes up nearly all traffic: a stream fragment without acknowledgements and
// metadata, the only kind that fills a datagram (wire spec 2.4: 41 + 1130 = 1171). Its plaintext is 40 bytes of header,
// the payload and one byte 00. FragmentTemplate writes the header, SendStream owns one per stream; peek_fragment reads
// it.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/bytes.h"
#include "wire/limits.h"

namespace godwit::wire {

// Offsets of the header, for a packet without acknowledgements (wire spec 2.2).
//   0 packet id   4 acknowledgement count = 0   12 variant = 2   16 stream id   20 total   28 number   32 payload
//   length
struct FragmentOffsets {
  static constexpr std::size_t kPacketId = 0;
  static constexpr std::size_t kAckCount = 4;
  static constexpr std::size_t kVariant = 12;
  static constexpr std::size_t kStreamId = 16;
  static constexpr std::size_t kTotal = 20;
  static constexpr std::size_t kNumber = 28;
  static constexpr std::size_t kPayloadLength = 32;
};

inline constexpr std::uint32_t kStreamFragmentVariant = 2;

// What follows the payload of a fragment without metadata: the option byte "none".
inline constexpr std::array<std::uint8_t, 1> kFragmentTail{0x00};

// The header of one stream's fragments with everything that does not change filled in.
class FragmentTemplate {
 public:
  FragmentTemplate(std::uint32_t stream_id, std::uint64_t total_length) {
    store_le<std::uint32_t>(&header_[FragmentOffsets::kVariant], kStreamFragmentVariant);
    store_le<std::uint32_t>(&header_[FragmentOffsets::kStreamId], stream_id);
    store_le<std::uint64_t>(&header_[FragmentOffsets::kTotal], total_length);
  }

  // Writes the 40 bytes before the payload to `out`; after the payload goes kFragmentTail.
  void write(std::uint8_t* out, std::uint32_t packet_id, std::uint32_t number, std::uint64_t payload_length) const {
    std::memcpy(out, header_.data(), kFragmentHeader);
    store_le<std::uint32_t>(out + FragmentOffsets::kPacketId, packet_id);
    store_le<std::uint32_t>(out + FragmentOffsets::kNumber, number);
    store_le<std::uint64_t>(out + FragmentOffsets::kPayloadLength, payload_length);
  }

 private:
  std::array<std::uint8_t, kFragmentHeader> header_{};
};

// A fragment as the short path sees it. `payload` is a view of the plaintext.
struct StreamFragmentHeader {
  std::uint32_t packet_id = 0;
  std::uint32_t stream_id = 0;
  std::uint64_t total_length = 0;
  std::uint32_t number = 0;
  ByteView payload;
};

// The fragment in `plaintext` when it is a well-formed one without acknowledgements and metadata; nothing for
// everything else, which then goes to decode(). Trailing bytes are accepted. Agrees with decode() on every input.
[[nodiscard]] inline std::optional<StreamFragmentHeader> peek_fragment(ByteView plaintext) {
  if (plaintext.size() < kFragmentOverhead) return std::nullopt;
  const std::uint8_t* const at = plaintext.data();
  if (load_le<std::uint64_t>(at + FragmentOffsets::kAckCount) != 0) return std::nullopt;
  if (load_le<std::uint32_t>(at + FragmentOffsets::kVariant) != kStreamFragmentVariant) return std::nullopt;
  const std::uint64_t length = load_le<std::uint64_t>(at + FragmentOffsets::kPayloadLength);
  if (length > plaintext.size() - kFragmentOverhead) return std::nullopt;
  const std::size_t payload_length = static_cast<std::size_t>(length);
  if (at[kFragmentHeader + payload_length] != kFragmentTail[0]) return std::nullopt;
  return StreamFragmentHeader{.packet_id = load_le<std::uint32_t>(at + FragmentOffsets::kPacketId),
                              .stream_id = load_le<std::uint32_t>(at + FragmentOffsets::kStreamId),
                              .total_length = load_le<std::uint64_t>(at + FragmentOffsets::kTotal),
                              .number = load_le<std::uint32_t>(at + FragmentOffsets::kNumber),
                              .payload = plaintext.subspan(kFragmentHeader, payload_length)};
}

}  // namespace godwit::wire
