#include "udp/backend_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string_view>
#include <thread>

#include "udp/scripted_send_calls_test_support.h"

namespace godwit {
namespace {

using testing::HasSubstr;

std::unique_ptr<Backend> make_auto(const BackendConfig& config) {
  auto socket = Socket::open({.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0)});
  EXPECT_TRUE(socket);
  auto backend = make_backend(BackendKind::kAuto, *std::move(socket), config);
  EXPECT_TRUE(backend) << backend.error().message;
  return *std::move(backend);
}

// A kernel before the defect, whatever runs the test.
constexpr KernelVersion kSoundKernel{6, 12, 0};

TEST(BackendProbe, AutoTakesWhatTheProbeProves) {
  const BackendConfig config{.kernel = kSoundKernel};
  const BackendProbe probe = probe_backends(config);
  EXPECT_TRUE(probe.mmsg.works) << probe.mmsg.reason;
  const auto backend = make_auto(config);
  EXPECT_EQ(backend->kind(), probe.chosen);
  EXPECT_THAT(backend->choice(), HasSubstr(probe.choice));
  EXPECT_EQ(probe.chosen, probe.segmentation_offload.works ? BackendKind::kGso : BackendKind::kMmsg);
}

TEST(BackendProbe, EveryFindingHasAReason) {
  const BackendProbe probe = probe_backends({});
  for (const ProbeFinding* finding : {&probe.mmsg, &probe.segmentation_offload, &probe.receive_offload, &probe.uring}) {
    EXPECT_FALSE(finding->reason.empty());
  }
  const std::string text = probe.to_text();
  for (const char* part : {"sendmmsg", "UDP_SEGMENT", "UDP_GRO", "io_uring", "auto takes"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(BackendProbe, RefusedSegmentationOffloadLeadsToMmsg) {
  const auto calls = std::make_shared<ScriptedSendCalls>();
  calls->add({.error = EIO, .shape = ScriptedSendCalls::Shape::kCut});
  const BackendConfig config{.send_calls = calls, .kernel = kSoundKernel};
  const BackendProbe probe = probe_backends(config);
  EXPECT_FALSE(probe.segmentation_offload.works);
  EXPECT_THAT(probe.segmentation_offload.reason, HasSubstr("Input/output error"));
  const auto backend = make_auto(config);
  EXPECT_EQ(backend->kind(), BackendKind::kMmsg);
  EXPECT_THAT(backend->choice(), HasSubstr("no segmentation offload"));
}

TEST(BackendProbe, ForbiddenCallsForManyLeadToSendto) {
  const auto calls = std::make_shared<ScriptedSendCalls>();
  calls->add({.error = EPERM, .whole_call = true});
  calls->add({.error = EIO, .shape = ScriptedSendCalls::Shape::kCut});
  const auto backend = make_auto({.send_calls = calls, .kernel = kSoundKernel});
  EXPECT_EQ(backend->kind(), BackendKind::kSendto);
  EXPECT_THAT(backend->choice(), HasSubstr("no calls for many"));
}

TEST(BackendProbe, AKernelWithTheDefectGetsNoSegmentationOffloadUnlessAllowed) {
  BackendConfig config{.kernel = KernelVersion{7, 1, 2}};
  const BackendProbe gated = probe_backends(config);
  EXPECT_FALSE(gated.segmentation_offload.works);
  EXPECT_THAT(gated.segmentation_offload.reason, HasSubstr("7.1.2"));
  EXPECT_EQ(make_auto(config)->kind(), BackendKind::kMmsg);

  auto socket = Socket::open({.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0)});
  ASSERT_TRUE(socket);
  const auto refused = make_backend(BackendKind::kGso, *std::move(socket), config);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);

  config.allow_defective_kernel = true;
  EXPECT_EQ(probe_backends(config).segmentation_offload.works,
            probe_backends({.kernel = kSoundKernel}).segmentation_offload.works);
}

TEST(BackendProbe, WhereLoopbackIsDownTheKernelIsBelieved) {
  bool in_namespace = false;
  std::thread([&] {
    in_namespace = ::unshare(CLONE_NEWNET) == 0;  // a new one begins with its loopback device down
    if (!in_namespace) return;
    const BackendProbe probe = probe_backends({.kernel = kSoundKernel}, ProbeScope::kWithoutUring);
    EXPECT_FALSE(probe.loopback.works);
    EXPECT_EQ(probe.chosen, BackendKind::kGso);
    EXPECT_THAT(probe.choice, HasSubstr("unproved"));
    EXPECT_FALSE(
        probe_backends({.kernel = KernelVersion{7, 0, 1}}, ProbeScope::kWithoutUring).segmentation_offload.works);
  }).join();
  if (!in_namespace) GTEST_SKIP() << "a network namespace needs privileges";
}

TEST(BackendProbe, ConnectedNeedsAPeer) {
  auto socket = Socket::open({.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0)});
  ASSERT_TRUE(socket);
  const auto backend = make_backend(BackendKind::kConnected, *std::move(socket), {});
  ASSERT_FALSE(backend);
  EXPECT_EQ(backend.error().code, ErrorCode::kInvalidArgument);
}

TEST(BackendKind, HasOneNameEach) {
  std::set<std::string_view> seen;
  for (const std::string_view name : backend_names()) {
    const auto kind = parse_backend_kind(name);
    ASSERT_TRUE(kind) << name;
    EXPECT_EQ(to_string(*kind), name);
    EXPECT_TRUE(seen.insert(name).second) << name;
  }
  EXPECT_EQ(backend_names().size(), backend_kinds().size() + 1);
  EXPECT_FALSE(parse_backend_kind("dpdk"));
}

}  // namespace
}  // namespace godwit
