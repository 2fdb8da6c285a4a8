#include "cli/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "udp/sockaddr.h"

namespace godwit::cli {
namespace {

void set(int descriptor, int level, int option, int value) {
  static_cast<void>(::setsockopt(descriptor, level, option, &value, sizeof value));
}

// Small writes leave at once, as the other end wrote them; a peer that has vanished is found.
void prepare(int descriptor) {
  set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
}

SocketFamily family_of(const SocketAddress& address) {
  return address.is_ipv6() ? SocketFamily::kIpv6 : SocketFamily::kIpv4;
}

int new_socket(const SocketAddress& address) {
  return ::socket(address.is_ipv6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

std::unexpected<Error> system_failure(const std::string& what, const SocketAddress& address) {
  const ErrorCode code = errno == EACCES || errno == EPERM ? ErrorCode::kPermission : ErrorCode::kSystem;
  return failure(code, what + " " + address.to_string() + ": " + std::strerror(errno));
}

}  // namespace

TcpSocket::TcpSocket(TcpSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

TcpSocket& TcpSocket::operator=(TcpSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

TcpSocket::~TcpSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int TcpSocket::release() {
  return std::exchange(descriptor_, -1);
}

Result<TcpSocket> listen_tcp(const SocketAddress& address) {
  TcpSocket socket(new_socket(address));
  const KernelAddress kernel = to_kernel(address, family_of(address));
  if (socket.is_open()) {
    set(socket.descriptor(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (address.is_ipv6()) set(socket.descriptor(), IPPROTO_IPV6, IPV6_V6ONLY, address.is_wildcard() ? 0 : 1);
  }
  if (!socket.is_open() || ::bind(socket.descriptor(), &kernel.generic, kernel.size) != 0 ||
      ::listen(socket.descriptor(), SOMAXCONN) != 0) {
    return system_failure("cannot listen at", address);
  }
  return socket;
}

SocketAddress local_address_of(const TcpSocket& socket) {
  KernelAddress kernel;
  kernel.size = sizeof kernel.ipv6;
  if (::getsockname(socket.descriptor(), &kernel.generic, &kernel.size) != 0) return {};
  return from_kernel(&kernel.generic, kernel.size).value_or(SocketAddress());
}

Result<std::optional<TcpSocket>> accept_tcp(const TcpSocket& listener) {
  for (;;) {
    TcpSocket accepted(::accept4(listener.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted.is_open()) {
      prepare(accepted.descriptor());
      return std::optional<TcpSocket>(std::move(accepted));
    }
    // One that has gone while it waited is nobody's failure.
    if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
    return failure(ErrorCode::kSystem, std::string("cannot accept a connection: ") + std::strerror(errno));
  }
}

Result<TcpSocket> connect_tcp(const SocketAddress& address) {
  TcpSocket socket(new_socket(address));
  if (!socket.is_open()) return system_failure("cannot connect to", address);
  prepare(socket.descriptor());
  const KernelAddress kernel = to_kernel(address, family_of(address));
  if (::connect(socket.descriptor(), &kernel.generic, kernel.size) != 0 && errno != EINPROGRESS) {
    return system_failure("cannot connect to", address);
  }
  return socket;
}

int connect_error(const TcpSocket& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

}  // namespace godwit::cli
