// One bound, non-blocking UDP socket with the options that back ends rely on: large buffers (granted size read back),
// overflow count (SO_RXQ_OVFL), fragmentation by IP where a path is too small, ICMP errors (IP_RECVERR), these three
// where the system has them (platform.h), and on a wildcard address the destination of each datagram (IP_PKTINFO,
// IPV6_RECVPKTINFO), so that a reply leaves from the address that received (wire spec checklist 33). A back end takes
// the socket over and owns it. Invariant: descriptor() is open, except after a move from it.
#pragma once

#include <cstddef>

#include "base/address.h"
#include "base/result.h"
#include "udp/sockaddr.h"

namespace godwit {

struct SocketOptions {
  // Port 0: the kernel chooses. Unspecified: every address of both families, or of IPv4 where there is no IPv6.
  // "[::]" takes IPv4 too (dual stack) unless `ipv6_only`.
  SocketAddress bind;
  bool ipv6_only = false;
  // Several sockets of this process on one port, each with its own share of the flows (port_steering.h). The first one
  // opens the group: it refuses a port that others hold already, whose group it would join without a word.
  enum class Group : std::uint8_t { kNone, kFirst, kFurther } group = Group::kNone;
  std::size_t receive_buffer_bytes = std::size_t{16} << 20;
  std::size_t send_buffer_bytes = std::size_t{4} << 20;
};

class Socket {
 public:
  // Errors: kPermission, kUnsupported (address family missing), kInvalidArgument (address not of this machine), else
  // kSystem, with one line that names the address.
  [[nodiscard]] static Result<Socket> open(const SocketOptions& options);

  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] SocketFamily family() const { return family_; }
  // With the port that the kernel chose; a wildcard stays a wildcard.
  [[nodiscard]] const SocketAddress& local_address() const { return local_address_; }
  // Bound to every address: received batches name the local address they came to, and sent batches may name theirs.
  [[nodiscard]] bool is_wildcard() const { return is_wildcard_; }

  // What was granted, in the unit that was asked: the kernel clamps without a word (to rmem_max, wmem_max).
  [[nodiscard]] std::size_t receive_buffer_bytes() const { return receive_buffer_bytes_; }
  [[nodiscard]] std::size_t send_buffer_bytes() const { return send_buffer_bytes_; }

  // A further socket on the port of this one, bound to `local`, an address of this one, with the same options: for
  // connect(). Until then it may get what comes to `local`, from whomever. Errors: kUnsupported where the system has no
  // SO_REUSEPORT, or where the owner has tied this socket to a device or marked it, which the other would not be.
  [[nodiscard]] Result<Socket> open_beside(const SocketAddress& local);
  // Fixes the one peer of a client's socket: the kernel then drops what others send, and answers that the peer's port
  // is closed arrive as ECONNREFUSED.
  [[nodiscard]] Status connect(const SocketAddress& peer);
  // Receives several datagrams of one sender as one buffer (UDP_GRO). False where the kernel has no such option.
  [[nodiscard]] bool enable_receive_offload();
  // The kernel keeps ICMP errors for error_queue.h and counts what it drops; from open() on, where it can, until they
  // are switched off.
  [[nodiscard]] bool has_kernel_reports() const { return has_kernel_reports_; }
  void disable_kernel_reports();

 private:
  explicit Socket(int descriptor, SocketFamily family) : descriptor_(descriptor), family_(family) {}
  [[nodiscard]] static Result<Socket> open_at(const SocketAddress& bind, const SocketOptions& options);
  [[nodiscard]] Status configure(const SocketOptions& options, bool dual_stack);
  [[nodiscard]] int domain() const;

  int descriptor_ = -1;
  SocketFamily family_ = SocketFamily::kIpv4;
  bool is_wildcard_ = false;
  bool is_dual_stack_ = false;
  bool has_kernel_reports_ = false;
  SocketAddress local_address_;
  std::size_t receive_buffer_bytes_ = 0;
  std::size_t send_buffer_bytes_ = 0;
};

}  // namespace godwit
