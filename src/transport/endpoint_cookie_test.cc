// Peers that come back while strangers flood the acceptor with offers (docs/extended_sessions.md, section 3.5).
#include <gtest/gtest.h>

#include "transport/memory_network_test_support.h"

namespace godwit::endpoint_cookie_test {
namespace {

SocketAddress at(std::uint8_t network, std::uint16_t port) {
  return SocketAddress::ipv4({10, network, 2, 1}, port);
}

[[nodiscard]] Config with_few_offers() {
  Config config;
  config.handshake.extended = ExtendedPolicy::kRequire;
  config.admission.offer_rate = config.admission.offer_burst = 1;
  return config;
}

// A server that answers one stranger a second, and forty strangers that try until they are answered.
class Flooded : public test::MemoryNetwork {
 public:
  Flooded() : MemoryNetwork(5) {
    delay = 1ms;
    server_ = &add(at(0, 1), with_few_offers());
    client_ = &add(at(1, 1), extended());
    run(1s);
  }
  static Config extended() {
    Config config;
    config.handshake.extended = ExtendedPolicy::kRequire;
    return config;
  }
  void visit() {
    const ConnectionId connection = connect(*client_, *server_);
    run(2s);
    client_->endpoint->close(now, connection);
    run(1s);
  }
  void flood() {
    for (std::uint8_t i = 0; i < 40; ++i) {
      Node& stranger = add(at(static_cast<std::uint8_t>(100 + i), 7), extended());
      static_cast<void>(connect(stranger, *server_));
    }
    run(10ms);
  }
  // How long the client takes to connect.
  [[nodiscard]] Duration return_of_the_client() {
    const std::size_t before = client_->count<Connected>();
    const Instant began = now;
    static_cast<void>(connect(*client_, *server_));
    static_cast<void>(run(14s, [&] { return client_->count<Connected>() > before; }));
    return now - began;
  }
  Node* server_;
  Node* client_;
};

TEST(EndpointCookies, APeerComesBackFromAnotherAddressInTheMiddleOfAFloodAlsoToARestartedServer) {
  for (const bool restarted : {false, true}) {
    Flooded net;
    net.visit();
    if (restarted) net.restart(*net.server_);
    net.move(*net.client_, at(2, 2));
    net.flood();
    EXPECT_LT(net.return_of_the_client(), 100ms) << restarted;
  }
}

// Without a cookie the same peer is one of the strangers: it fails, or is lucky in one of the seconds.
TEST(EndpointCookies, APeerThatHasForgottenItsCookieWaitsWithTheStrangers) {
  Flooded net;
  net.visit();
  net.restart(*net.client_);
  net.move(*net.client_, at(2, 2));
  net.flood();
  EXPECT_GT(net.return_of_the_client(), 900ms);
}

}  // namespace
}  // namespace godwit::endpoint_cookie_test
