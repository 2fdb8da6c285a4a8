// Views in events stay valid until all events have been polled, whatever arrives or is called in between.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>

#include "base/poison.h"
#include "crypto/intro_box.h"
#include "transport/connection.h"
#include "transport/endpoint.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::uint8_t byte_of(std::uint64_t total, std::uint64_t at) {
  return static_cast<std::uint8_t>(at / 1130 * 11 + (at * 2654435761U >> 13) + total * 37);
}

// A client that streams to a server in chunks, over a wire that the test holds in its hands.
class Views {
 public:
  explicit Views(std::uint64_t seed) : random_(seed) {
    Config config;
    config.streams.delivery = DeliveryMode::kChunks;
    config.streams.idle_limit = 2s;
    config.streams.check_interval = 100ms;
    config.congestion = CongestionKind::kFixedRate;
    auto client_keys = *KeyPair::generate(random_);
    auto server_keys = *KeyPair::generate(random_);
    server_key_ = server_keys.public_key();
    std::ranges::copy(client_keys.secret().bytes(), client_secret_.begin());
    config_ = config;
    client_ = std::make_unique<Endpoint>(config, std::move(client_keys), random_);
    server_ = std::make_unique<Endpoint>(config, std::move(server_keys), random_);
    connection_ = *client_->connect(now_, address(1), server_key_);
    for (int round = 0; round < 8; ++round) shake_hands();
    EXPECT_TRUE(server_connection_.has_value());
  }

  DeterministicRandom& random() { return random_; }
  Endpoint& server() { return *server_; }
  [[nodiscard]] std::optional<ConnectionId> server_connection() const { return server_connection_; }
  Instant now() const { return now_; }

  void send_stream(std::uint64_t total) {
    Bytes body(total);
    for (std::size_t i = 0; i < body.size(); ++i) body[i] = byte_of(total, i);
    EXPECT_TRUE(client_->send(now_, connection_, Body::owned(std::move(body)), {.as = SendAs::kStream}));
    take_from(*client_, to_server_);
  }
  void pass(Duration time) {
    now_ += time;
    client_->handle_timeout(now_);
    server_->handle_timeout(now_);
    take_from(*client_, to_server_);
  }
  // Acknowledgements travel back at once.
  void answer() {
    std::deque<Bytes> back;
    take_from(*server_, back);
    for (Bytes& datagram : back) {
      client_->receive(now_,
                       {.local = address(0), .remote = address(1), .bytes = datagram, .segment_size = datagram.size()});
      while (client_->poll_event() != nullptr) {
      }
    }
    take_from(*client_, to_server_);
  }
  std::deque<Bytes>& wire() { return to_server_; }
  // One batch: as many datagrams of one size as there are, at most `most`.
  void deliver(std::size_t most) {
    Bytes batch;
    std::size_t segment = 0;
    for (std::size_t i = 0; i < most && !to_server_.empty(); ++i) {
      const Bytes& next = to_server_.front();
      if (segment == 0) segment = next.size();
      if (next.size() > segment) break;
      const bool shorter = next.size() < segment;
      batch.insert(batch.end(), next.begin(), next.end());
      to_server_.pop_front();
      if (shorter) break;
    }
    if (segment != 0) receive(std::move(batch), segment);
  }
  void receive(Bytes batch, std::size_t segment) {
    batches_.push_back(std::move(batch));
    server_->receive(now_,
                     {.local = address(1), .remote = address(0), .bytes = batches_.back(), .segment_size = segment});
  }
  [[nodiscard]] Bytes forged_intro() {
    std::array<std::uint8_t, 24> plain{};
    std::ranges::copy(wire::kAnnouncedVersion, plain.begin());
    random_.fill(std::span(plain).subspan(8));
    Bytes intro(73);
    EXPECT_TRUE(seal_intro(server_key_, SecretKey::generate(random_), plain, intro));
    return intro;
  }
  // The client's process has died; a new one with the same key and address connects.
  void restart_client() {
    client_ = std::make_unique<Endpoint>(config_, *KeyPair::from_secret(client_secret_), random_);
    connection_ = *client_->connect(now_, address(1), server_key_);
    take_from(*client_, to_server_);
  }

  // Looks at every queued event; `between` is called while one is being read. The batches end with the last event.
  template <typename Between>
  void poll(Between between) {
    while (EndpointEvent* event = server_->poll_event()) {
      if (const auto* chunk = std::get_if<StreamChunk>(&event->event)) {
        between(*event, *chunk);
        ++chunks;
        for (std::size_t i = 0; i < chunk->bytes.size(); ++i) {
          if (chunk->bytes[i] == byte_of(chunk->total, chunk->offset + i)) continue;
          ++wrong;
          break;
        }
      } else if (std::holds_alternative<Connected>(event->event)) {
        server_connection_ = event->connection;
      } else if (std::holds_alternative<Closed>(event->event)) {
        ++closed;
      }
    }
    batches_.clear();
  }
  void poll() {
    poll([](const EndpointEvent&, const StreamChunk&) {});
  }

  std::size_t chunks = 0;
  std::size_t wrong = 0;
  std::size_t closed = 0;

  static SocketAddress address(int side) {
    return SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(side + 1)}, 31337);
  }

 private:
  void take_from(Endpoint& from, std::deque<Bytes>& to) {
    while (from.poll_event() != nullptr) {
    }
    while (true) {
      buffer_.reset();
      const auto batch = from.poll_transmit(now_, buffer_);
      if (!batch) break;
      for (std::size_t i = 0; i < batch->segment_count(); ++i) {
        const auto segment = batch->segment(i);
        to.emplace_back(segment.begin(), segment.end());
      }
    }
  }
  void shake_hands() {
    take_from(*client_, to_server_);
    while (!to_server_.empty()) deliver(1);
    poll();
    answer();
    while (!to_server_.empty()) deliver(1);
    poll();
    pass(300ms);
  }

  DeterministicRandom random_;
  Config config_;
  PublicKey server_key_;
  std::array<std::uint8_t, 32> client_secret_{};
  std::unique_ptr<Endpoint> client_;
  std::unique_ptr<Endpoint> server_;
  ConnectionId connection_ = 0;
  std::optional<ConnectionId> server_connection_;
  Instant now_{1h};
  TransmitBuffer buffer_{1 << 20};
  std::deque<Bytes> to_server_;
  std::deque<Bytes> batches_;  // received, and not yet polled
};

// Collects full fragments 1 … of one stream, out of the client's paced output.
void stream(Views& views, std::uint64_t total) {
  views.send_stream(total);
  for (int i = 0; i < 400 && views.wire().size() < total / 1130; ++i) views.pass(1ms);
  std::erase_if(views.wire(), [](const Bytes& datagram) { return datagram.size() != 1200; });
}

TEST(EndpointViews, AForgedIntroDoesNotTouchTheChunksOfTheBatchesBehindIt) {
  Views views(7);
  stream(views, 1130 * 12);
  auto& wire = views.wire();
  ASSERT_GE(wire.size(), 11u);
  const std::vector<Bytes> data(wire.begin(), wire.end());
  wire.assign(data.begin() + 1, data.begin() + 5);  // fragments 2 to 5 are held
  views.deliver(4);
  views.poll();
  ASSERT_EQ(views.chunks, 0u);
  views.receive(views.forged_intro(), 73);
  views.poll();
  wire.assign({data[0], data[6], data[7], data[8], data[9], data[10]});  // the repair, then new data with a gap
  views.deliver(6);
  views.poll();
  EXPECT_EQ(views.chunks, 5u);
  EXPECT_EQ(views.wrong, 0u);
}

TEST(EndpointViews, SeveralBatchesMayArriveBeforeEventsArePolled) {
  Views views(8);
  stream(views, 1130 * 12);
  auto& wire = views.wire();
  ASSERT_GE(wire.size(), 11u);
  const std::vector<Bytes> data(wire.begin(), wire.end());
  wire.assign(data.begin() + 1, data.begin() + 5);
  views.deliver(4);
  for (const std::size_t next : {0U, 6U, 7U, 8U, 9U}) {
    wire.assign({data[next]});
    views.deliver(1);
  }
  views.poll();
  EXPECT_EQ(views.chunks, 5u);
  EXPECT_EQ(views.wrong, 0u);
}

TEST(EndpointViews, OutliveTheStreamTheConnectionAndTheApplicationsOwnCalls) {
  for (const int call : {0, 1, 2, 3}) {
    SCOPED_TRACE(call);
    Views views(9);
    stream(views, 1130 * 12);
    auto& wire = views.wire();
    ASSERT_GE(wire.size(), 11u);
    const std::vector<Bytes> data(wire.begin(), wire.end());
    wire.assign({data[1], data[2], data[3], data[6], data[7]});
    views.deliver(5);
    wire.assign({data[0]});
    views.deliver(1);
    const ConnectionId connection = *views.server_connection();
    bool called = false;
    views.poll([&](const EndpointEvent& event, const StreamChunk& chunk) {
      if (std::exchange(called, true)) return;
      if (call == 0) {
        EXPECT_TRUE(views.server().stop_receiving(connection, chunk.stream_id));
      }
      if (call == 1) views.server().close(views.now(), connection);
      if (call == 2) {
        for (int i = 0; i < 2000; ++i) {  // events pushed while one is being read
          const auto sent = views.server().send(views.now(), event.connection, Body::owned(Bytes(10)));
          if (sent) views.server().cancel(views.now(), event.connection, *sent);
        }
      }
      if (call == 3) views.pass(10s);  // the stream idles
    });
    EXPECT_EQ(views.chunks, 4u);
    EXPECT_EQ(views.wrong, 0u);
  }
}

TEST(EndpointViews, OutliveTheReplacementOfTheirConnectionInTheSameBatch) {
  Views views(10);
  stream(views, 1130 * 12);
  auto& wire = views.wire();
  ASSERT_GE(wire.size(), 11u);
  const std::vector<Bytes> data(wire.begin(), wire.end());
  wire.assign(data.begin() + 1, data.begin() + 5);
  views.deliver(4);
  views.poll();
  wire.clear();
  views.restart_client();
  for (int round = 0; round < 60 && views.closed == 0; ++round) {
    // The old session's repair comes in one batch with whatever the new client says.
    if (!wire.empty() && wire.front().size() < 1200 && wire.front().size() != 73) wire.push_front(data[0]);
    while (!wire.empty()) views.deliver(3);
    views.poll();
    views.answer();
    views.pass(100ms);
  }
  EXPECT_EQ(views.closed, 1u);
  EXPECT_EQ(views.chunks, 5u);
  EXPECT_EQ(views.wrong, 0u);
}

TEST(EndpointViews, HoldForRandomBatchesForgedIntrosAndLatePolling) {
  std::size_t chunks = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Views views(seed);
    DeterministicRandom& random = views.random();
    for (int step = 0; step < 300; ++step) {
      auto& wire = views.wire();
      switch (random.below(12)) {
        case 0: views.send_stream(1130 * (1 + random.below(24)) + static_cast<std::uint64_t>(step)); break;
        case 1: views.receive(views.forged_intro(), 73); break;
        case 2: views.pass(Duration{1ms} * static_cast<int>(1 + random.below(200))); break;
        case 3:
          if (wire.size() > 1) std::swap(wire.front(), wire[random.below(static_cast<std::uint32_t>(wire.size()))]);
          break;
        case 4: views.answer(); break;
        case 5: views.poll(); break;
        case 6:
          if (!wire.empty()) {
            wire.push_back(std::move(wire.front()));
            wire.pop_front();
          }
          break;
        default: views.deliver(1 + random.below(12)); break;
      }
    }
    views.poll();
    EXPECT_EQ(views.wrong, 0u);
    chunks += views.chunks;
  }
  EXPECT_GT(chunks, 5000u);
}

TEST(EndpointViews, ReleasedSlotsArePoisonedWhereTheBuildIsMadeToFindErrors) {
  if (!kPoisonFills) GTEST_SKIP() << "this build does not fill released memory; AddressSanitizer watches it, if any";
  ReassemblyMemory memory({});
  const Bytes payload(100, 1);
  const auto slot = memory.store(payload);
  ASSERT_TRUE(slot);
  const ByteView view = memory.view(*slot);
  EXPECT_EQ(view.back(), 1);
  memory.release(*slot);
  EXPECT_TRUE(std::ranges::all_of(view, [](std::uint8_t byte) { return byte == kPoisonByte; }));
}

}  // namespace
}  // namespace godwit
