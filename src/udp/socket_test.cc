#include "udp/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

namespace godwit::socket_test {
namespace {

SocketAddress address_of(const char* text) {
  return SocketAddress::parse(text).value();
}

int option(const Socket& socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(socket.descriptor(), level, name, &value, &size), 0);
  return value;
}

TEST(Socket, BindsAnAddressAndNamesThePortThatTheKernelChose) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    const auto socket = Socket::open({.bind = address_of(text)});
    ASSERT_TRUE(socket) << socket.error().message;
    EXPECT_NE(socket->local_address().port(), 0);
    EXPECT_EQ(socket->local_address().with_port(0), address_of(text));
    EXPECT_FALSE(socket->is_wildcard());
  }
}

TEST(Socket, UnspecifiedTakesEveryAddressOfBothFamilies) {
  const auto socket = Socket::open({});
  ASSERT_TRUE(socket) << socket.error().message;
  EXPECT_TRUE(socket->is_wildcard());
  EXPECT_NE(socket->local_address().port(), 0);
  if (socket->family() == SocketFamily::kIpv6) {
    EXPECT_EQ(option(*socket, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    EXPECT_EQ(option(*socket, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
  }
}

TEST(Socket, Ipv6OnlyLeavesIpv4ToOthers) {
  const auto ipv6 = Socket::open({.bind = address_of("[::]:0"), .ipv6_only = true});
  ASSERT_TRUE(ipv6) << ipv6.error().message;
  const auto ipv4 = Socket::open({.bind = SocketAddress::ipv4({}, ipv6->local_address().port())});
  EXPECT_TRUE(ipv4) << ipv4.error().message;
}

TEST(Socket, AsksForNoFragmentsAndTheOverflowCount) {
  const auto ipv4 = Socket::open({.bind = address_of("0.0.0.0:0")});
  const auto ipv6 = Socket::open({.bind = address_of("[::]:0")});
  ASSERT_TRUE(ipv4);
  ASSERT_TRUE(ipv6);
  EXPECT_EQ(option(*ipv4, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
  EXPECT_EQ(option(*ipv6, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_OMIT);
  EXPECT_EQ(option(*ipv6, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
  EXPECT_EQ(option(*ipv4, IPPROTO_IP, IP_PKTINFO), 1);
  EXPECT_EQ(option(*ipv4, SOL_SOCKET, SO_RXQ_OVFL), 1);
  EXPECT_NE(::fcntl(ipv4->descriptor(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(ipv4->descriptor(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Socket, SaysWhatBuffersWereGranted) {
  const auto small =
      Socket::open({.bind = address_of("127.0.0.1:0"), .receive_buffer_bytes = 100'000, .send_buffer_bytes = 50'000});
  ASSERT_TRUE(small);
  EXPECT_EQ(small->receive_buffer_bytes(), 100'000U);
  EXPECT_EQ(small->send_buffer_bytes(), 50'000U);
  const auto large = Socket::open({.bind = address_of("127.0.0.1:0")});
  ASSERT_TRUE(large);
  EXPECT_EQ(large->receive_buffer_bytes(), static_cast<std::size_t>(option(*large, SOL_SOCKET, SO_RCVBUF)) / 2);
  EXPECT_GT(large->receive_buffer_bytes(), 0U);
}

TEST(Socket, APortInUseIsAnErrorThatNamesIt) {
  const auto first = Socket::open({.bind = address_of("127.0.0.1:0")});
  ASSERT_TRUE(first);
  const auto second = Socket::open({.bind = first->local_address()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kSystem);
  EXPECT_NE(second.error().message.find(first->local_address().to_string()), std::string::npos);
}

TEST(Socket, AnAddressOfAnotherMachineIsAnInvalidArgument) {
  const auto socket = Socket::open({.bind = address_of("192.0.2.1:0")});
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code, ErrorCode::kInvalidArgument);
}

TEST(Socket, ConnectingChecksTheFamily) {
  auto socket = Socket::open({.bind = address_of("127.0.0.1:0")});
  ASSERT_TRUE(socket);
  EXPECT_TRUE(socket->connect(address_of("127.0.0.1:9")));
  EXPECT_FALSE(socket->connect(address_of("[::1]:9")));
}

TEST(Socket, MovingHandsTheDescriptorOver) {
  auto first = Socket::open({.bind = address_of("127.0.0.1:0")});
  auto second = Socket::open({.bind = address_of("127.0.0.1:0")});
  ASSERT_TRUE(first && second);
  const SocketAddress address = first->local_address();
  const int descriptor = first->descriptor();
  *second = *std::move(first);
  EXPECT_EQ(second->descriptor(), descriptor);
  EXPECT_EQ(second->local_address(), address);
  EXPECT_EQ(first->descriptor(), -1);
  const Socket third(*std::move(second));
  EXPECT_EQ(third.descriptor(), descriptor);
}

}  // namespace
}  // namespace godwit::socket_test
