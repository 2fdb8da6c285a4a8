// Typed trace events of the core. The core emits them to one Sink when a sink listens and pays a null check when none
// does; qlog is a sink. Keys are named by number, never by value (decisions 10).
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "base/address.h"
#include "base/bandwidth.h"
#include "base/time.h"

namespace godwit::trace {

enum class PacketKind : std::uint8_t {
  kIntro,
  kAcknowledgeConnection,  // or whatever else a handshake has sealed
  kErrorAcknowledgement,
  kShortMessage,
  kStreamFragment,
  kNoOp,
  kPing,
  kPong,
  kUpgrade,
  kFlowControl,  // of an extended session
  kCount
};

// Why bytes that arrived were not used. Counted in the endpoint's and the connection's statistics by the same names.
enum class DropReason : std::uint8_t {
  kEmpty,          // zero-length datagram
  kUnknownType,    // first byte neither 01 nor 02 (wire spec 1.5)
  kTooShort,       // below 29 bytes (symmetric) or 49 (intro)
  kTooLong,        // above 1500 bytes
  kUnknownSource,  // no connection and no intro, or not accepting
  kRateLimited,    // asymmetric work refused by admission
  kReplayedIntro,  // an intro already answered (W5)
  kHandshakeTableFull,
  kConnectionTableFull,
  kIncompatibleVersion,
  kAuthenticationFailed,
  kUndecodable,  // authentic, but not a message
  kDuplicate,
  kStreamRefused,   // a limit of wire spec 6.4
  kNoRoom,          // the reassembly budget is used up; the packet is not acknowledged
  kClosed,          // for a connection that has ended
  kNotExtended,     // an intro without an extended session, where the policy demands one
  kRefusedAddress,  // the application wants nothing from there (transport/peer_filter.h)
  kCount
};
[[nodiscard]] std::string_view drop_reason_name(DropReason reason);
[[nodiscard]] std::string_view packet_kind_name(PacketKind kind);

// Every datagram that is handed out, once for each transmission.
struct PacketSent {
  std::uint32_t packet_id;  // 0 for those of handshakes
  PacketKind kind;
  std::uint32_t bytes;  // of the datagram
  bool retransmission;
};
// Every datagram that is authentic and decodes, duplicates included; PacketDropped may follow it.
struct PacketReceived {
  std::uint32_t packet_id;
  PacketKind kind;
  std::uint32_t bytes;  // of the datagram
};
struct PacketDropped {
  DropReason reason;
  std::uint32_t bytes;
};
struct PacketLost {
  std::uint32_t packet_id;
  std::uint32_t bytes;
  bool timeout;
};
struct PacketsAcknowledged {
  std::uint64_t packets;
  std::uint64_t bytes;
};
struct MetricsUpdated {
  Duration latest_round_trip;
  Duration smoothed_round_trip;
  Duration minimum_round_trip;
  Duration round_trip_variance;
  std::uint64_t bytes_in_flight;
  std::uint64_t window_bytes;
  Bandwidth pacing_rate;
};
struct CongestionStateChanged {
  std::string_view controller;
  std::string_view state;
};
// A datagram of a handshake, which is a PacketSent or PacketReceived too: here with the address, since the handshake
// may never become a connection.
struct HandshakePacket {
  PacketKind kind;  // kIntro or kAcknowledgeConnection
  bool sent;        // otherwise received
  std::uint32_t bytes;
  SocketAddress remote;
};
struct ConnectionStateChanged {
  std::string_view state;
  SocketAddress remote;
  // Of the state "established".
  std::string_view form = {};      // "legacy" or "extended"
  std::string_view fallback = {};  // why not extended; empty where it is
};
struct ConnectionClosed {
  std::string_view reason;
  SocketAddress remote = {};
  std::string_view text = {};  // one line for a person, perhaps in the peer's own words; safe to print only as text
};

using EventData =
    std::variant<PacketSent, PacketReceived, PacketDropped, PacketLost, PacketsAcknowledged, MetricsUpdated,
                 CongestionStateChanged, HandshakePacket, ConnectionStateChanged, ConnectionClosed>;

struct Event {
  Instant at;
  std::uint64_t connection = 0;  // 0: the endpoint itself
  EventData data;
};

// Receives events in order. Runs inside the core: it must not block, throw or call back into the endpoint. Text views
// in an event are valid during the call only.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void on_event(const Event& event) = 0;
};

}  // namespace godwit::trace
