// A peer that restarts in the middle of a download, and one that only seems to: what the sender sends meanwhile.
#include <gtest/gtest.h>

#include "handshake/handshake_test_support.h"
#include "transport/connection.h"
#include "transport/memory_network_test_support.h"

namespace godwit {
namespace {

using test::Bytes;

// A client that downloads from a server over a path with a delay, and can lose its memory.
class Download : public test::MemoryNetwork {
 public:
  static constexpr Duration kDelay = 50ms;

  Download() : MemoryNetwork(11) {
    delay = kDelay;
    Config config;
    config.congestion = CongestionKind::kFixedRate;
    config.connection_rate_limit = 20_mbps;
    config.streams.delivery = DeliveryMode::kChunks;
    client_ = &add(kClient, config);
    server_ = &add(kServer, config);
    client_->on_event = [this](Instant, ConnectionId, Event& event) {
      if (const auto* chunk = std::get_if<StreamChunk>(&event)) delivered += chunk->bytes.size();
      if (std::holds_alternative<Connected>(event)) {
        connected_ = true;
        unopened_before_ = unopened();
      }
    };
    on_path = [this](test::Flight& flight) {
      if (flight.from == kClient) {
        latest_of_client_.assign(flight.bytes.begin(), flight.bytes.end());
      } else if (!connected_ && flight.segment_size == wire::kMaxDatagram) {
        sent_to_restarting += flight.bytes.size() / wire::kMaxDatagram;
      }
      return true;
    };
    client_connection_ = connect(*client_, *server_);
    run(1s);
    begin();
    run(1s);
  }

  void restart_client() {
    restart(*client_);
    connected_ = false;
    client_connection_ = connect(*client_, *server_);
  }
  // The next datagram that the client sends, again, once it has restarted and the server has its intro.
  void replay_behind_restart() {
    latest_of_client_.clear();
    while (latest_of_client_.empty()) run(1ms);
    const Bytes recorded = latest_of_client_;
    run(2 * kDelay);
    restart_client();
    run(kDelay + 1ms);
    inject(kClient, kServer, recorded);
    sent_to_restarting = 0;
    run(5s);
  }
  void begin() {
    EXPECT_TRUE(
        server_->endpoint->send(now, server_->events.connected(), Body::borrowed(body_), {.as = SendAs::kStream}));
  }
  void forge_intro() {
    const wire::Intro forged{.version = wire::kAnnouncedVersion, .key = SymmetricKey::generate(random)};
    post(kClient, kServer, test::make_intro(random, server_->key(), forged));
  }

  // Datagrams that the client could not open, in this process of it and since it was connected.
  [[nodiscard]] std::uint64_t unopened_while_connected() const { return unopened() - unopened_before_; }
  std::uint64_t sent_to_restarting = 0;  // full datagrams of the server's while the client has no session
  std::uint64_t delivered = 0;
  [[nodiscard]] std::size_t server_sessions_closed() const { return server_->count<Closed>(); }

 private:
  inline static const SocketAddress kClient = SocketAddress::ipv4({192, 0, 2, 1}, 31337);
  inline static const SocketAddress kServer = SocketAddress::ipv4({192, 0, 2, 2}, 31337);
  [[nodiscard]] std::uint64_t unopened() const {
    const auto numbers = client_->endpoint->statistics(client_connection_);
    return numbers ? numbers->drops.of(trace::DropReason::kAuthenticationFailed) : 0;
  }

  Node* client_ = nullptr;
  Node* server_ = nullptr;
  ConnectionId client_connection_ = 0;
  bool connected_ = false;
  std::uint64_t unopened_before_ = 0;
  Bytes latest_of_client_;
  Bytes body_ = Bytes(100'000'000);
};

// A deployed peer closes a connection above 40 in 30 s.
TEST(EndpointRestart, ARestartedPeerIsSentNextToNothingThatItCannotOpen) {
  Download download;
  ASSERT_GT(download.delivered, 1'000'000U);
  download.restart_client();
  download.run(5s);
  EXPECT_EQ(download.server_sessions_closed(), 1U);
  EXPECT_LE(download.unopened_while_connected(), 10U);
  // The new session is as good as the old one.
  const std::uint64_t before = download.delivered;
  download.begin();
  download.run(2s);
  EXPECT_GT(download.delivered - before, 2'000'000U);
}

// A copy of an old packet is authentic, and no sign of life.
TEST(EndpointRestart, AReplayDoesNotReleaseTheDataThatWaitsForARestartedPeer) {
  Download download;
  ASSERT_GT(download.delivered, 1'000'000U);
  download.replay_behind_restart();
  EXPECT_EQ(download.server_sessions_closed(), 1U);
  EXPECT_EQ(download.sent_to_restarting, 0U);
  EXPECT_LE(download.unopened_while_connected(), 10U);
}

TEST(EndpointRestart, ForgedIntrosDoNotHoldUpALiveDownload) {
  Download download;
  const std::uint64_t at_start = download.delivered;
  download.run(5s);
  const std::uint64_t undisturbed = download.delivered - at_start;
  for (int second = 0; second < 5; ++second) {
    download.forge_intro();
    download.run(1s);
  }
  const std::uint64_t disturbed = download.delivered - at_start - undisturbed;
  EXPECT_EQ(download.server_sessions_closed(), 0U);
  EXPECT_GE(disturbed, undisturbed * 9 / 10);
}

}  // namespace
}  // namespace godwit
