// A batch with a hop limit of its own leaves with it, and the batches before and after it with the system's.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "udp/conformance_fixture.h"
#include "udp/header_socket_test_support.h"

namespace godwit::hop_limit_test {
namespace {

class HopLimit : public testing::TestWithParam<BackendKind> {};

TEST_P(HopLimit, IsThatOfTheRunInBothFamilies) {
  for (const SocketFamily family : {SocketFamily::kIpv4, SocketFamily::kIpv6}) {
    const test::HeaderSocket goal(family, test::hop_limit_field(family));
    auto socket = Socket::open({.bind = loopback(family)});
    ASSERT_TRUE(socket);
    auto backend =
        make_backend(GetParam(), *std::move(socket), {.allow_defective_kernel = true, .peer = goal.address()});
    if (backend) {
      std::array<OwnedBatch, 3> owned{OwnedBatch(goal.address(), 100, 100, 1), OwnedBatch(goal.address(), 100, 100, 2),
                                      OwnedBatch(goal.address(), 100, 100, 3)};
      std::array<DatagramBatch, 3> batches{owned[0].batch, owned[1].batch, owned[2].batch};
      batches[1].hop_limit = 3;
      ASSERT_EQ((*backend)->send(batches), batches.size());
      const int before = goal.next();
      EXPECT_GT(before, 3);
      EXPECT_EQ(goal.next(), 3);
      EXPECT_EQ(goal.next(), before);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, HopLimit, testing::ValuesIn(backend_kinds().begin(), backend_kinds().end()),
                         [](const auto& instance) { return std::string(to_string(instance.param)); });

}  // namespace
}  // namespace godwit::hop_limit_test
