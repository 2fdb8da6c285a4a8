#include "udp/socket.h"

#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <utility>

#include "udp/platform.h"

namespace godwit {
namespace {

bool set_option(int descriptor, int level, int name, int value) {
  return ::setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

std::unexpected<Error> system_failure(const std::string& what, const SocketAddress& address, int error) {
  ErrorCode code = ErrorCode::kSystem;
  if (error == EACCES || error == EPERM) code = ErrorCode::kPermission;
  if (error == EAFNOSUPPORT) code = ErrorCode::kUnsupported;
  if (error == EADDRNOTAVAIL || error == EINVAL) code = ErrorCode::kInvalidArgument;
  return failure(code, what + " " + address.to_string() + ": " + std::strerror(error));
}

bool is_zero_address(const SocketAddress& address) {
  return std::ranges::all_of(address.octets(), [](std::uint8_t octet) { return octet == 0; });
}

// Asks with the privileged option first, which ignores rmem_max and wmem_max, and reads back what was granted.
std::size_t set_buffer(int descriptor, int forced, int plain, std::size_t bytes) {
  const int asked = static_cast<int>(std::min<std::size_t>(bytes, INT_MAX / 2));
  if (!set_option(descriptor, SOL_SOCKET, forced, asked)) set_option(descriptor, SOL_SOCKET, plain, asked);
  int granted = 0;
  socklen_t size = sizeof granted;
  if (::getsockopt(descriptor, SOL_SOCKET, plain, &granted, &size) != 0 || granted < 0) return 0;
  return static_cast<std::size_t>(granted) / platform::kBufferUnits;
}

}  // namespace

Result<Socket> Socket::open(const SocketOptions& options) {
  if (options.bind.is_specified()) return open_at(options.bind, options);
  auto both = open_at(SocketAddress::ipv6({}, options.bind.port()), options);
  if (both || options.ipv6_only) return both;
  // A kernel without IPv6, or one with the protocol switched off on every interface.
  if (both.error().code != ErrorCode::kUnsupported && both.error().code != ErrorCode::kInvalidArgument) return both;
  return open_at(SocketAddress::ipv4({}, options.bind.port()), options);
}

Result<Socket> Socket::open_at(const SocketAddress& bind, const SocketOptions& options) {
  const SocketFamily family = bind.is_ipv6() ? SocketFamily::kIpv6 : SocketFamily::kIpv4;
  const int domain = bind.is_ipv6() ? AF_INET6 : AF_INET;
  const int descriptor = platform::open_socket(domain);
  if (descriptor < 0) return system_failure("cannot make a UDP socket for", bind, errno);
  Socket socket(descriptor, family);
  socket.is_wildcard_ = is_zero_address(bind);
  const bool dual_stack = bind.is_ipv6() && socket.is_wildcard_ && !options.ipv6_only;
  if (auto status = socket.configure(options, dual_stack); !status) return std::unexpected(status.error());

  const KernelAddress name = to_kernel(bind, family);
  if (::bind(descriptor, &name.generic, name.size) != 0) return system_failure("cannot bind", bind, errno);
  // Asked for before the bind, it would let this socket join a group of others.
  if (options.group == SocketOptions::Group::kFirst && !set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return system_failure("cannot set SO_REUSEPORT for", bind, errno);
  }
  KernelAddress bound;
  socklen_t size = sizeof bound.ipv6;
  if (::getsockname(descriptor, &bound.generic, &size) != 0)
    return system_failure("cannot read the name of", bind, errno);
  if (const auto address = from_kernel(&bound.generic, size)) socket.local_address_ = *address;
  return socket;
}

Status Socket::configure(const SocketOptions& options, bool dual_stack) {
  const auto required = [this, &options](int level, int name, int value, const char* what) -> Status {
    if (set_option(descriptor_, level, name, value)) return {};
    return system_failure(std::string("cannot set ") + what + " for", options.bind, errno);
  };
  if (options.group == SocketOptions::Group::kFurther) {
    if (auto status = required(SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT"); !status) return status;
  }
  if (family_ == SocketFamily::kIpv6) {
    if (auto status = required(IPPROTO_IPV6, IPV6_V6ONLY, dual_stack ? 0 : 1, "IPV6_V6ONLY"); !status) return status;
  }
  if (is_wildcard_) {
    const bool ipv6 = family_ == SocketFamily::kIpv6;
    const auto status = ipv6 ? required(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO")
                             : required(IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
    if (!status) return status;
  }
  // A full datagram is 1200 bytes, and the wire has no smaller one for a stream (docs/adr/0011-small-paths.md): where a
  // link or a router cannot carry it, IP fragments it. A larger one is sent whole (batch_sender.h). Nothing is taken
  // from the kernel's path MTU cache, which a forged "fragmentation needed" can push down.
  is_dual_stack_ = dual_stack;
  platform::let_ip_fragment(descriptor_, domain(), dual_stack);
  platform::report_marks(descriptor_, domain(), dual_stack);
  has_kernel_reports_ = platform::set_kernel_reports(descriptor_, domain(), dual_stack, true);
  receive_buffer_bytes_ =
      set_buffer(descriptor_, platform::kForcedReceiveBuffer, SO_RCVBUF, options.receive_buffer_bytes);
  send_buffer_bytes_ = set_buffer(descriptor_, platform::kForcedSendBuffer, SO_SNDBUF, options.send_buffer_bytes);
  return {};
}

Result<Socket> Socket::open_beside(const SocketAddress& local) {
#if GODWIT_LINUX
  int mark = 0;
  socklen_t size = sizeof mark;
  std::array<char, IF_NAMESIZE> device{};
  socklen_t length = device.size();
  const bool marked = ::getsockopt(descriptor_, SOL_SOCKET, SO_MARK, &mark, &size) == 0 && mark != 0;
  const bool tied = ::getsockopt(descriptor_, SOL_SOCKET, SO_BINDTODEVICE, device.data(), &length) == 0 && length > 0;
  if (marked || tied) return failure(ErrorCode::kUnsupported, "the socket belongs to a device or has a mark");
#endif
  // Others of this user may join the port while the option is on, and no longer.
  if (!set_option(descriptor_, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return failure(ErrorCode::kUnsupported, "the system has no SO_REUSEPORT");
  }
  auto beside = open_at(local, {.group = SocketOptions::Group::kFurther,
                                .receive_buffer_bytes = receive_buffer_bytes_,
                                .send_buffer_bytes = send_buffer_bytes_});
  set_option(descriptor_, SOL_SOCKET, SO_REUSEPORT, 0);
  if (!beside) return beside;
  set_option(beside->descriptor_, SOL_SOCKET, SO_REUSEPORT, 0);
  const bool ipv4 = local.is_ipv4();
  int service = 0;
  socklen_t bytes = sizeof service;
  if (::getsockopt(descriptor_, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_TOS : IPV6_TCLASS, &service, &bytes) == 0 &&
      service != 0) {
    set_option(beside->descriptor_, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_TOS : IPV6_TCLASS, service);
  }
  return beside;
}

Status Socket::connect(const SocketAddress& peer) {
  const KernelAddress name = to_kernel(peer, family_);
  if (name.size == 0) return failure(ErrorCode::kInvalidArgument, "cannot connect this socket to " + peer.to_string());
  if (::connect(descriptor_, &name.generic, name.size) != 0) return system_failure("cannot connect to", peer, errno);
  return {};
}

bool Socket::enable_receive_offload() {
  return set_option(descriptor_, IPPROTO_UDP, platform::kReceiveOffloadOption, 1);
}

void Socket::disable_kernel_reports() {
  platform::set_kernel_reports(descriptor_, domain(), is_dual_stack_, false);
  has_kernel_reports_ = false;
}

int Socket::domain() const {
  return family_ == SocketFamily::kIpv6 ? AF_INET6 : AF_INET;
}

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      family_(other.family_),
      is_wildcard_(other.is_wildcard_),
      is_dual_stack_(other.is_dual_stack_),
      has_kernel_reports_(other.has_kernel_reports_),
      local_address_(other.local_address_),
      receive_buffer_bytes_(other.receive_buffer_bytes_),
      send_buffer_bytes_(other.send_buffer_bytes_) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this == &other) return *this;
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = std::exchange(other.descriptor_, -1);
  family_ = other.family_;
  is_wildcard_ = other.is_wildcard_;
  is_dual_stack_ = other.is_dual_stack_;
  has_kernel_reports_ = other.has_kernel_reports_;
  local_address_ = other.local_address_;
  receive_buffer_bytes_ = other.receive_buffer_bytes_;
  send_buffer_bytes_ = other.send_buffer_bytes_;
  return *this;
}

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace godwit
