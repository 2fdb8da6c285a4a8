#include "cli/udp_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "udp/sockaddr.h"

namespace godwit::cli {
namespace {

SocketFamily family_of_socket(int descriptor) {
  KernelAddress own;
  own.size = sizeof own.ipv6;
  const bool known = ::getsockname(descriptor, &own.generic, &own.size) == 0;
  return known && own.generic.sa_family == AF_INET6 ? SocketFamily::kIpv6 : SocketFamily::kIpv4;
}

// `attach` is bind or connect.
Result<TcpSocket> open_udp(const SocketAddress& address, int (*attach)(int, const sockaddr*, socklen_t),
                           const char* what) {
  const bool ipv6 = address.is_ipv6();
  TcpSocket socket(::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const KernelAddress kernel = to_kernel(address, ipv6 ? SocketFamily::kIpv6 : SocketFamily::kIpv4);
  if (ipv6 && socket.is_open()) {
    const int only = address.is_wildcard() ? 0 : 1;
    static_cast<void>(::setsockopt(socket.descriptor(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only));
  }
  if (socket.is_open() && attach(socket.descriptor(), &kernel.generic, kernel.size) == 0) return socket;
  const ErrorCode code = errno == EACCES || errno == EPERM ? ErrorCode::kPermission : ErrorCode::kSystem;
  return failure(code, std::string(what) + " " + address.to_string() + "/udp: " + std::strerror(errno));
}

}  // namespace

Result<TcpSocket> bind_udp(const SocketAddress& address) {
  return open_udp(address, ::bind, "cannot listen at");
}

Result<TcpSocket> connect_udp(const SocketAddress& address) {
  return open_udp(address, ::connect, "cannot send to");
}

ReceivedDatagram receive_udp(const TcpSocket& socket, MutableBytes buffer) {
  KernelAddress from;
  iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
  msghdr message{};
  message.msg_name = &from.generic;
  message.msg_namelen = sizeof from.ipv6;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const ssize_t size = ::recvmsg(socket.descriptor(), &message, 0);
  if (size < 0) return {.error = errno};
  return {.bytes = static_cast<std::size_t>(size),
          .cut = (message.msg_flags & MSG_TRUNC) != 0,
          .from = from_kernel(&from.generic, message.msg_namelen).value_or(SocketAddress())};
}

bool send_udp(const TcpSocket& socket, const SocketAddress& to, ByteView bytes) {
  KernelAddress kernel;
  if (to.is_specified()) kernel = to_kernel(to, family_of_socket(socket.descriptor()));
  const sockaddr* const target = to.is_specified() ? &kernel.generic : nullptr;
  return ::sendto(socket.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL, target, kernel.size) >= 0;
}

}  // namespace godwit::cli
