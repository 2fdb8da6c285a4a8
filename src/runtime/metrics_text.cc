#include "runtime/metrics_text.h"

#include <fmt/format.h>

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/counters.h"

namespace godwit {
namespace {

constexpr std::string_view kCounter = "counter";
constexpr std::string_view kLevel = "gauge";

// One connection as it is listed.
struct Listed {
  std::string labels;
  ConnectionStatistics statistics;
};

class Writer {
 public:
  void family(std::string_view name, std::string_view help, std::string_view type) {
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  void value(std::string_view name, std::string_view labels, std::uint64_t number) {
    text_ += fmt::format("{}{} {}\n", name, labels, number);
  }
  void value(std::string_view name, std::string_view labels, double number) {
    text_ += fmt::format("{}{} {}\n", name, labels, number);
  }
  template <typename T>
  void counters(std::string_view part, std::span<const Counter<T>> list, const T& counted) {
    for (const Counter<T>& each : list) {
      const std::string name = name_of(part, each);
      family(name, each.help, each.level ? kLevel : kCounter);
      value(name, "", counted.*each.member);
    }
  }
  template <typename T>
  [[nodiscard]] static std::string name_of(std::string_view part, const Counter<T>& counter) {
    return fmt::format("godwit_{}_{}{}", part, counter.name, counter.level ? "" : "_total");
  }
  template <typename Reason, typename Name>
  void reasons(const ReasonCounts<Reason>& counts, std::string_view name, std::string_view labels,
               Name name_of_reason) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(Reason::kCount); ++i) {
      const auto reason = static_cast<Reason>(i);
      const std::string_view more = labels.empty() ? "" : ",";
      const std::string inner(labels.empty() ? labels : labels.substr(1, labels.size() - 2));
      value(name, fmt::format("{{{}{}reason=\"{}\"}}", inner, more, name_of_reason(reason)), counts.of(reason));
    }
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void write_endpoint(Writer& writer, const EndpointStatistics& endpoint, std::uint64_t open) {
  writer.family("godwit_connections", "connections that have not ended", kLevel);
  writer.value("godwit_connections", "", open);
  writer.counters("endpoint", endpoint_counters(), endpoint);
  writer.family("godwit_endpoint_connections_closed_total", "connections that ended after they had been established",
                kCounter);
  writer.reasons(endpoint.connections_closed, "godwit_endpoint_connections_closed_total", "", close_reason_name);
  writer.family("godwit_endpoint_drops_total", "datagrams of no connection that were not used", kCounter);
  writer.reasons(endpoint.drops, "godwit_endpoint_drops_total", "", trace::drop_reason_name);
}

void write_errors(Writer& writer, std::string_view name, std::string_view help, const ErrnoCounts& errors) {
  writer.family(name, help, kCounter);
  for (const ErrnoCounts::Entry& entry : errors.entries()) {
    writer.value(name, fmt::format("{{errno=\"{}\"}}", entry.error), entry.count);
  }
  writer.value(name, "{errno=\"other\"}", errors.other());
}

// A histogram: its buckets are cumulative, and the last one, which has no bound, holds all calls.
void write_occupancy(Writer& writer, std::string_view name, std::string_view help, const CallOccupancy& occupancy,
                     std::uint64_t datagrams) {
  std::uint64_t sum = 0;
  std::string bucket = fmt::format("{}_bucket", name);
  writer.family(name, help, "histogram");
  for (std::size_t i = 0; i + 1 < CallOccupancy::kClasses; ++i) {
    sum += occupancy.calls(i);
    writer.value(bucket, fmt::format("{{le=\"{}\"}}", CallOccupancy::most_of(i)), sum);
  }
  sum += occupancy.calls(CallOccupancy::kClasses - 1);
  writer.value(bucket, "{le=\"+Inf\"}", sum);
  writer.value(fmt::format("{}_sum", name), "", datagrams);
  writer.value(fmt::format("{}_count", name), "", sum);
}

void write_socket(Writer& writer, const BackendStatistics& socket) {
  writer.counters("socket", backend_counters(), socket);
  write_errors(writer, "godwit_socket_send_refusals_total", "sends that the kernel refused, by errno",
               socket.send_refusals);
  write_errors(writer, "godwit_socket_receive_errors_total", "receive calls that failed, by errno",
               socket.receive_errors);
  write_occupancy(writer, "godwit_socket_send_occupancy", "datagrams a system call that sends", socket.send_occupancy,
                  socket.datagrams_sent);
  write_occupancy(writer, "godwit_socket_receive_occupancy", "datagrams a system call that receives",
                  socket.receive_occupancy, socket.datagrams_received);
}

void write_path(Writer& writer, const std::vector<Listed>& listed) {
  using Path = ConnectionStatistics;
  const auto level = [&](std::string_view name, std::string_view help, auto read) {
    writer.family(name, help, kLevel);
    for (const Listed& each : listed) writer.value(name, each.labels, read(each.statistics));
  };
  level("godwit_connection_bytes_in_flight", "bytes that are sent and not acknowledged",
        [](const Path& of) { return of.bytes_in_flight; });
  level("godwit_connection_window_bytes", "congestion window", [](const Path& of) { return of.window_bytes; });
  level("godwit_connection_pacing_bits_per_second", "what the pacer allows; 0 where it allows everything",
        [](const Path& of) { return of.pacing_rate.is_unlimited() ? 0 : of.pacing_rate.bits_per_second(); });
  level("godwit_connection_key_packets_sealed", "packets under the present sending key",
        [](const Path& of) { return of.key_packets_sealed; });
  level("godwit_connection_latest_round_trip_seconds", "the latest round trip",
        [](const Path& of) { return to_seconds(of.latest_round_trip); });
  level("godwit_connection_smoothed_round_trip_seconds", "the smoothed round trip",
        [](const Path& of) { return to_seconds(of.smoothed_round_trip); });
  level("godwit_connection_minimum_round_trip_seconds", "the smallest round trip",
        [](const Path& of) { return to_seconds(of.minimum_round_trip); });
  level("godwit_connection_round_trip_variance_seconds", "the mean deviation of round trips",
        [](const Path& of) { return to_seconds(of.round_trip_variance); });
  writer.family("godwit_connection_info", "names: controller, its state, cipher, form of the session", kLevel);
  for (const Listed& each : listed) {
    const Path& of = each.statistics;
    const std::string_view inner = std::string_view(each.labels).substr(1, each.labels.size() - 2);
    writer.value("godwit_connection_info",
                 fmt::format("{{{},congestion=\"{}\",state=\"{}\",cipher=\"{}\",form=\"{}\"}}", inner, of.congestion,
                             of.congestion_state, of.cipher, of.form),
                 std::uint64_t{1});
  }
}

void write_connections(Writer& writer, const Endpoint& endpoint) {
  std::vector<Listed> listed;
  std::uint64_t unlisted = 0;
  for (const ConnectionId id : endpoint.connections()) {
    if (listed.size() == kListedConnections) {
      ++unlisted;
      continue;
    }
    const auto statistics = endpoint.statistics(id);
    if (!statistics) continue;
    const SocketAddress remote = endpoint.remote_address(id).value_or(SocketAddress());
    listed.push_back({fmt::format("{{connection=\"{}\",remote=\"{}\"}}", id, remote.to_string()), *statistics});
  }
  writer.family("godwit_connections_unlisted", "connections beyond those that are listed one by one", kLevel);
  writer.value("godwit_connections_unlisted", "", unlisted);
  for (const ConnectionCounter& each : connection_counters()) {
    const std::string name = Writer::name_of("connection", each);
    writer.family(name, each.help, each.level ? kLevel : kCounter);
    for (const Listed& one : listed) writer.value(name, one.labels, one.statistics.*each.member);
  }
  writer.family("godwit_connection_drops_total", "datagrams of a connection that were not used", kCounter);
  for (const Listed& one : listed) {
    writer.reasons(one.statistics.drops, "godwit_connection_drops_total", one.labels, trace::drop_reason_name);
  }
  write_path(writer, listed);
}

}  // namespace

std::string metrics_text(const Node& node) {
  Writer writer;
  write_endpoint(writer, node.endpoint().statistics(), node.endpoint().connection_count());
  write_socket(writer, node.backend().statistics());
  writer.counters("node", node_counters(), node.statistics());
  write_connections(writer, node.endpoint());
  return writer.take();
}

std::string metrics_text(const ShardsStatistics& group) {
  Writer writer;
  write_endpoint(writer, group.endpoint, group.open_connections());
  write_socket(writer, group.backend);
  writer.counters("node", node_counters(), group.node);
  writer.counters("shard", shard_link_counters(), group.link);
  return writer.take();
}

std::string metrics_text(const Endpoint& endpoint) {
  Writer writer;
  write_endpoint(writer, endpoint.statistics(), endpoint.connection_count());
  write_connections(writer, endpoint);
  return writer.take();
}

}  // namespace godwit
