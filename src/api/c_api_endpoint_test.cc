// The transport without I/O, used from C: what an Endpoint does in C++ it does there.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "godwit/godwit_c.h"

namespace godwit::c_api_endpoint_test {
namespace {

class CEndpoint : public ::testing::Test {
 protected:
  static constexpr std::int64_t kSecond = 1'000'000'000;

  struct Side {
    godwit_endpoint* endpoint = nullptr;
    godwit_address address{};
    std::vector<std::string> messages;
    std::string chunks;
    std::uint64_t end = 0;  // total of the stream, once it is known
    int closed = -1;        // the reason
    std::uint64_t code = 0;
    godwit_connection connection = 0;
    std::uint32_t stream = 0;
    std::uint64_t user_data = 0;
    std::size_t acknowledged = 0;
    std::size_t round_trips = 0;
  };

  void SetUp() override {
    ASSERT_EQ(godwit_address_parse("192.0.2.1:1", &a_.address), GODWIT_OK);
    ASSERT_EQ(godwit_address_parse("[2001:db8::2]:2", &b_.address), GODWIT_OK);
    godwit_options options;
    godwit_options_init(&options, sizeof options);
    options.stream_in_chunks = true;
    for (Side* side : {&a_, &b_}) {
      std::uint8_t secret[32];
      ASSERT_EQ(godwit_generate_key(secret), GODWIT_OK);
      ASSERT_EQ(godwit_endpoint_make(&options, secret, &side->endpoint), GODWIT_OK) << godwit_last_error();
      EXPECT_EQ(std::strlen(godwit_endpoint_public_key(side->endpoint)), 64U);
    }
    ASSERT_EQ(godwit_endpoint_connect(a_.endpoint, now_, &b_.address, godwit_endpoint_public_key(b_.endpoint),
                                      &a_.connection),
              GODWIT_OK);
    run();
    ASSERT_NE(b_.connection, 0U);
  }
  void TearDown() override {
    godwit_endpoint_destroy(a_.endpoint);
    godwit_endpoint_destroy(b_.endpoint);
  }

  // So much virtual time as the endpoints need to come to rest.
  void run() {
    for (int turn = 0; turn < 100; ++turn) {
      now_ += kSecond / 100;
      for (Side* side : {&a_, &b_}) {
        godwit_endpoint_handle_timeout(side->endpoint, now_);
        collect(*side);
        carry(*side, side == &a_ ? b_ : a_);
      }
    }
  }
  void carry(Side& from, Side& to) {
    godwit_transmit transmit{};
    transmit.size = sizeof transmit;
    while (godwit_endpoint_poll_transmit(from.endpoint, now_, &transmit)) {
      had_local_ = had_local_ || transmit.has_local;
      std::vector<std::uint8_t> bytes(transmit.bytes, transmit.bytes + transmit.length);
      godwit_endpoint_receive(to.endpoint, now_, &from.address, bytes.data(), bytes.size(), transmit.segment_size,
                              &to.address);
      collect(to);
    }
  }
  static void collect(Side& side) {
    godwit_event event{};
    event.size = sizeof event;
    while (godwit_endpoint_poll_event(side.endpoint, &event)) {
      const std::string bytes(event.bytes, event.bytes + event.length);
      side.user_data = event.user_data;
      switch (event.kind) {
        case GODWIT_EVENT_CONNECTED: side.connection = event.connection; break;
        case GODWIT_EVENT_MESSAGE: side.messages.push_back(bytes); break;
        case GODWIT_EVENT_CHUNK:
          side.chunks += bytes;
          side.stream = event.stream;
          side.end = event.total;
          break;
        case GODWIT_EVENT_ACKNOWLEDGED: ++side.acknowledged; break;
        case GODWIT_EVENT_ROUND_TRIP: ++side.round_trips; break;
        case GODWIT_EVENT_CLOSED:
          side.closed = event.reason;
          side.code = event.code;
          break;
        default: break;
      }
    }
  }

  std::int64_t now_ = 3600 * kSecond;
  Side a_;
  Side b_;
  bool had_local_ = false;
};

TEST_F(CEndpoint, SendsInEveryWay) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>("borrowed");
  const godwit_piece pieces[] = {{bytes, 6}, {bytes + 6, 2}};
  godwit_message message = 0;
  EXPECT_EQ(godwit_endpoint_send(a_.endpoint, now_, a_.connection, bytes, 8, nullptr, &message), GODWIT_OK);
  EXPECT_EQ(godwit_endpoint_send_pieces(a_.endpoint, now_, a_.connection, pieces, 2, nullptr, &message), GODWIT_OK);
  EXPECT_EQ(godwit_endpoint_send_borrowed(a_.endpoint, now_, a_.connection, bytes, 8, nullptr, &message), GODWIT_OK);
  run();
  EXPECT_EQ(b_.messages, std::vector<std::string>(3, "borrowed"));
  EXPECT_EQ(a_.acknowledged, 3U);
  EXPECT_TRUE(had_local_) << "answers leave from where the datagrams came to";
}

TEST_F(CEndpoint, HasStreamsOfUnknownLengthWithBackPressure) {
  godwit_message stream = 0;
  ASSERT_EQ(godwit_endpoint_open_stream(a_.endpoint, now_, a_.connection, nullptr, &stream), GODWIT_OK)
      << godwit_last_error();
  const std::vector<std::uint8_t> block(10'000, 7);
  ASSERT_EQ(godwit_endpoint_append(a_.endpoint, a_.connection, stream, block.data(), block.size()), GODWIT_OK);
  EXPECT_NE(godwit_endpoint_stream_of(a_.endpoint, a_.connection, stream), 0U);
  run();
  EXPECT_EQ(b_.chunks.size(), 10'000U);
  EXPECT_EQ(b_.end, 0U);
  EXPECT_TRUE(godwit_endpoint_keep_alive(b_.endpoint, now_, b_.connection, b_.stream));
  EXPECT_TRUE(godwit_endpoint_pause(b_.endpoint, b_.connection, b_.stream));
  EXPECT_TRUE(godwit_endpoint_resume(b_.endpoint, b_.connection, b_.stream));
  godwit_endpoint_consume(b_.endpoint, b_.connection, b_.stream, 1);
  EXPECT_TRUE(godwit_endpoint_finish(a_.endpoint, a_.connection, stream));
  run();
  EXPECT_EQ(b_.end, 10'000U);
  EXPECT_EQ(a_.acknowledged, 1U);
  EXPECT_FALSE(godwit_endpoint_stop_receiving(b_.endpoint, b_.connection, b_.stream, 3)) << "it has ended";
  EXPECT_FALSE(godwit_endpoint_cancel(a_.endpoint, now_, a_.connection, stream, 3));
  EXPECT_FALSE(godwit_endpoint_extend_send_limit(a_.endpoint, now_, a_.connection, stream, 3));
}

TEST_F(CEndpoint, SaysWhatItKnows) {
  EXPECT_EQ(godwit_endpoint_set_user_data(a_.endpoint, a_.connection, 77), GODWIT_OK);
  EXPECT_EQ(godwit_endpoint_set_congestion(a_.endpoint, now_, a_.connection, "newreno"), GODWIT_OK);
  EXPECT_EQ(godwit_endpoint_set_congestion(a_.endpoint, now_, a_.connection, "hope"), GODWIT_INVALID_ARGUMENT);
  EXPECT_EQ(godwit_endpoint_set_rate_limit(a_.endpoint, now_, a_.connection, 1'000'000), GODWIT_OK);
  EXPECT_EQ(godwit_endpoint_ping(a_.endpoint, now_, a_.connection), GODWIT_OK);
  run();
  EXPECT_GE(a_.round_trips, 1U);
  EXPECT_EQ(a_.user_data, 77U);
  godwit_connection connections[2] = {};
  EXPECT_EQ(godwit_endpoint_connections(a_.endpoint, connections, 2), 1U);
  EXPECT_EQ(connections[0], a_.connection);
  EXPECT_EQ(godwit_endpoint_connections(a_.endpoint, nullptr, 0), 1U);
  godwit_address remote{};
  ASSERT_EQ(godwit_endpoint_remote_address(a_.endpoint, a_.connection, &remote), GODWIT_OK);
  char text[64];
  ASSERT_EQ(godwit_address_format(&remote, text, sizeof text), GODWIT_OK);
  EXPECT_STREQ(text, "[2001:db8::2]:2");
  godwit_statistics statistics{};
  statistics.size = sizeof statistics;
  ASSERT_EQ(godwit_endpoint_connection_statistics(a_.endpoint, a_.connection, &statistics), GODWIT_OK);
  EXPECT_STREQ(statistics.congestion, "newreno");
  EXPECT_STREQ(statistics.form, "extended");
  godwit_endpoint_statistics totals{};
  totals.size = sizeof totals;
  godwit_endpoint_statistics_of(a_.endpoint, &totals);
  EXPECT_EQ(totals.connections_opened, 1U);
  godwit_liveness liveness{};
  liveness.size = sizeof liveness;
  godwit_endpoint_liveness(a_.endpoint, a_.connection, &liveness);
  EXPECT_FALSE(liveness.suspect);
  const char* metrics = nullptr;
  ASSERT_EQ(godwit_endpoint_metrics(a_.endpoint, &metrics), GODWIT_OK);
  EXPECT_NE(std::string(metrics).find("godwit_endpoint_connections_opened_total 1"), std::string::npos);
  EXPECT_EQ(godwit_endpoint_reconnect(b_.endpoint, now_, b_.connection), GODWIT_INVALID_ARGUMENT)
      << "only the side that has connected";
}

TEST_F(CEndpoint, EndsWithACode) {
  godwit_endpoint_close(a_.endpoint, now_, a_.connection, "done", 9);
  run();
  EXPECT_EQ(a_.closed, GODWIT_CLOSE_LOCAL);
  EXPECT_EQ(b_.closed, GODWIT_CLOSE_REMOTE);
  EXPECT_EQ(b_.code, 9U);
  EXPECT_STREQ(godwit_close_reason_name(b_.closed), "closed by the peer");
  EXPECT_STREQ(godwit_close_reason_name(99), "unknown");
  EXPECT_EQ(godwit_endpoint_closing_count(a_.endpoint), 0U);
  godwit_address remote{};
  EXPECT_EQ(godwit_endpoint_remote_address(a_.endpoint, a_.connection, &remote), GODWIT_NOT_FOUND);
}

TEST_F(CEndpoint, ClosesAllAtOnce) {
  godwit_endpoint_close_all(b_.endpoint, now_, "good night");
  run();
  EXPECT_EQ(a_.closed, GODWIT_CLOSE_REMOTE);
}

}  // namespace
}  // namespace godwit::c_api_endpoint_test
