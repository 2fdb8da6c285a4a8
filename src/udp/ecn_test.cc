// Marks of congestion (base/ecn.h) on real sockets: a batch leaves with its mark, beside the class of service that the
// application has set, and arrives with it, through every back end and both families.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "udp/conformance_fixture.h"
#include "udp/header_socket_test_support.h"

namespace godwit::ecn_test {
namespace {

constexpr std::array kMarks = {Ecn::kNone, Ecn::kEct0, Ecn::kCe, Ecn::kNone, Ecn::kEct1, Ecn::kEct0};

std::vector<Ecn> receive(Backend& backend, std::size_t datagrams) {
  std::vector<Ecn> marks;
  ReceivedBatches inbox;
  while (marks.size() < datagrams) {
    backend.receive(inbox);
    for (const DatagramBatch& batch : inbox.batches()) marks.insert(marks.end(), batch.segment_count(), batch.ecn);
    if (inbox.empty() && !backend.wait(std::chrono::seconds{5}).readable) break;
  }
  return marks;
}

class Marks : public testing::TestWithParam<BackendKind> {
 protected:
  // Null where the machine has no such back end.
  static std::unique_ptr<Backend> open(Socket socket, const SocketAddress& peer) {
    auto backend = make_backend(GetParam(), std::move(socket), {.allow_defective_kernel = true, .peer = peer});
    if (!backend) return nullptr;
    ReceivedBatches inbox;
    (*backend)->receive(inbox);  // a ring begins to receive with the first call
    return *std::move(backend);
  }
  static std::unique_ptr<Backend> open(const SocketAddress& bind, const SocketAddress& peer) {
    auto socket = Socket::open({.bind = bind});
    EXPECT_TRUE(socket);
    return open(*std::move(socket), peer);
  }
  // Six batches of three datagrams with one mark each, sent together.
  static void expect_marks_to_pass(Backend& from, Backend& to, const SocketAddress& target) {
    std::vector<OwnedBatch> owned;
    std::vector<DatagramBatch> batches;
    std::vector<Ecn> expected;
    for (std::size_t i = 0; i < kMarks.size(); ++i) {
      owned.emplace_back(target, 1200, 3 * 1200, static_cast<std::uint32_t>(i));
      batches.push_back(owned.back().batch);
      batches.back().ecn = kMarks[i];
      expected.insert(expected.end(), 3, kMarks[i]);
    }
    ASSERT_EQ(from.send(batches), batches.size());
    EXPECT_EQ(receive(to, expected.size()), expected);
  }
};

TEST_P(Marks, LeaveAndArriveInBothFamilies) {
  for (const SocketFamily family : {SocketFamily::kIpv4, SocketFamily::kIpv6}) {
    auto one = Socket::open({.bind = loopback(family)});
    auto other = Socket::open({.bind = loopback(family)});
    ASSERT_TRUE(one && other);
    const SocketAddress source = one->local_address();
    const SocketAddress target = other->local_address();
    const auto from = open(*std::move(one), target);
    const auto to = open(*std::move(other), source);
    if (from == nullptr) GTEST_SKIP() << "not on this machine";
    expect_marks_to_pass(*from, *to, target);
  }
}

TEST_P(Marks, PassBetweenTheFamiliesOfOneSocket) {
  if (GetParam() == BackendKind::kConnected) GTEST_SKIP() << "serves one peer by its nature";
  auto both = open(*SocketAddress::parse("[::]:0"), {});
  if (both == nullptr) GTEST_SKIP() << "not on this machine";
  auto ipv4 = open(loopback(SocketFamily::kIpv4), {});
  auto ipv6 = open(loopback(SocketFamily::kIpv6), {});
  const std::uint16_t port = both->socket().local_address().port();
  expect_marks_to_pass(*ipv4, *both, loopback(SocketFamily::kIpv4, port));
  expect_marks_to_pass(*ipv6, *both, loopback(SocketFamily::kIpv6, port));
  expect_marks_to_pass(*both, *ipv4, ipv4->socket().local_address());
  expect_marks_to_pass(*both, *ipv6, ipv6->socket().local_address());
}

// The application's class of service and the mark share a byte.
TEST_P(Marks, LeaveTheClassOfServiceAsItIs) {
  for (const SocketFamily family : {SocketFamily::kIpv4, SocketFamily::kIpv6}) {
    const bool ipv4 = family == SocketFamily::kIpv4;
    const test::HeaderSocket goal(family, test::service_class_field(family));
    auto from = open(loopback(family), goal.address());
    if (from == nullptr) continue;
    const int lowest_delay = 0xb8;
    ASSERT_EQ(::setsockopt(from->socket().descriptor(), ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_TOS : IPV6_TCLASS,
                           &lowest_delay, sizeof lowest_delay),
              0);
    OwnedBatch owned(goal.address(), 100, 100, 1);
    owned.batch.ecn = Ecn::kEct0;
    ASSERT_EQ(from->send({&owned.batch, 1}), 1u);
    EXPECT_EQ(goal.next(), 0xb8 | 2);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Marks, testing::ValuesIn(backend_kinds().begin(), backend_kinds().end()),
                         [](const auto& instance) { return std::string(to_string(instance.param)); });

}  // namespace
}  // namespace godwit::ecn_test
