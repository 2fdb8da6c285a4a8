#include "trace/qlog_sink.h"

#include <utility>

#include "trace/json_text.h"

namespace godwit::trace {
namespace {

constexpr char kRecordSeparator = '\x1e';

// The encryption level a QUIC tool would show; a Godwit packet has none.
std::string_view packet_type(PacketKind kind) {
  switch (kind) {
    case PacketKind::kIntro: return "initial";
    case PacketKind::kAcknowledgeConnection:
    case PacketKind::kErrorAcknowledgement: return "handshake";
    default: return "1RTT";
  }
}

// The QUIC frame that does the same, where there is one.
std::string_view frame_type(PacketKind kind) {
  switch (kind) {
    case PacketKind::kIntro:
    case PacketKind::kAcknowledgeConnection: return "crypto";
    case PacketKind::kErrorAcknowledgement: return "connection_close";
    case PacketKind::kShortMessage: return "datagram";
    case PacketKind::kStreamFragment: return "stream";
    case PacketKind::kNoOp: return "ack";
    case PacketKind::kPing: return "ping";
    case PacketKind::kPong: return "path_response";
    default: return "unknown";
  }
}

void append_packet(JsonObject& data, std::uint32_t id, PacketKind kind, std::uint32_t bytes) {
  data.begin("header").text("packet_type", packet_type(kind)).number("packet_number", id).end();
  data.begin("raw").number("length", bytes).end();
  std::string frames = "[{\"frame_type\":";
  append_quoted(frames, frame_type(kind));
  frames += "}]";
  data.verbatim("frames", frames).text("godwit_kind", packet_kind_name(kind));
}

JsonObject& milliseconds(JsonObject& data, std::string_view name, Duration duration) {
  return data.fixed(name, duration.count(), 6);
}

// Opens the event's object up to and including its "data".
JsonObject begin_event(std::string& record, const Event& event, std::string_view name) {
  JsonObject object(record);
  milliseconds(object, "time", event.at.time_since_epoch()).text("name", name);
  std::string group;
  append_number(group, event.connection);
  object.text("group_id", group);
  object.begin("data");
  return object;
}

struct Writer {
  std::string& record;
  const Event& event;

  JsonObject begin(std::string_view name) const { return begin_event(record, event, name); }
  static void finish(JsonObject& object) { object.end().end(); }

  void operator()(const PacketSent& sent) const {
    JsonObject data = begin("quic:packet_sent");
    append_packet(data, sent.packet_id, sent.kind, sent.bytes);
    if (sent.retransmission) data.text("trigger", "retransmit");
    finish(data);
  }
  void operator()(const PacketReceived& received) const {
    JsonObject data = begin("quic:packet_received");
    append_packet(data, received.packet_id, received.kind, received.bytes);
    finish(data);
  }
  void operator()(const PacketDropped& dropped) const {
    JsonObject data = begin("quic:packet_dropped");
    data.begin("raw").number("length", dropped.bytes).end().text("trigger", trigger(dropped.reason));
    data.text("details", drop_reason_name(dropped.reason));
    finish(data);
  }
  void operator()(const PacketLost& lost) const {
    JsonObject data = begin("quic:packet_lost");
    data.begin("header").text("packet_type", "1RTT").number("packet_number", lost.packet_id).end();
    data.begin("raw")
        .number("length", lost.bytes)
        .end()
        .text("trigger", lost.timeout ? "pto_expired" : "reordering_threshold");
    finish(data);
  }
  void operator()(const PacketsAcknowledged& acknowledged) const {
    JsonObject data = begin("godwit:packets_acknowledged");
    data.number("packets", acknowledged.packets).number("bytes", acknowledged.bytes);
    finish(data);
  }
  void operator()(const MetricsUpdated& metrics) const {
    JsonObject data = begin("quic:recovery_metrics_updated");
    milliseconds(data, "min_rtt", metrics.minimum_round_trip);
    milliseconds(data, "smoothed_rtt", metrics.smoothed_round_trip);
    milliseconds(data, "latest_rtt", metrics.latest_round_trip);
    milliseconds(data, "rtt_variance", metrics.round_trip_variance);
    data.number("congestion_window", metrics.window_bytes).number("bytes_in_flight", metrics.bytes_in_flight);
    if (!metrics.pacing_rate.is_unlimited()) data.number("pacing_rate", metrics.pacing_rate.bits_per_second());
    finish(data);
  }
  void operator()(const CongestionStateChanged& changed) const {
    JsonObject data = begin("quic:congestion_state_updated");
    data.text("new", changed.state).text("controller", changed.controller);
    finish(data);
  }
  void operator()(const HandshakePacket& packet) const {
    JsonObject data = begin(packet.sent ? "godwit:handshake_packet_sent" : "godwit:handshake_packet_received");
    data.text("godwit_kind", packet_kind_name(packet.kind)).text("remote", packet.remote.to_string());
    data.begin("raw").number("length", packet.bytes).end();
    finish(data);
  }
  void operator()(const ConnectionStateChanged& changed) const {
    JsonObject data = begin("quic:connection_state_updated");
    data.text("new", changed.state).text("remote", changed.remote.to_string());
    if (!changed.form.empty()) data.text("form", changed.form);
    if (!changed.fallback.empty()) data.text("fallback", changed.fallback);
    finish(data);
  }
  void operator()(const ConnectionClosed& closed) const {
    JsonObject data = begin("quic:connection_closed");
    data.text("reason", closed.reason);
    finish(data);
  }

  static std::string_view trigger(DropReason reason) {
    switch (reason) {
      case DropReason::kAuthenticationFailed: return "decryption_failure";
      case DropReason::kDuplicate:
      case DropReason::kReplayedIntro: return "duplicate";
      case DropReason::kUnknownSource:
      case DropReason::kClosed: return "connection_unknown";
      case DropReason::kUnknownType:
      case DropReason::kIncompatibleVersion: return "unsupported";
      case DropReason::kEmpty:
      case DropReason::kTooShort:
      case DropReason::kTooLong:
      case DropReason::kUndecodable: return "invalid";
      default: return "rejected";
    }
  }
};

}  // namespace

QlogSink::QlogSink(Output output, const QlogOptions& options) : output_(std::move(output)) {
  record_ += kRecordSeparator;
  JsonObject header(record_);
  // The first two are what qvis and other tools of earlier drafts load a file by.
  header.text("qlog_version", "0.3").text("qlog_format", "JSON-SEQ");
  header.text("file_schema", "urn:ietf:params:qlog:file:sequential");
  header.text("serialization_format", "application/qlog+json-seq");
  header.text("title", options.title);
  header.begin("trace").begin("vantage_point").text("type", options.vantage_point).end();
  header.begin("common_fields").text("time_format", "relative_to_epoch");
  header.begin("reference_time").text("clock_type", "monotonic").text("epoch", "unknown").end().end();
  header.verbatim("event_schemas", R"(["urn:ietf:params:qlog:events:quic","urn:godwit:qlog:events"])");
  header.end().end();
  record_ += '\n';
  output_(record_);
}

void QlogSink::on_event(const Event& event) {
  record_.clear();
  record_ += kRecordSeparator;
  std::visit(Writer{record_, event}, event.data);
  record_ += '\n';
  output_(record_);
}

}  // namespace godwit::trace
