// Test support: a socket of the kernel's own that tells a field of the IP header of each datagram.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "udp/conformance_fixture.h"
#include "udp/sockaddr.h"

namespace godwit::test {

// An option that makes the kernel tell the field, and the control message that it comes in.
struct HeaderField {
  int level;
  int option;
  int type;
};
inline HeaderField hop_limit_field(SocketFamily family) {
  if (family == SocketFamily::kIpv4) return {.level = IPPROTO_IP, .option = IP_RECVTTL, .type = IP_TTL};
  return {.level = IPPROTO_IPV6, .option = IPV6_RECVHOPLIMIT, .type = IPV6_HOPLIMIT};
}
inline HeaderField service_class_field(SocketFamily family) {
  if (family == SocketFamily::kIpv4) return {.level = IPPROTO_IP, .option = IP_RECVTOS, .type = IP_TOS};
  return {.level = IPPROTO_IPV6, .option = IPV6_RECVTCLASS, .type = IPV6_TCLASS};
}

inline void tell_field(int descriptor, const HeaderField& field) {
  const int on = 1;
  ASSERT_EQ(::setsockopt(descriptor, field.level, field.option, &on, sizeof on), 0);
}

// Of the next datagram; -1 without a datagram or without the field.
inline int next_field(int descriptor, const HeaderField& field, int flags = 0) {
  std::array<std::uint8_t, 2048> payload;
  alignas(cmsghdr) std::array<std::uint8_t, 128> control;
  iovec vector{payload.data(), payload.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  if (::recvmsg(descriptor, &header, flags) < 0) return -1;
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    if (each->cmsg_level != field.level || each->cmsg_type != field.type) continue;
    if (each->cmsg_len == CMSG_LEN(1)) return *CMSG_DATA(each);
    int value = 0;
    std::memcpy(&value, CMSG_DATA(each), sizeof value);
    return value;
  }
  return -1;
}

// Bound to the loopback address of its family; waits five seconds for a datagram.
class HeaderSocket {
 public:
  HeaderSocket(SocketFamily family, const HeaderField& field)
      : descriptor_(::socket(family == SocketFamily::kIpv4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0)), field_(field) {
    KernelAddress name = to_kernel(loopback(family), family);
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    socklen_t size = sizeof name.ipv6;
    EXPECT_EQ(::bind(descriptor_, &name.generic, name.size), 0);
    EXPECT_EQ(::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    EXPECT_EQ(::getsockname(descriptor_, &name.generic, &size), 0);
    tell_field(descriptor_, field);
    address_ = from_kernel(&name.generic, size).value_or(SocketAddress());
    EXPECT_TRUE(address_.is_specified());
  }
  ~HeaderSocket() { ::close(descriptor_); }
  HeaderSocket(const HeaderSocket&) = delete;
  HeaderSocket& operator=(const HeaderSocket&) = delete;

  [[nodiscard]] const SocketAddress& address() const { return address_; }
  [[nodiscard]] int next() const { return next_field(descriptor_, field_); }

 private:
  int descriptor_;
  HeaderField field_;
  SocketAddress address_;
};

}  // namespace godwit::test
