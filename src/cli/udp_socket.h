// UDP sockets that never wait, for forwarded datagrams.
#pragma once

#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "cli/tcp.h"

namespace godwit::cli {

// Bound to `address` (port 0: the system chooses). Errors: kSystem and kPermission, one line.
[[nodiscard]] Result<TcpSocket> bind_udp(const SocketAddress& address);
// Receives from `address` alone. Errors: kSystem, one line.
[[nodiscard]] Result<TcpSocket> connect_udp(const SocketAddress& address);

struct ReceivedDatagram {
  int error = 0;  // errno; EAGAIN: nothing waits
  std::size_t bytes = 0;
  bool cut = false;  // it was longer than the buffer
  SocketAddress from;
};
[[nodiscard]] ReceivedDatagram receive_udp(const TcpSocket& socket, MutableBytes buffer);
// To the address that the socket is connected to where `to` is not specified. False when it was not taken.
[[nodiscard]] bool send_udp(const TcpSocket& socket, const SocketAddress& to, ByteView bytes);

}  // namespace godwit::cli
