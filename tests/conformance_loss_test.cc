// Wire spec section 11, items 50, 70, 71, 77, 78: an endpoint and a deployed peer of several releases over a lossy
// link, with the deployed peer's retransmission, acknowledgements and pacing (tests/deployed_session.h).

#include <gtest/gtest.h>

#include <functional>

#include "tests/deployed_session.h"
#include "tests/scripted_session.h"

namespace godwit::testing {
namespace {

// The endpoint, the peer and the link between them, which reorders. The handshake runs without loss; the rest as
// configured.
class DeployedLink {
 public:
  DeployedLink(std::uint16_t patch, bool endpoint_connects, double loss, std::uint64_t seed)
      : session_({}, release(patch), seed), random_(seed * 77 + 5) {
    EXPECT_TRUE(endpoint_connects ? session_.connect_to_peer() : session_.accept_peer());
    peer_.emplace(session_.peer, DeployedTraits::of(patch), now());
    if (endpoint_connects && patch < 152) peer_->track_ack(now(), session_.establishing_ack);
    net_.on_path = [this, loss](test::Flight& flight) {
      EXPECT_LE(flight.bytes.size(), wire::kMaxDatagram);
      if (random_.unit() < loss && !spared_) return false;
      flight.due = net_.now + 10ms + Duration{static_cast<Duration::rep>(random_.below(10'000'000))};
      return true;
    };
    session_.host().on_event = [this](Instant, ConnectionId, Event& event) { take(event); };
    test::MemoryNetwork::Node& deployed = net_.add_scripted(kPeerAddress);
    deployed.on_datagram = [this](Instant at, const SocketAddress&, MutableBytes datagram) { queue(at, datagram); };
    deployed.next_timeout = [this] { return peer_->next_timeout(); };
    deployed.on_turn = [this](Instant at) {
      if (const auto due = peer_->next_timeout(); due && *due <= at) peer_->handle_timeout(at);
      spared_ = std::exchange(peer_->spare_next, false);
      for (Bytes& datagram : peer_->drain()) net_.post(kPeerAddress, kEndpointAddress, std::move(datagram));
      spared_ = false;
    };
  }

  [[nodiscard]] DeployedSession& peer() { return *peer_; }
  [[nodiscard]] Endpoint& endpoint() { return session_.endpoint(); }
  [[nodiscard]] ConnectionId connection() const { return session_.connection; }
  [[nodiscard]] Instant now() const { return session_.now(); }
  [[nodiscard]] bool endpoint_outstanding() {
    const Connection* connection = endpoint().inspect(session_.connection);
    return connection == nullptr || connection->recovery()->outstanding();
  }
  bool run(Duration limit, const std::function<bool()>& done = [] { return false; }) { return net_.run(limit, done); }

  [[nodiscard]] std::size_t confirmed() const { return session_.host().count<MessageConfirmed>(); }
  [[nodiscard]] std::size_t failed() const { return session_.host().count<MessageFailed>(); }
  [[nodiscard]] std::size_t closed() const { return session_.host().count<Closed>(); }
  std::vector<Bytes> received;  // by the endpoint
  std::size_t delivered = 0;    // datagrams that found room in the peer's queue, and those that did not
  std::size_t overruns = 0;

 private:
  static constexpr Duration kPeerServiceTime = 20us;
  // The peer's queue holds 2048 datagrams (wire spec 9.1), and it takes 20 us
  // for each.
  void queue(Instant at, MutableBytes datagram) {
    peer_busy_until_ = std::max(peer_busy_until_, at) + kPeerServiceTime;
    if (peer_busy_until_ - at > kPeerServiceTime * wire::kDeployedConnectionQueue) {
      peer_busy_until_ -= kPeerServiceTime;
      ++overruns;
    } else {
      ++delivered;
      peer_->receive(at, {datagram.begin(), datagram.end()});
    }
  }
  void take(Event& event) {
    if (const auto* message = std::get_if<MessageReceived>(&event)) {
      received.emplace_back(message->payload.begin(), message->payload.end());
    } else if (auto* stream = std::get_if<StreamMessage>(&event)) {
      received.push_back(std::move(stream->payload));
    }
  }

  ScriptedSession session_;
  test::MemoryNetwork& net_ = session_.network;
  std::optional<DeployedSession> peer_;
  DeterministicRandom random_;
  bool spared_ = false;
  Instant peer_busy_until_{};
};

// A message that tells itself apart from all others.
Bytes numbered(std::uint32_t number, std::size_t size) {
  Bytes bytes = pattern(std::max<std::size_t>(size, 4), number);
  store_le(bytes.data(), number);
  return bytes;
}

void expect_each_once(const std::vector<Bytes>& received, const std::vector<Bytes>& sent, const std::string& where) {
  EXPECT_TRUE(std::ranges::is_permutation(received, sent))
      << where << ": " << received.size() << " of " << sent.size() << " messages";
}
void expect_each_at_least_once(const std::vector<Bytes>& received, const std::vector<Bytes>& sent,
                               const std::string& where) {
  for (const Bytes& message : sent) {
    EXPECT_NE(std::ranges::find(received, message), received.end())
        << where << ": message " << load_le<std::uint32_t>(message.data());
  }
}

void exchange(std::uint16_t patch, bool endpoint_connects, std::uint64_t seed) {
  const std::string where = "0.2." + std::to_string(patch) + (endpoint_connects ? " accepting" : " connecting") +
                            ", seed " + std::to_string(seed);
  SCOPED_TRACE(where);
  DeployedLink link(patch, endpoint_connects, 0.2, seed);
  std::vector<Bytes> to_peer;
  std::vector<Bytes> to_endpoint;
  DeterministicRandom random(seed);
  // Two bursts with a pause, of short messages (some too long to take 20 acknowledgements along) and streams, in both
  // directions.
  std::uint32_t number = 0;
  for (int burst = 0; burst < 2; ++burst) {
    for (int i = 0; i < 25; ++i) {
      const std::size_t kind = random.below(10);
      const std::size_t size = kind == 0  ? 4000 + random.below(20'000)
                               : kind < 4 ? 1000 + random.below(106)
                                          : 4 + random.below(500);
      to_peer.push_back(numbered(number++, size));
      ASSERT_TRUE(link.endpoint().send(link.now(), link.connection(), Body::borrowed(to_peer.back())));
      to_endpoint.push_back(numbered(number++, size));
      link.peer().send(link.now(), to_endpoint.back());
      link.run(Duration{static_cast<Duration::rep>(random.below(60'000'000))});
    }
    link.run(3s);
  }
  const bool settled = link.run(900s, [&] {
    return link.confirmed() == to_peer.size() && link.peer().outstanding() == 0 && !link.endpoint_outstanding();
  });
  EXPECT_TRUE(settled) << link.confirmed() << " of " << to_peer.size() << " confirmed, " << link.peer().outstanding()
                       << " outstanding at the peer";
  EXPECT_EQ(link.failed() + link.closed(), 0U);
  EXPECT_EQ(link.peer().abandoned, 0U);
  EXPECT_EQ(link.peer().late_fragments, 0U);
  expect_each_once(link.received, to_endpoint, "at the endpoint");
  expect_each_at_least_once(link.peer().received, to_peer, "at the peer");
}

TEST(ConformanceLoss, Item77DeliversEverythingWithACurrentPeerAt20PercentLoss) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) exchange(154, seed % 2 == 0, seed);
}

TEST(ConformanceLoss, Item77DeliversEverythingWithAPeerBelow142At20PercentLoss) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) exchange(130, seed % 2 == 0, seed);
}

TEST(ConformanceLoss, Item77DeliversEverythingWithAPeerBelow152At20PercentLoss) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) exchange(149, seed % 2 == 0, seed);
}

TEST(ConformanceLoss, Item78EndsTheRetransmissionOfAnOldAcceptorsAckAndLosesNoPacketZero) {
  for (const std::uint16_t patch : {std::uint16_t{151}, std::uint16_t{142}, std::uint16_t{130}}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      SCOPED_TRACE("0.2." + std::to_string(patch) + ", seed " + std::to_string(seed));
      DeployedLink link(patch, true, 0.2, seed);
      DeterministicRandom random(seed);
      // The acceptor is silent for a while, then its first ordinary packet has id 0 too, and replaces the ack.
      link.run(Duration{static_cast<Duration::rep>(random.below(6'000'000'000))});
      const Bytes first = numbered(0, 50);
      link.peer().send(link.now(), first);
      EXPECT_TRUE(link.run(300s, [&] { return link.peer().outstanding() == 0; }));
      ASSERT_EQ(link.received.size(), 1U);
      EXPECT_EQ(link.received[0], first);
      EXPECT_EQ(link.closed(), 0U);
    }
  }
}

TEST(ConformanceLoss, Item78AcksTheAckOfAnAcceptorThatSaysNothingElse) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    DeployedLink link(149, true, 0.2, seed);
    EXPECT_TRUE(link.run(300s, [&] { return link.peer().outstanding() == 0; })) << "seed " << seed;
    EXPECT_EQ(link.peer().abandoned, 0U);
  }
}

TEST(ConformanceLoss, Item50AnIdleLinkWithAPeerBelow142CarriesAtMostOneNoOpPairAMinute) {
  for (const bool initiates : {true, false}) {
    DeployedLink link(130, initiates, 0, 3);
    link.peer().send(link.now(), numbered(1, 100));
    const Bytes message = numbered(2, 100);
    ASSERT_TRUE(link.endpoint().send(link.now(), link.connection(), Body::borrowed(message)));
    link.run(120s);
    const std::size_t sent = link.peer().noops_sent;
    const std::size_t received = link.peer().noops_received;
    link.run(600s);
    EXPECT_LE(link.peer().noops_sent - sent, 11U);
    EXPECT_LE(link.peer().noops_received - received, 11U);
    EXPECT_EQ(link.closed(), 0U);
    EXPECT_EQ(link.peer().outstanding(), 0U);
  }
}

TEST(ConformanceLoss, Item70ReceivesTenMegabytesFromADeployedPeerThroughTwoPercentLoss) {
  for (const double loss : {0.0, 0.02}) {
    DeployedLink link(154, false, loss, 11);
    const Bytes message = numbered(1, 10'000'000);
    link.peer().send(link.now(), message);
    EXPECT_TRUE(link.run(120s, [&] { return link.peer().outstanding() == 0; }));
    ASSERT_EQ(link.received.size(), 1U);
    EXPECT_TRUE(link.received[0] == message);
  }
}

TEST(ConformanceLoss, Item71SendsTenMegabytesToADeployedPeerThroughTwoPercentLoss) {
  for (const double loss : {0.0, 0.02}) {
    DeployedLink link(154, true, loss, 12);
    const Bytes message = numbered(1, 10'000'000);
    ASSERT_TRUE(link.endpoint().send(link.now(), link.connection(), Body::borrowed(message)));
    EXPECT_TRUE(link.run(600s, [&] { return link.confirmed() == 1; }));
    ASSERT_EQ(link.peer().received.size(), 1U);
    EXPECT_TRUE(link.peer().received[0] == message);
    EXPECT_EQ(link.peer().late_fragments, 0U);
    EXPECT_LE(link.overruns * 50, link.delivered) << "the peer's queue is overrun for long";
  }
}

}  // namespace
}  // namespace godwit::testing
