// Every setting of an endpoint with its default, stated once. A test may set only what a user can set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bandwidth.h"
#include "base/time.h"
#include "congestion/controller.h"
#include "crypto/packet_cipher.h"
#include "recovery/ack_tracker.h"
#include "recovery/pacer.h"
#include "recovery/recovery.h"
#include "stream/recv_streams.h"
#include "stream/send_queue.h"
#include "transport/admission.h"
#include "transport/handshake_config.h"
#include "transport/keepalive.h"

namespace godwit {

struct Config {
  // Which handshakes are answered.
  bool accept_incoming = true;
  std::size_t max_connections = 16'384;  // established and dialling; a further dial is refused, a further intro dropped
  HandshakeConfig handshake;
  AdmissionConfig admission;
  KeepAliveConfig keepalive;

  // Data path.
  std::optional<CipherKind> cipher;  // absent: the preferred one of this CPU
  bool copying_cipher = false;       // a buffer for each step (crypto/copying_cipher.h): for comparison only
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

  // Application bits per second, per connection and for the whole endpoint (shared fairly); absent: no limit.
  std::optional<Bandwidth> connection_rate_limit;
  std::optional<Bandwidth> endpoint_rate_limit;

  // A key stops taking new streams at the soft limit and all packets at the hard limit (decisions 3).
  std::uint64_t soft_packet_limit = kSoftPacketLimit;
  std::uint64_t hard_packet_limit = kHardPacketLimit;
};

}  // namespace godwit
