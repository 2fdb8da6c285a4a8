// A peer that restarts in the middle of a download, and one that only seems to: what the sender sends meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>

#include "crypto/intro_box.h"
#include "transport/connection.h"
#include "transport/endpoint.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

// A client that downloads from a server over a path with a delay, and can lose its memory.
class Download {
 public:
  static constexpr Duration kDelay = 50ms;

  Download() {
    config_.congestion = CongestionKind::kFixedRate;
    config_.connection_rate_limit = 20_mbps;
    config_.streams.delivery = DeliveryMode::kChunks;
    keys_ = {std::make_unique<KeyPair>(*KeyPair::generate(random_)),
             std::make_unique<KeyPair>(*KeyPair::generate(random_))};
    ends_[0] = make(0);
    ends_[1] = make(1);
    client_connection_ = *ends_[0]->connect(now_, address(1), keys_[1]->public_key());
    run(1s);
    begin();
    run(1s);
  }

  void restart_client() {
    ends_[0] = make(0);
    connected_ = false;
    client_connection_ = *ends_[0]->connect(now_, address(1), keys_[1]->public_key());
  }
  // The next datagram that the client sends, again, once it has restarted and the server has its intro.
  void replay_behind_restart() {
    Bytes recorded;
    while (recorded.empty()) {
      run(1ms);
      for (const Flight& flight : flight_) {
        if (flight.to == 1) recorded = flight.bytes;
      }
    }
    run(2 * kDelay);
    restart_client();
    run(kDelay + 1ms);
    flight_.push_back({now_, 1, recorded, recorded.size()});
    sent_to_restarting = 0;
    run(5s);
  }
  void begin() {
    EXPECT_TRUE(ends_[1]->send(now_, server_connection_, Body::borrowed(body_), {.as = SendAs::kStream}));
  }
  void forge_intro() {
    std::array<std::uint8_t, 24> plain{};
    std::ranges::copy(wire::kAnnouncedVersion, plain.begin());
    random_.fill(std::span(plain).subspan(8));
    Bytes intro(73);
    EXPECT_TRUE(seal_intro(keys_[1]->public_key(), SecretKey::generate(random_), plain, intro));
    flight_.push_back({now_ + kDelay, 1, std::move(intro), 73});
  }
  void run(Duration time) {
    const Instant end = now_ + time;
    while (true) {
      flush(0);
      flush(1);
      Instant next = flight_.empty() ? Instant::max() : flight_.front().at;
      for (const auto& end_point : ends_) next = std::min(next, end_point->next_timeout().value_or(Instant::max()));
      if (next > end) break;
      now_ = std::max(now_, next);
      while (!flight_.empty() && flight_.front().at <= now_) {
        Flight arrived = std::move(flight_.front());
        flight_.pop_front();
        const std::uint64_t before = unopened();
        ends_[arrived.to]->receive(now_, {.local = address(arrived.to),
                                          .remote = address(1 - arrived.to),
                                          .bytes = arrived.bytes,
                                          .segment_size = arrived.segment_size});
        if (arrived.to == 0 && connected_) unopened_while_connected += unopened() - before;
        collect(arrived.to);
      }
      for (std::size_t side = 0; side < 2; ++side) {
        ends_[side]->handle_timeout(now_);
        collect(side);
      }
    }
    now_ = end;
  }

  // Datagrams that the client could not open, in this process of it and since it was connected.
  std::uint64_t unopened_while_connected = 0;
  std::uint64_t sent_to_restarting = 0;  // full datagrams of the server's while the client has no session
  std::uint64_t delivered = 0;
  std::size_t server_sessions_closed = 0;

 private:
  struct Flight {
    Instant at;
    std::size_t to;
    Bytes bytes;
    std::size_t segment_size;
  };
  static SocketAddress address(std::size_t side) {
    return SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(side + 1)}, 31337);
  }
  std::unique_ptr<Endpoint> make(std::size_t side) {
    return std::make_unique<Endpoint>(config_, *KeyPair::from_secret(keys_[side]->secret().bytes()), random_);
  }
  [[nodiscard]] std::uint64_t unopened() const {
    const auto numbers = ends_[0]->statistics(client_connection_);
    return numbers ? numbers->drops.of(trace::DropReason::kAuthenticationFailed) : 0;
  }
  void flush(std::size_t side) {
    collect(side);
    while (true) {
      buffer_.reset();
      const auto run = ends_[side]->poll_transmit(now_, buffer_);
      if (!run) break;
      if (side == 1 && !connected_ && run->segment_size == wire::kMaxDatagram) {
        sent_to_restarting += run->segment_count();
      }
      flight_.push_back({now_ + kDelay, 1 - side, {run->bytes.begin(), run->bytes.end()}, run->segment_size});
    }
    collect(side);
  }
  void collect(std::size_t side) {
    while (EndpointEvent* event = ends_[side]->poll_event()) {
      if (std::holds_alternative<Connected>(event->event)) {
        if (side == 1) server_connection_ = event->connection;
        if (side == 0) connected_ = true;
      }
      if (side == 1 && std::holds_alternative<Closed>(event->event)) ++server_sessions_closed;
      if (const auto* chunk = std::get_if<StreamChunk>(&event->event)) delivered += chunk->bytes.size();
    }
  }

  DeterministicRandom random_{11};
  Config config_;
  std::array<std::unique_ptr<KeyPair>, 2> keys_;
  std::array<std::unique_ptr<Endpoint>, 2> ends_;
  ConnectionId client_connection_ = 0;
  ConnectionId server_connection_ = 0;
  bool connected_ = false;
  Instant now_{1h};
  TransmitBuffer buffer_;
  std::deque<Flight> flight_;
  Bytes body_ = Bytes(100'000'000);
};

// A deployed peer closes a connection above 40 in 30 s.
TEST(EndpointRestart, ARestartedPeerIsSentNextToNothingThatItCannotOpen) {
  Download download;
  ASSERT_GT(download.delivered, 1'000'000U);
  download.restart_client();
  download.run(5s);
  EXPECT_EQ(download.server_sessions_closed, 1U);
  EXPECT_LE(download.unopened_while_connected, 10U);
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
  EXPECT_EQ(download.server_sessions_closed, 1U);
  EXPECT_EQ(download.sent_to_restarting, 0U);
  EXPECT_LE(download.unopened_while_connected, 10U);
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
  EXPECT_EQ(download.server_sessions_closed, 0U);
  EXPECT_GE(disturbed, undisturbed * 9 / 10);
}

}  // namespace
}  // namespace godwit
