// The judging half of receiving, shared by all back ends: one message as the kernel handed it over becomes a batch in
// the batch, or a count. Reads sender, local address, segment size and overflow count from the message's header.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "udp/backend.h"
#include "udp/backend_statistics.h"

namespace godwit {

// Room for the control data of one received message: SO_RXQ_OVFL, UDP_GRO, both forms of the packet information, and
// the byte with the mark of congestion.
inline constexpr std::size_t kReceiveControlBytes = 144;

class Intake {
 public:
  Intake(const Socket& socket, std::size_t largest_datagram_bytes, BackendStatistics& statistics);

  // Everything comes from `peer` from now on; names are not looked at.
  void set_peer(const SocketAddress& peer) { peer_ = peer; }
  // `header` holds name, control data and flags; `payload` the bytes received.
  void take(msghdr& header, MutableBytes payload, ReceivedBatches& inbox);

 private:
  SocketAddress local_address_;
  std::optional<SocketAddress> peer_;
  std::size_t largest_datagram_bytes_;
  std::uint32_t overflow_seen_ = 0;
  BackendStatistics& statistics_;
};

}  // namespace godwit
