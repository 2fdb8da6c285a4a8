#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "trace/key_log.h"
#include "trace/qlog_sink.h"
#include "trace/tee_sink.h"

namespace godwit::trace {
namespace {

// One event of every kind, in the order of the variant.
std::vector<Event> one_of_each() {
  const Instant at{1500ms + 42us};
  const SocketAddress remote = SocketAddress::ipv4({192, 0, 2, 7}, 31337);
  std::vector<EventData> data = {PacketSent{7, PacketKind::kStreamFragment, 1200, true},
                                 PacketReceived{8, PacketKind::kNoOp, 49},
                                 PacketDropped{DropReason::kAuthenticationFailed, 100},
                                 PacketLost{7, 1200, false},
                                 PacketsAcknowledged{3, 3600},
                                 MetricsUpdated{.latest_round_trip = 21ms,
                                                .smoothed_round_trip = 20500us,
                                                .minimum_round_trip = 20ms,
                                                .round_trip_variance = 1ms,
                                                .bytes_in_flight = 2400,
                                                .window_bytes = 12000,
                                                .pacing_rate = 10_mbps},
                                 CongestionStateChanged{"cubic", "slow start"},
                                 HandshakePacket{PacketKind::kIntro, true, 92, remote},
                                 ConnectionStateChanged{"established", remote, "legacy", "disabled"},
                                 ConnectionClosed{"idle time-out", remote, "idle time-out"}};
  std::vector<Event> events;
  for (EventData& each : data) events.push_back({.at = at, .connection = 3, .data = std::move(each)});
  EXPECT_EQ(events.size(), std::variant_size_v<EventData>);
  return events;
}

// Braces and quotes in balance, nothing unescaped: enough of a parser for what the sink writes.
bool is_one_json_object(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) < 0x20) return false;
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (--depth == 0 && i + 1 != text.size()) return false;
    }
  }
  return depth == 0 && !quoted;
}

TEST(QlogSink, WritesATextSequenceOfObjects) {
  std::vector<std::string> records;
  QlogSink sink([&](std::string_view record) { records.emplace_back(record); });
  for (const Event& event : one_of_each()) sink.on_event(event);
  ASSERT_EQ(records.size(), 1 + std::variant_size_v<EventData>);
  for (const std::string& record : records) {
    EXPECT_EQ(record.front(), '\x1e');
    EXPECT_EQ(record.back(), '\n');
    EXPECT_TRUE(is_one_json_object(std::string_view(record).substr(1, record.size() - 2))) << record;
  }
  EXPECT_NE(records[0].find(R"("file_schema":"urn:ietf:params:qlog:file:sequential")"), std::string::npos);
}

TEST(QlogSink, NamesEventsAsQuicDoesWhereTheyFit) {
  std::vector<std::string> records;
  QlogSink sink([&](std::string_view record) { records.emplace_back(record); });
  for (const Event& event : one_of_each()) sink.on_event(event);
  EXPECT_EQ(records[1],
            "\x1e{\"time\":1500.042000,\"name\":\"quic:packet_sent\",\"group_id\":\"3\",\"data\":{\"header\":"
            "{\"packet_type\":\"1RTT\",\"packet_number\":7},\"raw\":{\"length\":1200},\"frames\":[{\"frame_type\":"
            "\"stream\"}],\"godwit_kind\":\"stream_fragment\",\"trigger\":\"retransmit\"}}\n");
  const std::vector<std::string> names = {"quic:packet_sent",
                                          "quic:packet_received",
                                          "quic:packet_dropped",
                                          "quic:packet_lost",
                                          "godwit:packets_acknowledged",
                                          "quic:recovery_metrics_updated",
                                          "quic:congestion_state_updated",
                                          "godwit:handshake_packet_sent",
                                          "quic:connection_state_updated",
                                          "quic:connection_closed"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_NE(records[i + 1].find("\"name\":\"" + names[i] + "\""), std::string::npos) << records[i + 1];
  }
  EXPECT_NE(records[6].find(R"("smoothed_rtt":20.500000)"), std::string::npos);
  EXPECT_NE(records[6].find(R"("congestion_window":12000)"), std::string::npos);
}

TEST(QlogSink, EscapesWhatAPeerMayHaveSaid) {
  std::string record;
  QlogSink sink([&](std::string_view text) { record = text; });
  sink.on_event({.at = {}, .connection = 1, .data = ConnectionClosed{"\"}\n\x01\xff\\"}});
  EXPECT_NE(record.find(R"("reason":"\"}\u000a\u0001\u00ff\\")"), std::string::npos) << record;
}

TEST(QlogSink, SaysWhichFormASessionHasAndWhy) {
  std::vector<std::string> records;
  QlogSink sink([&](std::string_view record) { records.emplace_back(record); });
  for (const Event& event : one_of_each()) sink.on_event(event);
  EXPECT_NE(records[8].find(R"("remote":"192.0.2.7:31337","raw":{"length":92})"), std::string::npos) << records[8];
  EXPECT_NE(records[9].find(R"("form":"legacy","fallback":"disabled")"), std::string::npos) << records[9];
}

TEST(KeyLogWriter, WritesTheLinesThatTheDissectorReads) {
  std::vector<std::string> lines;
  KeyLogWriter log([&](std::string_view line) { lines.emplace_back(line); });
  log.on_key(std::vector<std::uint8_t>(16, 0xa1));
  log.on_secret(std::vector<std::uint8_t>(32, 0x0b));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "GODWIT_KEY a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1\n");
  EXPECT_EQ(lines[1], "GODWIT_SECRET 0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b\n");
}

TEST(TeeSink, PassesEventsOn) {
  std::size_t first = 0;
  std::size_t second = 0;
  QlogSink one([&](std::string_view) { ++first; });
  QlogSink two([&](std::string_view) { ++second; });
  TeeSink tee;
  EXPECT_TRUE(tee.empty());
  tee.add(one);
  tee.add(two);
  for (const Event& event : one_of_each()) tee.on_event(event);
  EXPECT_EQ(first, 1 + std::variant_size_v<EventData>);
  EXPECT_EQ(second, first);
}

}  // namespace
}  // namespace godwit::trace
