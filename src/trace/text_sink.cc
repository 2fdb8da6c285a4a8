#include "trace/text_sink.h"

#include "trace/json_text.h"

namespace godwit::trace {
namespace {

struct Line {
  std::string& out;

  Line& word(std::string_view text) {
    out += ' ';
    out += text;
    return *this;
  }
  Line& number(std::string_view name, std::uint64_t value) {
    word(name);
    out += '=';
    append_number(out, value);
    return *this;
  }
  Line& time(std::string_view name, Duration value) {
    word(name);
    out += '=';
    append_fixed(out, value.count() / 1000, 3);
    out += "ms";
    return *this;
  }
  // Words from elsewhere, quoted: a peer's text cannot forge a line.
  Line& quoted(std::string_view name, std::string_view text) {
    word(name);
    out += '=';
    append_quoted(out, text);
    return *this;
  }

  void operator()(const PacketSent& e) {
    word("sent").word(packet_kind_name(e.kind)).number("id", e.packet_id).number("bytes", e.bytes);
    if (e.retransmission) word("again");
  }
  void operator()(const PacketReceived& e) {
    word("received").word(packet_kind_name(e.kind)).number("id", e.packet_id).number("bytes", e.bytes);
  }
  void operator()(const PacketDropped& e) { word("dropped").word(drop_reason_name(e.reason)).number("bytes", e.bytes); }
  void operator()(const PacketLost& e) {
    word("lost").number("id", e.packet_id).number("bytes", e.bytes).word(e.timeout ? "by time" : "by receipts");
  }
  void operator()(const PacketsAcknowledged& e) {
    word("acknowledged").number("packets", e.packets).number("bytes", e.bytes);
  }
  void operator()(const MetricsUpdated& e) {
    word("path")
        .time("rtt", e.smoothed_round_trip)
        .time("latest", e.latest_round_trip)
        .time("least", e.minimum_round_trip);
    number("in_flight", e.bytes_in_flight).number("window", e.window_bytes);
    if (!e.pacing_rate.is_unlimited()) number("bits_per_second", e.pacing_rate.bits_per_second());
  }
  void operator()(const CongestionStateChanged& e) { word("congestion").word(e.controller).quoted("state", e.state); }
  void operator()(const ConnectionStateChanged& e) {
    word("connection").quoted("state", e.state).word(e.remote.to_string());
  }
  void operator()(const HandshakeStepTaken& e) { word("handshake").quoted("step", e.step); }
  void operator()(const StreamOpened& e) {
    stream(e.stream_id, e.outgoing).word("opened").number("total", e.total_bytes);
  }
  void operator()(const StreamFinished& e) { stream(e.stream_id, e.outgoing).word("finished"); }
  void operator()(const StreamFailed& e) { stream(e.stream_id, e.outgoing).word("failed").quoted("why", e.why); }
  void operator()(const ConnectionClosed& e) { word("closed").quoted("reason", e.reason); }

 private:
  Line& stream(std::uint32_t id, bool outgoing) {
    return word(outgoing ? "outgoing" : "incoming").number("stream", id);
  }

 public:
  explicit Line(std::string& line) : out(line) {}
};

}  // namespace

void TextSink::on_event(const Event& event) {
  line_.clear();
  append_fixed(line_, event.at.time_since_epoch().count() / 1000, 6);
  Line line(line_);
  line.number("c", event.connection);
  std::visit(line, event.data);
  output_(line_);
}

}  // namespace godwit::trace
