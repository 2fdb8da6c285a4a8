// Further sockets beside that of a back end, on loopback: what comes to one is answered through it, and one that sleeps
// is woken by all of them.
#include "runtime/further_ports.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "udp/header_socket_test_support.h"

namespace godwit::further_ports_test {
namespace {

Socket open_socket() {
  SocketOptions options;
  options.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  return *Socket::open(options);
}

class FurtherPortsTest : public testing::Test {
 protected:
  static void send(Backend& from, const SocketAddress& local, const SocketAddress& to, std::string text,
                   std::uint8_t hop_limit = 0) {
    DatagramBatch batch{.local = local,
                        .remote = to,
                        .bytes = {reinterpret_cast<std::uint8_t*>(text.data()), text.size()},
                        .segment_size = text.size(),
                        .hop_limit = hop_limit};
    ASSERT_EQ(from.send({&batch, 1}), 1U);
  }
  struct Came {
    SocketAddress from;
    std::uint16_t to_port = 0;
    std::string text;
    friend bool operator==(const Came&, const Came&) = default;
  };
  static std::vector<Came> received(Backend& at) {
    std::vector<Came> all;
    ReceivedBatches inbox;
    while (at.receive(inbox) > 0) {
      for (const DatagramBatch& batch : inbox.batches()) {
        all.push_back({batch.remote, batch.local.port(), std::string(batch.bytes.begin(), batch.bytes.end())});
      }
      inbox.clear();
    }
    return all;
  }

  FurtherPorts ports_{*make_backend(BackendKind::kAuto, open_socket(), {})};
  std::unique_ptr<Backend> other_ = *make_backend(BackendKind::kSendto, open_socket(), {});
  const SocketAddress there_ = other_->socket().local_address();
};

TEST_F(FurtherPortsTest, WhatComesToOneNamesItAndTheAnswerLeavesThroughIt) {
  const auto locals = ports_.open(3);
  ASSERT_EQ(locals.size(), 3U);
  EXPECT_EQ(ports_.count(), 3U);
  send(*other_, {}, locals[1], "question");
  EXPECT_EQ(received(ports_), (std::vector<Came>{{there_, locals[1].port(), "question"}}));
  send(ports_, locals[1], there_, "answer");
  send(ports_, {}, there_, "own");
  const auto answers = received(*other_);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].from, locals[1]);
  EXPECT_EQ(answers[1].from, ports_.socket().local_address());
}

TEST_F(FurtherPortsTest, AnOpenerAloneHasTheHopLimitOfAnOpener) {
  const test::HeaderField field = test::hop_limit_field(SocketFamily::kIpv4);
  test::tell_field(other_->socket().descriptor(), field);
  const auto locals = ports_.open(1);
  ASSERT_EQ(locals.size(), 1U);
  send(ports_, locals[0], there_, "opener", 3);
  send(ports_, locals[0], there_, "packet");
  const auto next = [&] { return test::next_field(other_->socket().descriptor(), field, MSG_DONTWAIT); };
  EXPECT_EQ(next(), 3);
  EXPECT_GT(next(), 3);
}

TEST_F(FurtherPortsTest, OnlyThoseInUseStay) {
  const auto locals = ports_.open(3);
  ASSERT_EQ(locals.size(), 3U);
  ports_.keep(std::array{locals[2].port()});
  EXPECT_EQ(ports_.count(), 1U);
  EXPECT_GE(ports_.further_descriptor(), 0);
  // The kernel gives the port away again.
  SocketOptions options;
  options.bind = locals[0];
  EXPECT_TRUE(Socket::open(options));
  send(ports_, locals[2], there_, "still here");
  ports_.keep({});
  EXPECT_EQ(ports_.further_descriptor(), -1);
  send(ports_, locals[2], there_, "closed");
  const auto came = received(*other_);
  ASSERT_EQ(came.size(), 2U);
  EXPECT_EQ(came[0].from, locals[2]);
  EXPECT_EQ(came[1].from, ports_.socket().local_address()) << "what is left over leaves another way";
}

TEST_F(FurtherPortsTest, WhoeverSleepsIsWokenByEachSocketAndByOthers) {
  const auto locals = ports_.open(2);
  ASSERT_EQ(locals.size(), 2U);
  static_cast<void>(received(ports_));
  for (const SocketAddress& to : {ports_.socket().local_address(), locals[0], locals[1]}) {
    send(*other_, {}, to, "wake");
    EXPECT_TRUE(ports_.wait(std::nullopt).readable) << to.to_string();
    EXPECT_EQ(received(ports_).size(), 1U);
  }
  std::thread waker([this] { ports_.wake(); });
  ports_.wait(std::nullopt);
  waker.join();
}

}  // namespace
}  // namespace godwit::further_ports_test
