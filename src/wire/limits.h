// The numbers of the deployed protocol that its partners build on, in one place (wire spec appendix B): sizes of the
// encoding, limits that a peer holds others to, and the times it keeps. They are facts of the wire and never
// configurable; what a Godwit chooses for itself stands in transport/config.h, whose defaults refer to these.
// "Deployed" means the peer that the wire spec calls D (freenet 0.2.154).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "crypto/intro_box.h"
#include "crypto/packet_sealer.h"

namespace godwit::wire {

// --- Byte 0 of a datagram (wire spec 1.1) ---
inline constexpr std::uint8_t kTypeIntro = kIntroType;
inline constexpr std::uint8_t kTypeSymmetric = kSymmetricType;
inline constexpr std::uint8_t kFirstQuicType = 0x40;  // 40 … FF belong to QUIC on a shared port

// --- Datagrams (wire spec 1.1, 1.2, 1.3); sizes of keys, nonces and tags come from crypto/ ---
using godwit::kIntroOverhead;  // type, ephemeral key, tag
using godwit::kNonceSize;
using godwit::kSymmetricKeySize;
using godwit::kTagSize;
inline constexpr std::size_t kMaxDatagram = 1200;                               // never sent longer
inline constexpr std::size_t kMaxReceivedDatagram = 1500;                       // accepted up to this
inline constexpr std::size_t kDatagramOverhead = kEnvelopeOverhead;             // of a symmetric datagram
inline constexpr std::size_t kMaxPlaintext = kMaxDatagram - kDatagramOverhead;  // of a symmetric datagram that is sent
inline constexpr std::size_t kMaxReceivedPlaintext = kMaxReceivedDatagram - kDatagramOverhead;
// Of an extended session with larger datagrams (docs/extended_sessions.md, section 10): what a link with jumbo frames
// carries behind the headers of IPv6 and UDP and of a tunnel.
inline constexpr std::size_t kMaxLargeDatagram = 8900;
inline constexpr std::size_t kMaxLargePlaintext = kMaxLargeDatagram - kDatagramOverhead;
inline constexpr std::size_t kVersionSize = 8;
inline constexpr std::size_t kIntroPlaintext = kVersionSize + kSymmetricKeySize;  // at least; the rest is ignored
inline constexpr std::size_t kIntroDatagram = kIntroOverhead + kIntroPlaintext;
static_assert(kTypeIntro == 0x01 && kTypeSymmetric == 0x02);
static_assert(kDatagramOverhead == 29 && kMaxPlaintext == 1171 && kMaxReceivedPlaintext == 1471);
static_assert(kIntroOverhead == 49 && kIntroDatagram == 73);

// --- Messages (wire spec 2.2, 2.4) ---
inline constexpr std::size_t kAckSize = 4;
inline constexpr std::size_t kMessageOverhead = 4 + 8 + 4;  // packet id, acknowledgement count, variant
inline constexpr std::size_t kSmallestDatagram =
    kDatagramOverhead + kMessageOverhead;  // a NoOp without acknowledgements
inline constexpr std::size_t kMaxAcksPerNoOp = (kMaxPlaintext - kMessageOverhead) / kAckSize;
inline constexpr std::size_t kPingSize = kMessageOverhead + 8;  // Pong likewise; plaintext without acknowledgements
inline constexpr std::size_t kShortMessageOverhead = kMessageOverhead + 8;
inline constexpr std::size_t kLargestShortMessage = kMaxPlaintext - kShortMessageOverhead;  // without acknowledgements
inline constexpr std::size_t kFragmentHeader = kMessageOverhead + 4 + 8 + 4 + 8;            // before the payload
inline constexpr std::size_t kFragmentOverhead = kFragmentHeader + 1;  // and the option byte behind it
inline constexpr std::size_t kFragmentPayload = kMaxPlaintext - kFragmentOverhead;
inline constexpr std::size_t kMetadataOverhead = 8;  // added to kFragmentOverhead by metadata
// A serialised message above this goes as a stream: 24 more bytes would not fit into a fragment (wire spec 6.1).
inline constexpr std::size_t kShortMessageLimit = kFragmentPayload - kShortMessageOverhead;
static_assert(kSmallestDatagram == 45 && kMaxAcksPerNoOp == 288 && kShortMessageOverhead == 24);
static_assert(kLargestShortMessage == 1147 && kFragmentHeader == 40 && kFragmentOverhead == 41);
static_assert(kFragmentPayload == 1130 && kShortMessageLimit == 1106);

// --- Packet ids (wire spec 5.1, 5.9) ---
inline constexpr std::uint32_t kHandshakePacketId = 0;  // handshake acks, and acknowledgement-only packets of W13

// --- Streams (wire spec 6.2 to 6.5) ---
inline constexpr std::uint32_t kOperationsBit = 0x80000000;  // of a stream id
inline constexpr std::uint32_t kFirstFragment = 1;
inline constexpr std::uint64_t kMaxStreamBytes = 165'675'008;  // 50 + 100 + 8 MiB
inline constexpr std::size_t kMaxMetadata = 1120;              // that is embedded
inline constexpr std::size_t kMaxReceivedMetadata = 1122;      // a peer below 0.2.148 may embed so much
// Fragment 1 with m bytes of metadata carries kMetadataFragmentPayload − m payload bytes (wire spec 2.4, 6.3).
inline constexpr std::size_t kMetadataFragmentPayload = kFragmentPayload - kMetadataOverhead - 1;
static_assert(kMetadataFragmentPayload == 1121);

// What a deployed receiver holds on one connection; beyond it streams vanish without an answer (wire spec 6.4).
inline constexpr std::size_t kDeployedMaxStreams = 1024;
inline constexpr std::uint64_t kDeployedMaxChargedBytes = 235'242'536;
inline constexpr std::uint64_t kDeployedChargePerStream = 8192;
inline constexpr std::uint64_t kDeployedChargePerFragment = 360;  // times ⌈total / 1130⌉ + 1
inline constexpr std::size_t kDeployedRefusedStreams = 4096;      // one more refusal closes the connection
inline constexpr std::size_t kDeployedCompletedStreams = 1024;
inline constexpr Duration kDeployedStreamIdle = 30s;
inline constexpr Duration kDeployedStreamAge = 300s;           // or total / kDeployedStreamRate if longer
inline constexpr std::uint64_t kDeployedStreamRate = 32'768;   // bytes per second
inline constexpr std::size_t kDeployedConnectionQueue = 2048;  // datagrams, dropped silently beyond (wire spec 9.1)

// --- Handshake (wire spec 3.5, 4.2 to 4.4) ---
inline constexpr Duration kAttemptDeadline = 3s;
inline constexpr Duration kAttemptInterval = 250ms;       // receive window of 200 ms and pause of 50 ms
inline constexpr std::size_t kAttemptTransmissions = 40;  // most per attempt
inline constexpr Duration kConfirmationWait = 5s;         // of an acceptor
inline constexpr Duration kRecentlyClosed = 2s;           // a closed address accepts no attempt

// --- Keep-alive (wire spec 7) and QUIC upgrade (wire spec 4.8) ---
inline constexpr Duration kPingInterval = 5s;
inline constexpr Duration kMaxPingInterval = 15s;
inline constexpr Duration kIdleTimeout = 120s;
inline constexpr Duration kDeclineInterval = 45s;  // at most one Decline per connection and interval

// --- Rate of the deployed default controller (wire spec 8.2, 8.3) ---
inline constexpr std::uint64_t kDeployedRate = 1'250'000;  // bytes per second

inline constexpr std::uint16_t kDefaultPort = 31337;

// Fragments that the payload of one frame stands for, where both sides have larger datagrams
// (docs/extended_sessions.md, section 10): each has 1130 bytes but the last.
[[nodiscard]] constexpr std::uint32_t fragments_in(std::size_t payload_bytes) {
  return payload_bytes <= kFragmentPayload
             ? 1
             : static_cast<std::uint32_t>((payload_bytes + kFragmentPayload - 1) / kFragmentPayload);
}

// The operations marker of a stream id (wire spec 6.2).
[[nodiscard]] constexpr bool is_operations_stream(std::uint32_t stream_id) {
  return (stream_id & kOperationsBit) != 0;
}

// Fragments of a stream of `total` bytes without metadata (wire spec 6.3). Holds for every u64 without overflow.
[[nodiscard]] constexpr std::uint64_t fragment_count(std::uint64_t total) {
  return total / kFragmentPayload + (total % kFragmentPayload != 0 ? 1 : 0);
}

// Memory that a deployed receiver charges for a stream from its admission on (wire spec 6.4).
// Requires total <= kMaxStreamBytes.
[[nodiscard]] constexpr std::uint64_t deployed_charge(std::uint64_t total) {
  return total + kDeployedChargePerStream + kDeployedChargePerFragment * (fragment_count(total) + 1);
}

}  // namespace godwit::wire
