// The relay's sockets on loopback: what they pass on, and what a side is spared that has not asked for anything.
#include "cli/relay_ports.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "runtime/node.h"

namespace godwit::cli::relay_ports_test {
namespace {

class RelayPortsTest : public testing::Test {
 protected:
  void SetUp() override {
    NodeConfig config;
    config.socket.bind = kLoopback;
    DeterministicRandom random(1);
    auto opened = Node::open(config, *KeyPair::generate(random));
    ASSERT_TRUE(opened) << opened.error().message;
    node_ = *std::move(opened);
    auto set = DescriptorSet::open(*node_);
    ASSERT_TRUE(set);
    descriptors_ = *std::move(set);
    relay_.emplace(*descriptors_, kLoopback, kLoopback, 4);
    asker_ = socket();
    peer_ = socket();
    const auto pair = relay_->open(now_, address(*asker_), address(*peer_));
    ASSERT_TRUE(pair);
    pair_ = *pair;
  }

  static std::unique_ptr<Backend> socket(const SocketAddress& bind = kLoopback) {
    SocketOptions options;
    options.bind = bind;
    return *make_backend(BackendKind::kSendto, *Socket::open(options), {});
  }
  static SocketAddress address(const Backend& backend) { return backend.socket().local_address(); }
  void send(Backend& from, const SocketAddress& to, std::string text) {
    DatagramBatch batch{.local = {},
                        .remote = to,
                        .bytes = {reinterpret_cast<std::uint8_t*>(text.data()), text.size()},
                        .segment_size = text.size()};
    ASSERT_EQ(from.send({&batch, 1}), 1U);
    // Loopback delivers within the call.
    relay_->on_turn(now_);
  }
  // What has come, in order; nothing more is on its way.
  static std::vector<std::string> received(Backend& at) {
    std::vector<std::string> texts;
    ReceivedBatches inbox;
    while (at.receive(inbox) > 0) {
      for (const DatagramBatch& batch : inbox.batches()) texts.emplace_back(batch.bytes.begin(), batch.bytes.end());
    }
    return texts;
  }

  static inline const SocketAddress kLoopback = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  Instant now_{1h};
  std::unique_ptr<Node> node_;
  std::unique_ptr<DescriptorSet> descriptors_;
  std::optional<RelaySockets> relay_;
  std::unique_ptr<Backend> asker_;
  std::unique_ptr<Backend> peer_;
  RelayPorts::Pair pair_;
};

using Texts = std::vector<std::string>;

TEST_F(RelayPortsTest, WhatComesBeforeTheOtherSideHasBeenHeardIsKeptOnceAndThenPassedOn) {
  send(*asker_, pair_.for_asker, "first");
  send(*asker_, pair_.for_asker, "second");
  EXPECT_EQ(received(*peer_), Texts()) << "nobody there has asked for it";
  send(*peer_, pair_.for_peer, std::string(1, '\0'));
  EXPECT_EQ(received(*peer_), Texts({"first"}));
  EXPECT_EQ(received(*asker_), Texts()) << "an opener is for the translation alone";
  send(*asker_, pair_.for_asker, "third");
  send(*peer_, pair_.for_peer, "answer");
  EXPECT_EQ(received(*peer_), Texts({"third"}));
  EXPECT_EQ(received(*asker_), Texts({"answer"}));
  EXPECT_EQ(relay_->statistics().held, 2U);
}

TEST_F(RelayPortsTest, ASideThatSaysNothingIsSentToAfterASecond) {
  send(*asker_, pair_.for_asker, "early");
  now_ += 1s;
  send(*asker_, pair_.for_asker, "late");
  EXPECT_EQ(received(*peer_), Texts({"late"}));
  send(*peer_, pair_.for_peer, "here");
  EXPECT_EQ(received(*peer_), Texts()) << "what was early is of no use any more";
}

TEST_F(RelayPortsTest, EmptyDatagramsAndThoseOfStrangersGoNowhere) {
  send(*peer_, pair_.for_peer, "here");
  const auto stranger = socket(SocketAddress::ipv4({127, 0, 0, 2}, 0));
  send(*stranger, pair_.for_asker, "let me in");
  EXPECT_EQ(relay_->statistics().strangers, 1U);
  EXPECT_EQ(received(*asker_), Texts()) << "a stranger opens nothing";
  send(*asker_, pair_.for_asker, "");
  EXPECT_EQ(received(*peer_), Texts());
  EXPECT_EQ(received(*stranger), Texts());
  send(*asker_, pair_.for_asker, "hello");
  EXPECT_EQ(received(*peer_), Texts({"hello"}));
  EXPECT_EQ(received(*asker_), Texts({"here"}));
}

TEST_F(RelayPortsTest, APlaceThatIsNotThereIsRefused) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(relay_->open(now_, address(*asker_), address(*peer_)));
  EXPECT_FALSE(relay_->open(now_, address(*asker_), address(*peer_)));
}

}  // namespace
}  // namespace godwit::cli::relay_ports_test
