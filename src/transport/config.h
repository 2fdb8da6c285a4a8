// Every setting of an endpoint with its default, stated once. A test may set only what a user can set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bandwidth.h"
#include "base/result.h"
#include "base/time.h"
#include "congestion/controller.h"
#include "crypto/packet_cipher.h"
#include "handshake/handshake_config.h"
#include "recovery/ack_tracker.h"
#include "recovery/pacer.h"
#include "recovery/recovery.h"
#include "stream/recv_streams.h"
#include "stream/send_queue.h"
#include "trace/key_log.h"
#include "transport/admission.h"
#include "transport/keepalive.h"
#include "transport/peer_filter.h"

namespace godwit {

struct Config {
  // Which handshakes are answered.
  bool accept_incoming = true;
  // Connections that others begin. When so many are open, a newcomer takes the place of the longest idle one of the
  // address prefix that holds most (transport/prefix_shares.h), or is not answered when no prefix holds more than its
  // own. Handshakes that wait for confirmation count apart: AdmissionConfig::max_half_open.
  std::size_t max_connections = 16'384;
  // Of these, at most so many from one IPv4 address or IPv6 /64.
  std::size_t max_connections_per_host = 12'288;
  // Places beside them for connections that this side begins, and for peers it has authenticated before, which nobody
  // else can use up. This side may use the others too, and when all are taken, takes one from the largest prefix.
  std::size_t reserved_connections = 1024;
  HandshakeConfig handshake;
  AdmissionConfig admission;
  KeepAliveConfig keepalive;

  // Data path.
  std::optional<CipherKind> cipher;                       // absent: the preferred one of this CPU
  PacketCipherFactory make_cipher = &make_packet_cipher;  // what is made of it; another one may wrap that
  CongestionKind congestion = CongestionKind::kBbr;
  ControllerConfig controller;
  RecoveryConfig recovery;
  PacerConfig pacer;
  AckPolicy acknowledgement;
  SendQueueConfig send_queue;
  // Inbound streams: handed over whole, or in chunks as they arrive (DeliveryMode::kChunks).
  RecvStreamsConfig streams{.delivery = DeliveryMode::kWhole};
  // Bytes that the unfinished inbound streams of all connections may hold together. Above seven eighths of it the
  // connections that hold most for each byte they have sent are closed (CloseReason::kMemory).
  std::uint64_t reassembly_bytes = std::uint64_t{512} << 20;
  // Lends more to several endpoints that have one bound in common; outlives them.
  ReassemblyPool* reassembly_pool = nullptr;

  // Application bits per second, per connection and for the whole endpoint (shared fairly); absent: no limit.
  std::optional<Bandwidth> connection_rate_limit;
  std::optional<Bandwidth> endpoint_rate_limit;

  // A key stops taking new streams at the soft limit and all packets at the hard limit (decisions 3).
  std::uint64_t soft_packet_limit = kSoftPacketLimit;
  std::uint64_t hard_packet_limit = kHardPacketLimit;

  // The driver opens further sockets when Endpoint::wants_ports() says so. Without them a session behind a translation
  // whose ports depend on the destination stays at the relay where the peer's translation filters by port.
  bool further_ports = false;

  // Decides who may connect. Null, the default: whoever knows this side's key.
  std::shared_ptr<PeerFilter> filter;

  // Is told of every symmetric key, so that a capture of one's own traffic can be read. Null, the default: nobody is.
  std::shared_ptr<trace::KeyLog> key_log;
};

// Names the first setting that nothing could work with: times that are zero, negative or beyond a year, no connections,
// rates of less than a byte per second. kInvalidArgument.
[[nodiscard]] Status check_config(const Config& config);

}  // namespace godwit
