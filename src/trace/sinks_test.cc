#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "trace/histogram_sink.h"
#include "trace/metrics_sink.h"
#include "trace/qlog_sink.h"
#include "trace/text_sink.h"

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
                                 ConnectionStateChanged{"established", remote},
                                 HandshakeStepTaken{"success ack"},
                                 StreamOpened{5, 3000, true},
                                 StreamFinished{5, true},
                                 StreamFailed{6, "a \"word\"\nand another", false},
                                 ConnectionClosed{"idle time-out"}};
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
  ASSERT_EQ(records.size(), 14U);
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
                                          "quic:connection_state_updated",
                                          "godwit:handshake_step",
                                          "quic:stream_state_updated",
                                          "quic:stream_state_updated",
                                          "quic:stream_state_updated",
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

TEST(TextSink, WritesOneLineAnEventThatNothingCanForge) {
  std::vector<std::string> lines;
  TextSink sink([&](std::string_view line) { lines.emplace_back(line); });
  for (const Event& event : one_of_each()) sink.on_event(event);
  ASSERT_EQ(lines.size(), 13U);
  EXPECT_EQ(lines[0], "1.500042 c=3 sent stream_fragment id=7 bytes=1200 again");
  EXPECT_EQ(lines[2], "1.500042 c=3 dropped authentication_failed bytes=100");
  for (const std::string& line : lines) EXPECT_EQ(line.find('\n'), std::string::npos) << line;
}

TEST(TeeSink, PassesEventsOn) {
  int first = 0;
  int second = 0;
  TextSink one([&](std::string_view) { ++first; });
  TextSink two([&](std::string_view) { ++second; });
  TeeSink tee;
  tee.add(one);
  tee.add(two);
  for (const Event& event : one_of_each()) tee.on_event(event);
  EXPECT_EQ(first, 13);
  EXPECT_EQ(second, 13);
}

TEST(MetricsSink, AddsUpAndShowsPaths) {
  MetricsSink sink;
  const auto events = one_of_each();
  for (std::size_t i = 0; i + 1 < events.size(); ++i) sink.on_event(events[i]);
  sink.on_event(events[0]);
  const std::string text = sink.text();
  for (const std::string_view line :
       {"# TYPE godwit_packets_sent_total counter\n", "godwit_packets_sent_total{kind=\"stream_fragment\"} 2\n",
        "godwit_bytes_sent_total{kind=\"stream_fragment\"} 2400\n", "godwit_packets_received_total{kind=\"noop\"} 1\n",
        "godwit_packets_retransmitted_total 2\n", "godwit_packets_lost_total{by=\"receipts\"} 1\n",
        "godwit_datagrams_dropped_total{reason=\"authentication_failed\"} 1\n",
        "godwit_round_trip_seconds{connection=\"3\"} 0.020500000\n", "godwit_streams_total{event=\"failed\"} 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
  sink.on_event(events.back());
  EXPECT_EQ(sink.text().find("connection=\"3\""), std::string::npos) << "a closed connection has no path";
  EXPECT_NE(sink.text().find("godwit_connections_closed_total 1\n"), std::string::npos);
}

TEST(MetricsSink, ShowsABoundedNumberOfConnections) {
  MetricsSink sink(2);
  for (std::uint64_t id = 1; id <= 100; ++id) sink.on_event({.at = {}, .connection = id, .data = MetricsUpdated{}});
  const std::string text = sink.text();
  EXPECT_NE(text.find("connection=\"2\""), std::string::npos);
  EXPECT_EQ(text.find("connection=\"3\""), std::string::npos);
}

TEST(LogHistogram, FindsQuantilesWithinAThirtySecond) {
  LogHistogram histogram;
  std::vector<std::uint64_t> values;
  DeterministicRandom random(1);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t value = random.next_u64() >> random.below(64);
    values.push_back(value);
    histogram.add(value);
  }
  std::ranges::sort(values);
  EXPECT_EQ(histogram.count(), values.size());
  for (const double share : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(share * static_cast<double>(values.size()))));
    const std::uint64_t exact = values[rank - 1];
    const std::uint64_t found = histogram.quantile(share);
    EXPECT_LE(found, exact);
    EXPECT_GE(found, exact - exact / 32);
  }
}

TEST(LogHistogram, IsEmptyAtFirst) {
  EXPECT_EQ(LogHistogram().quantile(0.5), 0U);
}

TEST(HistogramSink, SortsEventsIntoDistributions) {
  HistogramSink sink;
  for (const Event& event : one_of_each()) sink.on_event(event);
  EXPECT_EQ(sink.sent_sizes().count(), 1U);
  EXPECT_EQ(sink.received_sizes().quantile(0.5), 49U);
  EXPECT_EQ(sink.bytes_in_flight().count(), 1U);
  EXPECT_GE(sink.round_trips().quantile(0.5), 20'300'000U);
  EXPECT_LE(sink.round_trips().quantile(0.5), 21'000'000U);
}

}  // namespace
}  // namespace godwit::trace
