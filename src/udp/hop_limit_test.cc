// A batch with a hop limit of its own leaves with it, and the batches before and after it with the system's.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "udp/conformance_fixture.h"
#include "udp/sockaddr.h"

namespace godwit::hop_limit_test {
namespace {

// What the next datagram has arrived with; -1 for none.
int next_hop_limit(int descriptor) {
  std::array<std::uint8_t, 2048> payload;
  alignas(cmsghdr) std::array<std::uint8_t, 128> control;
  iovec vector{payload.data(), payload.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  if (::recvmsg(descriptor, &header, 0) < 0) return -1;
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    const bool ipv4 = each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_TTL;
    const bool ipv6 = each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_HOPLIMIT;
    int hops = 0;
    if (!ipv4 && !ipv6) continue;
    std::memcpy(&hops, CMSG_DATA(each), sizeof hops);
    return hops;
  }
  return -1;
}

class HopLimit : public testing::TestWithParam<BackendKind> {};

TEST_P(HopLimit, IsThatOfTheRunInBothFamilies) {
  for (const SocketFamily family : {SocketFamily::kIpv4, SocketFamily::kIpv6}) {
    const int domain = family == SocketFamily::kIpv4 ? AF_INET : AF_INET6;
    const int goal = ::socket(domain, SOCK_DGRAM, 0);
    const KernelAddress local = to_kernel(loopback(family), family);
    const int on = 1;
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    ASSERT_EQ(::bind(goal, &local.generic, local.size), 0);
    ::setsockopt(goal, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(goal, domain == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
                 domain == AF_INET ? IP_RECVTTL : IPV6_RECVHOPLIMIT, &on, sizeof on);
    KernelAddress name = local;
    socklen_t size = sizeof name.ipv6;
    ASSERT_EQ(::getsockname(goal, &name.generic, &size), 0);
    const auto target = from_kernel(&name.generic, size);
    ASSERT_TRUE(target);

    auto socket = Socket::open({.bind = loopback(family)});
    ASSERT_TRUE(socket);
    auto backend = make_backend(GetParam(), *std::move(socket), {.allow_defective_kernel = true, .peer = *target});
    if (backend) {
      std::array<OwnedBatch, 3> owned{OwnedBatch(*target, 100, 100, 1), OwnedBatch(*target, 100, 100, 2),
                                      OwnedBatch(*target, 100, 100, 3)};
      std::array<DatagramBatch, 3> batches{owned[0].batch, owned[1].batch, owned[2].batch};
      batches[1].hop_limit = 3;
      ASSERT_EQ((*backend)->send(batches), batches.size());
      const int before = next_hop_limit(goal);
      EXPECT_GT(before, 3);
      EXPECT_EQ(next_hop_limit(goal), 3);
      EXPECT_EQ(next_hop_limit(goal), before);
    }
    ::close(goal);
  }
}

INSTANTIATE_TEST_SUITE_P(All, HopLimit, testing::ValuesIn(backend_kinds().begin(), backend_kinds().end()),
                         [](const auto& instance) { return std::string(to_string(instance.param)); });

}  // namespace
}  // namespace godwit::hop_limit_test
