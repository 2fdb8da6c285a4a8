#include "trace/metrics_sink.h"

#include <algorithm>
#include <string_view>

#include "trace/json_text.h"

namespace godwit::trace {
namespace {

// One metric family; the names follow the conventions of the format: a unit, and _total for what only grows.
class Family {
 public:
  Family(std::string& out, std::string_view name, std::string_view type, std::string_view help)
      : out_(out), name_(name) {
    for (const std::string_view piece :
         {std::string_view("# HELP "), name, std::string_view(" "), help, std::string_view("\n# TYPE "), name,
          std::string_view(" "), type, std::string_view("\n")}) {
      out_ += piece;
    }
  }
  void value(std::uint64_t value) {
    out_ += name_;
    out_ += ' ';
    append_number(out_, value);
    out_ += '\n';
  }
  void value(std::string_view label, std::string_view label_value, std::uint64_t value) {
    labelled(label, label_value);
    append_number(out_, value);
    out_ += '\n';
  }
  void seconds(std::string_view label, std::string_view label_value, Duration value) {
    labelled(label, label_value);
    append_fixed(out_, value.count(), 9);
    out_ += '\n';
  }

 private:
  void labelled(std::string_view label, std::string_view value) {
    out_ += name_;
    out_ += '{';
    out_ += label;
    out_ += "=\"";
    out_ += value;  // names of enumerators and numbers: nothing to escape
    out_ += "\"} ";
  }

  std::string& out_;
  std::string_view name_;
};

std::string digits(std::uint64_t value) {
  std::string text;
  append_number(text, value);
  return text;
}

}  // namespace

void MetricsSink::Traffic::add(PacketKind kind, std::uint64_t size) {
  const std::size_t index = std::min(static_cast<std::size_t>(kind), kKinds - 1);
  ++packets[index];
  bytes[index] += size;
}

void MetricsSink::on_event(const Event& event) {
  if (const auto* sent = std::get_if<PacketSent>(&event.data)) {
    sent_.add(sent->kind, sent->bytes);
    if (sent->retransmission) ++retransmitted_;
  } else if (const auto* received = std::get_if<PacketReceived>(&event.data)) {
    received_.add(received->kind, received->bytes);
  } else if (const auto* dropped = std::get_if<PacketDropped>(&event.data)) {
    const auto reason = static_cast<std::size_t>(dropped->reason);
    if (reason < kReasons) ++dropped_[reason];
  } else if (const auto* lost = std::get_if<PacketLost>(&event.data)) {
    ++(lost->timeout ? lost_by_time_ : lost_by_receipts_);
  } else if (const auto* acknowledged = std::get_if<PacketsAcknowledged>(&event.data)) {
    acknowledged_packets_ += acknowledged->packets;
    acknowledged_bytes_ += acknowledged->bytes;
  } else if (const auto* metrics = std::get_if<MetricsUpdated>(&event.data)) {
    if (const auto known = paths_.find(event.connection); known != paths_.end()) {
      known->second = *metrics;
    } else if (paths_.size() < max_connections_) {
      paths_.emplace(event.connection, *metrics);
    }
  } else if (std::holds_alternative<StreamOpened>(event.data)) {
    ++streams_opened_;
  } else if (std::holds_alternative<StreamFinished>(event.data)) {
    ++streams_finished_;
  } else if (std::holds_alternative<StreamFailed>(event.data)) {
    ++streams_failed_;
  } else if (std::holds_alternative<ConnectionClosed>(event.data)) {
    ++connections_closed_;
    paths_.erase(event.connection);
  }
}

std::string MetricsSink::text() const {
  std::string out;
  const auto by_kind = [&out](std::string_view name, std::string_view help,
                              const std::array<std::uint64_t, kKinds>& values) {
    Family family(out, name, "counter", help);
    for (std::size_t i = 0; i < kKinds; ++i) {
      if (values[i] != 0) family.value("kind", packet_kind_name(static_cast<PacketKind>(i)), values[i]);
    }
  };
  by_kind("godwit_packets_sent_total", "Packets sent, by kind.", sent_.packets);
  by_kind("godwit_bytes_sent_total", "Bytes of packets sent, by kind.", sent_.bytes);
  by_kind("godwit_packets_received_total", "Authentic packets received, by kind.", received_.packets);
  by_kind("godwit_bytes_received_total", "Bytes of authentic packets received, by kind.", received_.bytes);
  Family(out, "godwit_packets_retransmitted_total", "counter", "Packets sent again.").value(retransmitted_);
  {
    Family lost(out, "godwit_packets_lost_total", "counter", "Packets declared lost, by what told.");
    lost.value("by", "receipts", lost_by_receipts_);
    lost.value("by", "time", lost_by_time_);
  }
  Family(out, "godwit_packets_acknowledged_total", "counter", "Packets receipted.").value(acknowledged_packets_);
  Family(out, "godwit_bytes_acknowledged_total", "counter", "Bytes of packets receipted.").value(acknowledged_bytes_);
  {
    Family dropped(out, "godwit_datagrams_dropped_total", "counter", "Datagrams that were not used, by reason.");
    for (std::size_t i = 0; i < kReasons; ++i) {
      if (dropped_[i] != 0) dropped.value("reason", drop_reason_name(static_cast<DropReason>(i)), dropped_[i]);
    }
  }
  {
    Family streams(out, "godwit_streams_total", "counter", "Streams, by what became of them.");
    streams.value("event", "opened", streams_opened_);
    streams.value("event", "finished", streams_finished_);
    streams.value("event", "failed", streams_failed_);
  }
  Family(out, "godwit_connections_closed_total", "counter", "Connections that have ended.").value(connections_closed_);
  {
    Family rtt(out, "godwit_round_trip_seconds", "gauge", "Smoothed round-trip time.");
    for (const auto& [id, path] : paths_) rtt.seconds("connection", digits(id), path.smoothed_round_trip);
  }
  {
    Family least(out, "godwit_minimum_round_trip_seconds", "gauge", "Least round-trip time.");
    for (const auto& [id, path] : paths_) least.seconds("connection", digits(id), path.minimum_round_trip);
  }
  {
    Family flight(out, "godwit_bytes_in_flight", "gauge", "Bytes sent and not yet receipted.");
    for (const auto& [id, path] : paths_) flight.value("connection", digits(id), path.bytes_in_flight);
  }
  Family window(out, "godwit_congestion_window_bytes", "gauge", "Congestion window.");
  for (const auto& [id, path] : paths_) window.value("connection", digits(id), path.window_bytes);
  return out;
}

}  // namespace godwit::trace
