// Godwit against the unmodified deployed peer over real UDP on loopback (tools/interop). The peer's program is named by
// GODWIT_INTEROP_PEER; without it every case says that it was skipped. scripts/run_interop.sh builds it and runs this.

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/bytes.h"
#include "runtime/clock.h"
#include "runtime/node.h"
#include "tests/child_process.h"
#include "tests/extended_setting.h"

namespace godwit {
namespace {

using testing::ChildProcess;

std::vector<std::uint8_t> pattern(std::size_t size, std::uint32_t salt = 0) {
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>((i + salt) * 2654435761U >> 13);
  return bytes;
}

std::vector<std::uint8_t> sha256(ByteView bytes) {
  std::vector<std::uint8_t> digest(SHA256_DIGEST_LENGTH);
  SHA256(bytes.data(), bytes.size(), digest.data());
  return digest;
}

class Interop : public ::testing::Test, protected Node::Handler {
 protected:
  void SetUp() override {
    const char* path = std::getenv("GODWIT_INTEROP_PEER");
    if (path == nullptr || !std::filesystem::exists(path)) {
      GTEST_SKIP() << "no deployed peer: build it with scripts/run_interop.sh, which sets GODWIT_INTEROP_PEER";
    }
    peer_program_ = path;
    open_node({});
  }

  void open_node(const FaultPlan& faults) {
    NodeConfig config;
    config.endpoint.handshake.extended = testing::extended_setting();
    config.socket.bind = *SocketAddress::parse("127.0.0.1:0");
    config.faults = faults;
    SystemRandom random;
    auto keys = KeyPair::generate(random);
    ASSERT_TRUE(keys);
    auto node = Node::open(config, std::move(*keys));
    ASSERT_TRUE(node) << node.error().message;
    node_ = std::move(*node);
    confirmed_ = 0;
    messages_.clear();
    connected_.clear();
    closed_.clear();
  }

  std::unique_ptr<ChildProcess> peer(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), peer_program_);
    return std::make_unique<ChildProcess>(arguments);
  }
  // A listening deployed peer, up and running.
  std::unique_ptr<ChildProcess> listener(std::vector<std::string> options) {
    options.insert(options.begin(), "listen");
    auto process = peer(std::move(options));
    EXPECT_TRUE(turn_until(10s, [&] {
      process->poll_output();
      return !process->word_after("ADDR").empty();
    }));
    return process;
  }

  template <typename Done>
  bool turn_until(Duration limit, Done done) {
    const Instant end = boot_time_now() + limit;
    while (boot_time_now() < end) {
      if (done()) return true;
      node_->turn(*this, 5ms);
    }
    return done();
  }
  void turn_for(Duration time) {
    static_cast<void>(turn_until(time, [] { return false; }));
  }

  ConnectionId initiate(const ChildProcess& process) {
    const auto address = SocketAddress::parse(process.word_after("ADDR"));
    const auto key = PublicKey::from_hex(process.word_after("PUBKEY"));
    EXPECT_TRUE(address && key);
    const auto connection = node_->connect(*address, *key);
    EXPECT_TRUE(connection) << connection.error().message;
    EXPECT_TRUE(turn_until(15s, [&] { return connected_.contains(*connection); }));
    return *connection;
  }

  void on_event(Node& node, ConnectionId connection, Event& event) override {
    if (const auto* connected = std::get_if<Connected>(&event)) connected_[connection] = *connected;
    if (const auto* closed = std::get_if<Closed>(&event)) closed_[connection] = *closed;
    if (const auto* message = std::get_if<MessageReceived>(&event)) {
      take(node, connection, {message->payload.begin(), message->payload.end()});
    }
    if (auto* message = std::get_if<StreamMessage>(&event)) take(node, connection, std::move(message->payload));
    if (std::get_if<MessageConfirmed>(&event)) ++confirmed_;
    if (std::get_if<MessageFailed>(&event)) ++failed_;
  }
  void take(Node& node, ConnectionId connection, std::vector<std::uint8_t> bytes) {
    if (echo_) {
      EXPECT_TRUE(node.send(connection, Body::owned(bytes)));
    }
    messages_.push_back(std::move(bytes));
  }

  // Sends to a peer in digest mode and checks length and SHA-256 of its answer.
  void expect_digest(ConnectionId connection, std::size_t size, Duration limit) {
    const auto bytes = pattern(size, static_cast<std::uint32_t>(size));
    const std::size_t before = messages_.size();
    ASSERT_TRUE(node_->send(connection, Body::borrowed(bytes)));
    ASSERT_TRUE(turn_until(limit, [&] { return messages_.size() > before; })) << size << " bytes";
    const auto& answer = messages_.back();
    ASSERT_EQ(answer.size(), 40U);
    EXPECT_EQ(load_le<std::uint64_t>(answer.data()), size);
    EXPECT_EQ(std::vector<std::uint8_t>(answer.begin() + 8, answer.end()), sha256(bytes)) << size << " bytes";
    EXPECT_TRUE(turn_until(5s, [&] { return confirmed_ == messages_.size(); }))
        << "not acknowledged: " << size << " bytes";
  }

  std::string peer_program_;
  std::unique_ptr<Node> node_;
  std::map<ConnectionId, Connected> connected_;
  std::map<ConnectionId, Closed> closed_;
  std::vector<std::vector<std::uint8_t>> messages_;
  std::size_t confirmed_ = 0;
  std::size_t failed_ = 0;
  bool echo_ = false;
};

constexpr std::size_t kMebibyte = 1 << 20;

TEST_F(Interop, AsInitiatorSendsShortMessagesAndStreams) {
  const auto gateway = listener({"--gateway", "--digest"});
  const ConnectionId connection = initiate(*gateway);
  EXPECT_TRUE(connected_[connection].peer_authenticated);
  for (const std::size_t size : {1UL, 3UL, 1000UL, 1106UL, 1107UL, 1130UL, 1131UL, 3000UL, 65'536UL, kMebibyte}) {
    expect_digest(connection, size, 20s);
  }
  expect_digest(connection, 16 * kMebibyte, 60s);
  EXPECT_EQ(failed_, 0U);
}

TEST_F(Interop, AsAcceptorReceivesAndAnswers) {
  echo_ = true;
  const std::string address = node_->local_address().to_string();
  const std::string key = node_->endpoint().public_key().to_hex();
  struct Case {
    const char* size;
    const char* count;
  };
  for (const Case& each :
       {Case{"3", "20"}, Case{"1106", "20"}, Case{"1107", "5"}, Case{"100000", "5"}, Case{"16777216", "1"}}) {
    const auto sender = peer(
        {"send", "--to", address, "--peer-key", key, "--size", each.size, "--count", each.count, "--rate", "40000000"});
    ASSERT_TRUE(turn_until(90s,
                           [&] {
                             sender->poll_output();
                             return sender->printed("REPLIES");
                           }))
        << each.size << " bytes\n"
        << sender->text();
    EXPECT_TRUE(sender->printed(std::string("REPLIES ") + each.count + " bad=0")) << sender->text();
  }
}

TEST_F(Interop, ReturnsAByteVectorWithItsLengthPrefix) {
  // Conformance item 53: the vector de ad be arrives with eight bytes of length.
  const auto gateway = listener({"--gateway"});
  const ConnectionId connection = initiate(*gateway);
  const std::vector<std::uint8_t> encoded{3, 0, 0, 0, 0, 0, 0, 0, 0xde, 0xad, 0xbe};
  ASSERT_TRUE(node_->send(connection, Body::owned(encoded)));
  ASSERT_TRUE(turn_until(5s, [&] { return !messages_.empty(); }));
  EXPECT_EQ(messages_[0], encoded);
}

TEST_F(Interop, OpensSimultaneously) {
  SystemRandom random;
  const auto its_keys = KeyPair::generate(random);
  const std::string key_file = ::testing::TempDir() + "godwit-interop-" + std::to_string(getpid()) + ".key";
  const auto prepared = peer({"pubkey", "--key-file", key_file});
  ASSERT_TRUE(turn_until(5s, [&] {
    prepared->poll_output();
    return prepared->text().size() >= 65;
  }));
  const auto key = PublicKey::from_hex(prepared->text().substr(0, 64));
  ASSERT_TRUE(key);
  const std::string port = std::to_string(20'000 + getpid() % 20'000);
  const auto other = peer({"listen", "--port", port, "--key-file", key_file, "--digest", "--dial",
                           node_->local_address().to_string() + "," + node_->endpoint().public_key().to_hex()});
  const auto connection = node_->connect(*SocketAddress::parse("127.0.0.1:" + port), *key);
  ASSERT_TRUE(connection);
  ASSERT_TRUE(turn_until(15s, [&] { return connected_.contains(*connection); }));
  expect_digest(*connection, 500, 10s);
  expect_digest(*connection, kMebibyte, 20s);
  std::filesystem::remove(key_file);
}

TEST_F(Interop, DeliversEverythingThroughOnePercentLoss) {
  open_node({.drop = 0.01, .seed = 7});
  const auto gateway = listener({"--gateway", "--digest"});
  const ConnectionId connection = initiate(*gateway);
  for (const std::size_t size : {100UL, 5000UL, 2 * kMebibyte}) expect_digest(connection, size, 60s);

  echo_ = true;
  const auto sender =
      peer({"send", "--to", node_->local_address().to_string(), "--peer-key", node_->endpoint().public_key().to_hex(),
            "--size", "1000000", "--count", "2", "--rate", "20000000"});
  ASSERT_TRUE(turn_until(90s, [&] {
    sender->poll_output();
    return sender->printed("REPLIES");
  })) << sender->text();
  EXPECT_TRUE(sender->printed("bad=0")) << sender->text();
}

TEST_F(Interop, FollowsAPeerThatRestarts) {
  // The peer connects, is killed and connects again from the same address: its new intro is a restart (wire spec 4.6).
  echo_ = true;
  const std::string address = node_->local_address().to_string();
  const std::string key = node_->endpoint().public_key().to_hex();
  const std::string port = std::to_string(40'000 + getpid() % 10'000);
  auto first = peer(
      {"send", "--to", address, "--peer-key", key, "--port", port, "--size", "50", "--count", "3", "--hold", "60"});
  ASSERT_TRUE(turn_until(15s, [&] {
    first->poll_output();
    return first->printed("REPLIES 3 bad=0");
  })) << first->text();
  first->kill(SIGKILL);
  turn_for(1200ms);
  const auto second =
      peer({"send", "--to", address, "--peer-key", key, "--port", port, "--size", "60000", "--count", "3"});
  ASSERT_TRUE(turn_until(20s, [&] {
    second->poll_output();
    return second->printed("REPLIES");
  })) << second->text();
  EXPECT_TRUE(second->printed("REPLIES 3 bad=0")) << second->text();
  EXPECT_EQ(connected_.size(), 2U);
  EXPECT_EQ(closed_.size(), 1U);
  for (const auto& [connection, closed] : closed_) EXPECT_EQ(closed.reason, CloseReason::kReplaced);
}

TEST_F(Interop, ReconnectsToAGatewayThatRestarted) {
  const std::string key_file = ::testing::TempDir() + "godwit-interop-gateway-" + std::to_string(getpid()) + ".key";
  const std::string port = std::to_string(50'000 + getpid() % 10'000);
  auto gateway = listener({"--gateway", "--digest", "--key-file", key_file, "--port", port});
  const ConnectionId first = initiate(*gateway);
  expect_digest(first, 2000, 10s);
  gateway->kill(SIGKILL);
  gateway = listener({"--gateway", "--digest", "--key-file", key_file, "--port", port});
  const ConnectionId second = initiate(*gateway);
  EXPECT_NE(first, second);
  EXPECT_TRUE(closed_.contains(first));
  expect_digest(second, 2000, 10s);
  std::filesystem::remove(key_file);
}

TEST_F(Interop, ThePeerLearnsThatGodwitCloses) {
  const auto gateway = listener({"--gateway", "--digest"});
  const ConnectionId connection = initiate(*gateway);
  expect_digest(connection, 10, 5s);
  node_->close(connection, "done here");
  EXPECT_TRUE(turn_until(3s, [&] {
    gateway->poll_output();
    return gateway->printed("CLOSED");
  })) << gateway->text();
}

TEST_F(Interop, KeepsAnIdleConnectionWithPingsAlone) {
  const auto gateway = listener({"--gateway", "--digest"});
  const ConnectionId connection = initiate(*gateway);
  expect_digest(connection, 10, 5s);
  turn_for(2s);
  const auto before = node_->endpoint().statistics(connection);
  turn_for(11s);
  const auto after = node_->endpoint().statistics(connection);
  ASSERT_TRUE(before && after);
  // Conformance item 50: two or three pings and as many pongs each way, no NoOps.
  EXPECT_LE(after->packets_sent - before->packets_sent, 6U);
  EXPECT_EQ(after->ack_packets_sent, before->ack_packets_sent);
  expect_digest(connection, 4000, 5s);
}

TEST_F(Interop, NoticesAPeerThatVanishes) {
  // A deployed peer ends without a word; the connection becomes suspect and stays open for its application to judge
  // (W26).
  const auto gateway = listener({"--gateway", "--digest"});
  const ConnectionId connection = initiate(*gateway);
  expect_digest(connection, 10, 5s);
  gateway->kill(SIGKILL);
  turn_for(3s);
  EXPECT_FALSE(closed_.contains(connection));
  EXPECT_TRUE(node_->endpoint().statistics(connection));
}

}  // namespace
}  // namespace godwit
