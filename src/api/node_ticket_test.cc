// Node::connect() with a ticket and Node::register_at(): three processes' worth of sockets in one thread, a rendezvous
// and two applications that use the public API.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "code/cpace.h"
#include "godwit/godwit.h"
#include "rendezvous/rendezvous_server.h"
#include "runtime/node.h"
#include "runtime/system_random.h"

namespace godwit::node_ticket_test {
namespace {

using namespace std::chrono_literals;
namespace gw = godwit::v1;

constexpr int kTurns = 30'000;  // of a millisecond at most

class Rendezvous final : public Node::Handler {
 public:
  Rendezvous() {
    NodeConfig config;
    config.endpoint.handshake.extended = ExtendedPolicy::kRequire;
    config.socket.bind = *SocketAddress::parse("127.0.0.1:0");
    SystemRandom random;
    node_ = std::move(*Node::open(config, *KeyPair::generate(random)));
    server_.emplace(node_->endpoint(), nullptr, RendezvousLimits{});
  }
  void on_event(Node& node, ConnectionId connection, Event& event) override {
    server_->on_event(node.now(), connection, event);
  }
  void turn() { node_->turn(*this, Duration::zero()); }
  [[nodiscard]] gw::TicketRendezvous place() const {
    return {.address = node_->local_address().to_string(), .public_key = node_->endpoint().public_key().to_hex()};
  }
  [[nodiscard]] const RendezvousServer& server() const { return *server_; }

 private:
  std::unique_ptr<Node> node_;
  std::optional<RendezvousServer> server_;
};

// An application: keeps what it is told.
struct Application {
  explicit Application(const gw::NodeOptions& options)
      : node(std::move(*gw::Node::open(options, *gw::SecretKey::generate()))) {}

  void turn() {
    node->turn(
        [this](gw::Node&, const gw::Event& event) {
          if (event.kind == gw::Event::Kind::kConnected) connected.push_back(event);
          if (event.kind == gw::Event::Kind::kMessage) messages.emplace_back(event.bytes.begin(), event.bytes.end());
        },
        1ms);
  }
  void connect(const gw::Ticket& ticket) {
    const auto begun = node->connect(ticket, [this](gw::Node&, gw::Result<gw::ConnectionId> which) { result = which; });
    ASSERT_TRUE(begun) << begun.error().message;
  }

  std::unique_ptr<gw::Node> node;
  std::vector<gw::Event> connected;
  std::vector<std::string> messages;
  std::optional<gw::Result<gw::ConnectionId>> result;
};

class NodeTicket : public ::testing::Test {
 protected:
  static gw::NodeOptions options() {
    gw::NodeOptions options;
    options.bind = "127.0.0.1:0";
    return options;
  }
  bool turn_until(const std::function<bool()>& done) {
    for (int turn = 0; turn < kTurns && !done(); ++turn) {
      rendezvous_.turn();
      listener_.turn();
      seeker_.turn();
    }
    return done();
  }
  // A ticket that names the rendezvous alone.
  gw::Ticket ticket() {
    return {
        .public_key = listener_.node->public_key(), .addresses = {}, .hosts = {}, .rendezvous = {rendezvous_.place()}};
  }

  Rendezvous rendezvous_;
  Application listener_{options()};
  Application seeker_{options()};
};

TEST_F(NodeTicket, APeerIsFoundThroughItsRendezvous) {
  std::vector<std::string> notices;
  ASSERT_TRUE(listener_.node->register_at(rendezvous_.place(),
                                          [&](gw::Node&, std::string_view notice) { notices.emplace_back(notice); }));
  ASSERT_TRUE(turn_until([&] { return rendezvous_.server().registrations() == 1 && !notices.empty(); }));
  EXPECT_NE(notices.front().find(listener_.node->local_address()), std::string::npos) << notices.front();
  seeker_.connect(ticket());
  ASSERT_TRUE(turn_until([&] { return seeker_.result && !listener_.connected.empty(); }));
  ASSERT_TRUE(*seeker_.result) << seeker_.result->error().message;
  EXPECT_EQ(seeker_.connected.back().peer_key, listener_.node->public_key());
  const std::string text = "found";
  ASSERT_TRUE(seeker_.node->send(**seeker_.result,
                                 gw::ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size())));
  ASSERT_TRUE(turn_until([&] { return !listener_.messages.empty(); }));
  EXPECT_EQ(listener_.messages.front(), text);
  // Neither application has heard of the connections to the rendezvous.
  for (const Application* each : {&listener_, &seeker_}) {
    for (const gw::Event& event : each->connected) EXPECT_NE(event.peer_key, rendezvous_.place().public_key);
  }
}

TEST_F(NodeTicket, AddressesOfTheTicketServeWhereTheRendezvousKnowsNothing) {
  gw::Ticket both = ticket();
  both.addresses = {listener_.node->local_address()};
  seeker_.connect(both);
  ASSERT_TRUE(turn_until([&] { return seeker_.result.has_value(); }));
  EXPECT_TRUE(*seeker_.result);
}

TEST_F(NodeTicket, SaysWhyNobodyWasFound) {
  seeker_.connect(ticket());
  ASSERT_TRUE(turn_until([&] { return seeker_.result.has_value(); }));
  ASSERT_FALSE(*seeker_.result);
  EXPECT_NE(seeker_.result->error().message.find("not registered"), std::string::npos)
      << seeker_.result->error().message;
  EXPECT_TRUE(seeker_.connected.empty());
}

TEST_F(NodeTicket, APeerIsFoundByAOneTimeCode) {
  if (!cpace::available()) GTEST_SKIP() << "built without libsodium";
  std::string code;
  std::optional<gw::Result<std::string>> peer;
  ASSERT_TRUE(listener_.node->listen_by_code(
      rendezvous_.place(), "", [&](gw::Node&, std::string_view made) { code = made; },
      [&](gw::Node&, gw::Result<std::string> key) { peer = std::move(key); }));
  ASSERT_TRUE(turn_until([&] { return !code.empty(); }));
  ASSERT_TRUE(seeker_.node->connect_by_code(
      rendezvous_.place(), code, {}, [&](gw::Node&, gw::Result<gw::ConnectionId> which) { seeker_.result = which; }));
  ASSERT_TRUE(turn_until([&] { return seeker_.result && peer && !listener_.connected.empty(); }));
  ASSERT_TRUE(*peer) << peer->error().message;
  EXPECT_EQ(**peer, seeker_.node->public_key());
  ASSERT_TRUE(*seeker_.result) << seeker_.result->error().message;
  EXPECT_EQ(seeker_.connected.back().peer_key, listener_.node->public_key());
}

TEST_F(NodeTicket, AWrongCodeIsUsedUpAndBothAreTold) {
  if (!cpace::available()) GTEST_SKIP() << "built without libsodium";
  std::string code;
  const auto note = [&](gw::Node&, std::string_view made) { code = made; };
  const auto then = [&](gw::Node&, gw::Result<gw::ConnectionId> which) { seeker_.result = which; };
  std::optional<gw::Result<std::string>> peer;
  const auto told = [&](gw::Node&, gw::Result<std::string> key) { peer = std::move(key); };
  // The side that connects may make it as well.
  ASSERT_TRUE(seeker_.node->connect_by_code(rendezvous_.place(), "", note, then));
  ASSERT_TRUE(turn_until([&] { return !code.empty(); }));
  const std::string wrong = code.substr(0, code.find('-')) + "-tiger-tiger-tiger";
  ASSERT_NE(wrong, code);
  ASSERT_TRUE(listener_.node->listen_by_code(rendezvous_.place(), wrong, {}, told));
  ASSERT_TRUE(turn_until([&] { return peer && seeker_.result; }));
  ASSERT_FALSE(*peer);
  EXPECT_EQ(peer->error().code, gw::ErrorCode::kNotFound) << peer->error().message;
  ASSERT_FALSE(*seeker_.result);
  EXPECT_EQ(seeker_.result->error().code, gw::ErrorCode::kNotFound) << seeker_.result->error().message;
  EXPECT_TRUE(seeker_.connected.empty());
  EXPECT_EQ(seeker_.node->connect_by_code(rendezvous_.place(), "no code", {}, then).error().code,
            gw::ErrorCode::kInvalidArgument);
  EXPECT_EQ(listener_.node->listen_by_code({.address = "nowhere", .public_key = "ab"}, "", {}, told).error().code,
            gw::ErrorCode::kInvalidArgument);
}

TEST_F(NodeTicket, APortIsMappedByKnownWaysAndForSocketsThatOthersReachAlone) {
  EXPECT_EQ(listener_.node->map_port("by post").error().code, gw::ErrorCode::kInvalidArgument);
  EXPECT_EQ(listener_.node->map_port().error().code, gw::ErrorCode::kInvalidArgument) << "it is on loopback";
  gw::NodeOptions reachable = options();
  reachable.bind = "0.0.0.0:0";
  Application application(reachable);
  std::optional<gw::Result<std::string>> mapped;
  const auto changed = [&](gw::Node&, gw::Result<std::string> address) { mapped = std::move(address); };
  ASSERT_TRUE(application.node->map_port("pcp", changed));
  // With a router or without one, and even twice.
  ASSERT_TRUE(application.node->map_port("pcp", changed));
  for (int turn = 0; turn < kTurns && !mapped; ++turn) application.turn();
  ASSERT_TRUE(mapped);
  if (*mapped) return;
  EXPECT_NE(mapped->error().message.find("PCP"), std::string::npos) << mapped->error().message;
}

TEST_F(NodeTicket, RefusesWhatCannotBeUsed) {
  const auto then = [](gw::Node&, const gw::Result<gw::ConnectionId>&) { FAIL() << "called"; };
  gw::Ticket empty{.public_key = listener_.node->public_key(), .addresses = {}, .hosts = {}, .rendezvous = {}};
  EXPECT_EQ(seeker_.node->connect(empty, then).error().code, gw::ErrorCode::kInvalidArgument);
  empty.public_key = "abc";
  EXPECT_EQ(seeker_.node->connect(empty, then).error().code, gw::ErrorCode::kInvalidArgument);
  EXPECT_EQ(seeker_.node->register_at({.address = "nowhere", .public_key = listener_.node->public_key()}).error().code,
            gw::ErrorCode::kInvalidArgument);
  gw::NodeOptions off = options();
  off.transport.extended = "off";
  const Application deployed(off);
  EXPECT_EQ(deployed.node->connect(ticket(), then).error().code, gw::ErrorCode::kUnsupported);
  EXPECT_EQ(deployed.node->register_at(rendezvous_.place()).error().code, gw::ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace godwit::node_ticket_test
