// Plaintext of a symmetric datagram <-> Packet (wire spec 2): bincode 1.3.3, trailing bytes allowed. Decoding is total:
// any bytes give a Packet or a DecodeError, nothing is read beyond the view, nothing is allocated. Encoding writes into
// the caller's memory, never allocates, and returns 0 instead of writing beyond it.
// Full fragments take the shorter way of fragment.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "base/bytes.h"
#include "wire/fragment.h"
#include "wire/message.h"

namespace godwit::wire {

// Acknowledgements to encode. Their number is the caller's to choose so that the packet fits: see encoded_size.
using Acks = std::span<const std::uint32_t>;

// The views of the result lie in `plaintext`.
[[nodiscard]] std::expected<Packet, DecodeError> decode(ByteView plaintext);

// Bytes that encode() writes for `message` without acknowledgements; each acknowledgement adds kAckSize.
[[nodiscard]] std::size_t encoded_size(const AckOk& message);
[[nodiscard]] std::size_t encoded_size(const AckError& message);
[[nodiscard]] std::size_t encoded_size(const ShortMessage& message);
[[nodiscard]] std::size_t encoded_size(const StreamFragment& message);
[[nodiscard]] std::size_t encoded_size(const NoOp& message);
[[nodiscard]] std::size_t encoded_size(const Ping& message);
[[nodiscard]] std::size_t encoded_size(const Pong& message);
[[nodiscard]] std::size_t encoded_size(const UpgradeOffer& message);
[[nodiscard]] std::size_t encoded_size(const UpgradeAccept& message);
[[nodiscard]] std::size_t encoded_size(const UpgradeDecline& message);
[[nodiscard]] std::size_t encoded_size(const Message& message);

// Writes one packet to the start of `out` and returns its size; 0 when `out` is too small, whose contents are then
// undefined. Payloads may not overlap `out`, except that one may already stand where it belongs.
//
// AckOk: with a version an AckConnectionV2, without one a legacy AckConnection Ok; the address must be specified.
// AckError: 0 also when the text is no UTF-8, which no peer would decode.
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const AckOk& message);
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const AckError& message);
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const ShortMessage& message);
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const StreamFragment& message);
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const NoOp& message);
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const Ping& message);
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const Pong& message);
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const UpgradeOffer& message);
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const UpgradeAccept& message);
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const UpgradeDecline& message);
[[nodiscard]] std::size_t encode(MutableBytes out, std::uint32_t packet_id, Acks acks, const Message& message);

// The same packets in pieces, for PacketSealer::seal_pieces: head ‖ payload ‖ tail is what encode() would write, and
// the payload is read once, where the application holds it. The heads return their size (24 + 4n, 40 + 4n for n
// acknowledgements), 0 when `out` is too small. A short message has no tail.
[[nodiscard]] std::size_t encode_short_message_head(MutableBytes out, std::uint32_t packet_id, Acks acks,
                                                    std::uint64_t payload_length);
// For a fragment with acknowledgements or metadata; without either, FragmentTemplate::write does the same faster.
[[nodiscard]] std::size_t encode_fragment_head(MutableBytes out, std::uint32_t packet_id, Acks acks,
                                               const StreamFragment& fragment);
// The option byte, and the metadata if there is any: 1 or 9 + m bytes.
[[nodiscard]] std::size_t encode_fragment_tail(MutableBytes out, const StreamFragment& fragment);

}  // namespace godwit::wire
