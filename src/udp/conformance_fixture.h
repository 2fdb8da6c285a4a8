// Test support: the fixture of the conformance suite, which runs on every back end over real loopback sockets of both
// families. A back end that this machine cannot have is skipped with its reason.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "udp/backend.h"
#include "udp/scripted_send_calls_test_support.h"

namespace godwit {

using ConformanceParameter = std::tuple<BackendKind, SocketFamily>;

inline SocketAddress loopback(SocketFamily family, std::uint16_t port = 0) {
  if (family == SocketFamily::kIpv4) return SocketAddress::ipv4({127, 0, 0, 1}, port);
  return SocketAddress::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port);
}

// Owns the bytes of a batch. Every byte depends on its place and on the seed, so that a swap or a cut shows.
struct OwnedBatch {
  std::vector<std::uint8_t> bytes;
  DatagramBatch batch;

  OwnedBatch(const SocketAddress& remote, std::size_t segment_size, std::size_t total, std::uint32_t seed)
      : bytes(total) {
    std::uint32_t state = seed * 2654435761U + 1;
    for (std::uint8_t& byte : bytes) {
      state = state * 1664525U + 1013904223U;
      byte = static_cast<std::uint8_t>(state >> 24);
    }
    batch = {.local = {}, .remote = remote, .bytes = bytes, .segment_size = total == 0 ? 0 : segment_size};
  }
  OwnedBatch(OwnedBatch&&) = default;  // a moved vector keeps its storage
};

using Datagram = std::vector<std::uint8_t>;

// A list of datagrams whose mismatch prints lengths and digests, not kilobytes.
struct Datagrams : std::vector<Datagram> {
  using std::vector<Datagram>::vector;

  friend void PrintTo(const Datagrams& datagrams, std::ostream* out) {
    *out << datagrams.size() << " datagrams:";
    for (const Datagram& datagram : datagrams) {
      std::uint32_t digest = 2166136261U;
      for (const std::uint8_t byte : datagram) digest = (digest ^ byte) * 16777619U;
      *out << ' ' << datagram.size() << '/' << std::hex << (digest & 0xffff) << std::dec;
    }
  }
};

inline void append_datagrams(const DatagramBatch& batch, Datagrams& out) {
  for (std::size_t i = 0; i < batch.segment_count(); ++i) {
    const MutableBytes segment = batch.segment(i);
    out.emplace_back(segment.begin(), segment.end());
  }
}

// Takes what arrives until `count` datagrams are there, or nothing more comes.
inline Datagrams collect(Backend& backend, std::size_t count) {
  Datagrams out;
  ReceivedBatches inbox;
  constexpr Duration kPatience = std::chrono::seconds{5};
  while (out.size() < count) {
    backend.receive(inbox);
    for (const DatagramBatch& batch : inbox.batches()) append_datagrams(batch, out);
    if (inbox.empty() && !backend.wait(kPatience).readable) break;
  }
  return out;
}

// What is left in the socket once all of a test's datagrams are there: loopback delivers within the send call.
inline Datagrams collect_rest(Backend& backend) {
  Datagrams out;
  ReceivedBatches inbox;
  do {
    backend.receive(inbox);
    for (const DatagramBatch& batch : inbox.batches()) append_datagrams(batch, out);
  } while (!inbox.empty());
  return out;
}

class BackendConformance : public testing::TestWithParam<ConformanceParameter> {
 protected:
  [[nodiscard]] static BackendKind kind() { return std::get<0>(GetParam()); }
  [[nodiscard]] static SocketFamily family() { return std::get<1>(GetParam()); }
  [[nodiscard]] static bool cuts() { return kind() == BackendKind::kGso || kind() == BackendKind::kUring; }
  [[nodiscard]] static bool one_call_each() {
    return kind() == BackendKind::kSendto || kind() == BackendKind::kConnected || kind() == BackendKind::kPosix;
  }
  // The kernel tells what became of datagrams: ICMP errors with their peers, and how many it has dropped.
  [[nodiscard]] static bool has_kernel_reports() { return kind() != BackendKind::kPosix; }
  [[nodiscard]] static bool single_peer() { return kind() == BackendKind::kConnected; }

  void SetUp() override {
    auto a = Socket::open({.bind = loopback(family())});
    auto b = Socket::open({.bind = loopback(family())});
    ASSERT_TRUE(a) << a.error().message;
    ASSERT_TRUE(b) << b.error().message;
    a_address_ = a->local_address();
    b_address_ = b->local_address();
    a_ = open(*std::move(a), b_address_);
    b_ = open(*std::move(b), a_address_);
    if (a_ == nullptr || b_ == nullptr) GTEST_SKIP() << to_string(kind()) << ": " << skip_reason_;
    ReceivedBatches inbox;
    b_->receive(inbox);  // a ring begins to receive with the first call
  }

  // Null with a reason where the machine has no such back end.
  std::unique_ptr<Backend> open(Socket socket, const SocketAddress& peer) {
    BackendConfig config = config_;
    config.peer = peer;
    config.allow_defective_kernel = true;
    auto backend = make_backend(kind(), std::move(socket), config);
    if (!backend) {
      EXPECT_EQ(backend.error().code, ErrorCode::kUnsupported) << backend.error().message;
      skip_reason_ = backend.error().message;
      return nullptr;
    }
    return *std::move(backend);
  }
  std::unique_ptr<Backend> open_another(const SocketAddress& peer) {
    auto socket = Socket::open({.bind = loopback(family())});
    EXPECT_TRUE(socket);
    auto backend = open(*std::move(socket), peer);
    ReceivedBatches inbox;
    backend->receive(inbox);
    return backend;
  }
  // A yardstick that has no tricks, for what only one side is asked about.
  static std::unique_ptr<Backend> open_plain(const SocketAddress& bind) {
    auto socket = Socket::open({.bind = bind});
    EXPECT_TRUE(socket);
    auto backend = make_backend(BackendKind::kPosix, *std::move(socket), {});
    EXPECT_TRUE(backend);
    return *std::move(backend);
  }

  OwnedBatch run_to_b(std::size_t segment_size, std::size_t total, std::uint32_t seed = 1) const {
    return OwnedBatch(b_address_, segment_size, total, seed);
  }
  static Datagrams datagrams_of(const OwnedBatch& owned) {
    Datagrams out;
    append_datagrams(owned.batch, out);
    return out;
  }

  std::shared_ptr<ScriptedSendCalls> calls_ = std::make_shared<ScriptedSendCalls>();
  BackendConfig config_ = {.send_calls = calls_};
  std::string skip_reason_;
  SocketAddress a_address_;
  SocketAddress b_address_;
  std::unique_ptr<Backend> a_;
  std::unique_ptr<Backend> b_;
};

inline std::string conformance_name(const testing::TestParamInfo<ConformanceParameter>& info) {
  return std::string(to_string(std::get<0>(info.param))) +
         (std::get<1>(info.param) == SocketFamily::kIpv4 ? "_ipv4" : "_ipv6");
}

// Every back end on both families.
inline auto all_back_ends() {
  return testing::Combine(testing::ValuesIn(backend_kinds().begin(), backend_kinds().end()),
                          testing::Values(SocketFamily::kIpv4, SocketFamily::kIpv6));
}

}  // namespace godwit
