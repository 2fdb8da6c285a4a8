// TCP sockets that never wait, for forwarded connections.
#pragma once

#include <optional>
#include <string>

#include "base/address.h"
#include "base/result.h"

namespace godwit::cli {

// A descriptor that is closed at the end.
class TcpSocket {
 public:
  TcpSocket() = default;
  explicit TcpSocket(int descriptor) : descriptor_(descriptor) {}
  TcpSocket(TcpSocket&& other) noexcept;
  TcpSocket& operator=(TcpSocket&& other) noexcept;
  TcpSocket(const TcpSocket&) = delete;
  TcpSocket& operator=(const TcpSocket&) = delete;
  ~TcpSocket();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  // Gives the descriptor away.
  [[nodiscard]] int release();

 private:
  int descriptor_ = -1;
};

// Listens at `address` (port 0: the system chooses). Errors: kSystem and kPermission, one line.
[[nodiscard]] Result<TcpSocket> listen_tcp(const SocketAddress& address);
[[nodiscard]] SocketAddress local_address_of(const TcpSocket& socket);
// The next connection that waits at a listener; nothing when none does. Errors: kSystem: no descriptors or memory left.
[[nodiscard]] Result<std::optional<TcpSocket>> accept_tcp(const TcpSocket& listener);
// Begins to connect: the socket becomes writable when it is decided, and connect_error() says how. Errors: kSystem with
// what the system said at once.
[[nodiscard]] Result<TcpSocket> connect_tcp(const SocketAddress& address);
// 0 when the socket is connected, else errno.
[[nodiscard]] int connect_error(const TcpSocket& socket);

}  // namespace godwit::cli
