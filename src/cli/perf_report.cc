#include "cli/perf_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "cli/console.h"
#include "support/build_facts.h"
#include "support/terminal_options.h"
#include "support/text_width.h"
#include "transfer/digest.h"
#include "wire/limits.h"

namespace godwit::cli {
namespace {

using measure::Json;

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Json counts(const std::map<std::string, std::uint64_t>& values) {
  Json result = Json::object();
  for (const auto& [name, count] : values) result[name] = count;
  return result;
}

Json drops(const PerfSide& side) {
  return {{"connection", counts(side.drops)}, {"endpoint", counts(side.endpoint_drops)}};
}

std::uint64_t received_twice(const PerfSide& side) {
  const auto duplicates = side.drops.find(std::string(trace::drop_reason_name(trace::DropReason::kDuplicate)));
  return duplicates == side.drops.end() ? 0 : duplicates->second;
}

double cpu_seconds(const PerfSide& side) {
  return side.cpu_user_seconds + side.cpu_system_seconds;
}

Json direction_to_json(const PerfReport& report, const PerfDirection& direction) {
  const PerfSide& sender = *direction.sender;
  const PerfSide& receiver = *direction.receiver;
  const ConnectionStatistics& path = sender.connection;
  const double delivered_packets =
      static_cast<double>(direction.delivered_bytes) / static_cast<double>(wire::kFragmentPayload);
  Json entry;
  entry["direction"] = direction.name;
  entry["goodput_bits_per_second"] = direction.goodput_bits_per_second();
  entry["delivered_bytes"] = direction.delivered_bytes;
  entry["seconds"] = direction.seconds();
  entry["omitted_bytes"] = direction.omitted.bytes;
  entry["cancelled_bytes"] = sender.cancelled_bytes;
  entry["stream_bytes"] = direction.stream_bytes;
  entry["streams"] = report.streams;
  entry["digest"] = report.digest ? Json(fmt::format("{:016x}", direction.digest)) : Json();
  // A result with different digests is an error and has no entry: without a digest nothing was compared.
  entry["digest_match"] = report.digest ? Json(true) : Json();
  entry["retransmitted_packets"] = path.packets_retransmitted;
  entry["lost_packets"] = path.packets_lost;
  entry["spurious_losses"] = path.losses_spurious;
  entry["duplicate_packets"] = received_twice(receiver);
  entry["packets_sent"] = path.packets_sent;
  entry["packets_received"] = receiver.connection.packets_received;
  entry["bytes_per_packet"] = ratio(path.bytes_sent, path.packets_sent);
  entry["datagrams_per_batch"] = ratio(path.packets_sent, path.batches_sent);
  entry["datagrams_per_send_call"] = direction.datagrams_per_send_call();
  entry["datagrams_per_receive_call"] = ratio(receiver.socket.datagrams_received, receiver.socket.receive_calls);
  entry["send_calls"] = sender.socket.send_calls;
  entry["receive_calls"] = receiver.socket.receive_calls;
  entry["ack_packets"] = receiver.connection.ack_packets_sent;
  entry["ack_packets_per_delivered_packet"] =
      delivered_packets > 0 ? static_cast<double>(receiver.connection.ack_packets_sent) / delivered_packets : 0;
  entry["cpu_seconds"] = {{"sender", cpu_seconds(sender)}, {"receiver", cpu_seconds(receiver)}};
  entry["cpu_system_seconds"] = {{"sender", sender.cpu_system_seconds}, {"receiver", receiver.cpu_system_seconds}};
  entry["round_trip_seconds"] = {{"latest", to_seconds(path.latest_round_trip)},
                                 {"smoothed", to_seconds(path.smoothed_round_trip)},
                                 {"minimum", to_seconds(path.minimum_round_trip)},
                                 {"variance", to_seconds(path.round_trip_variance)}};
  entry["congestion"] = {
      {"controller", sender.congestion},
      {"state", sender.congestion_state},
      {"window_bytes", path.window_bytes},
      {"pacing_bits_per_second", path.pacing_rate.is_unlimited() ? Json() : Json(path.pacing_rate.bits_per_second())}};
  entry["credit_window_bytes"] = receiver.window_bytes;
  entry["datagram_size"] = {{"bytes", path.datagram_bytes},
                            {"probes_sent", path.size_probes_sent},
                            {"probes_lost", path.size_probes_lost},
                            {"reductions", path.size_reductions}};
  entry["drops"] = {{"sender", drops(sender)}, {"receiver", drops(receiver)}};
  entry["kernel_drops"] = {{"sender", sender.socket.kernel_drops}, {"receiver", receiver.socket.kernel_drops}};
  entry["truncated_datagrams"] = {{"sender", sender.socket.truncated_datagrams},
                                  {"receiver", receiver.socket.truncated_datagrams}};
  entry["send_refusals"] = sender.socket.send_refusals.total();
  entry["injected_faults"] = {{"sender", counts(sender.faults)}, {"receiver", counts(receiver.faults)}};
  entry["renewals"] = sender.renewals;
  // Of this side: the other one does not report it.
  const std::string_view way = sender.connection.path.empty() ? receiver.connection.path : sender.connection.path;
  entry["session"] = {{"form", sender.session},
                      {"fallback", sender.session_fallback},
                      {"key_updates", sender.connection.key_updates},
                      {"ecn_marks", sender.connection.ecn_marks_reported},
                      {"path", way}};
  return entry;
}

Json ping_pong_to_json(const PerfPingPong& measured) {
  Json result;
  const PingPong::Options& asked = measured.options;
  result["bytes"] = asked.bytes;
  result["interval_seconds"] = asked.interval ? Json(to_seconds(*asked.interval)) : Json();
  result["outstanding"] = asked.outstanding;
  result["seconds"] = to_seconds(measured.elapsed);
  result["sent"] = measured.sent;
  result["answered"] = measured.answered;
  result["late"] = measured.late;
  const auto seconds = [](double nanoseconds) { return nanoseconds * 1e-9; };
  const measure::Histogram& latency = measured.latency;
  result["latency_seconds"] = {{"minimum", seconds(static_cast<double>(latency.minimum()))},
                               {"mean", seconds(latency.mean())},
                               {"p50", seconds(static_cast<double>(latency.percentile(50)))},
                               {"p90", seconds(static_cast<double>(latency.percentile(90)))},
                               {"p99", seconds(static_cast<double>(latency.percentile(99)))},
                               {"p99.9", seconds(static_cast<double>(latency.percentile(99.9)))},
                               {"p99.99", seconds(static_cast<double>(latency.percentile(99.99)))},
                               {"maximum", seconds(static_cast<double>(latency.maximum()))}};
  result["histogram"] = to_json(latency);
  return result;
}

Json build_to_json() {
  const measure::BuildFacts build = measure::build_facts();
  return {{"version", build.version},      {"commit", build.commit_known ? Json(build.commit) : Json()},
          {"dirty", build.dirty},          {"compiler", build.compiler},
          {"type", build.build_type},      {"flags", build.flags},
          {"sanitizers", build.sanitizers}};
}

Json side_to_json(const PerfSide& side) {
  Json result = to_json(side);
  return result;
}

}  // namespace

double PerfDirection::seconds() const {
  const double counted = receiver->receive_seconds - omitted.seconds;
  return counted > 0 ? counted : std::max(sender->send_seconds - omitted.seconds, 0.0);
}

double PerfDirection::goodput_bits_per_second() const {
  return seconds() > 0 ? static_cast<double>(delivered_bytes) * 8 / seconds() : 0;
}

double PerfDirection::datagrams_per_send_call() const {
  return ratio(sender->socket.datagrams_sent, sender->socket.send_calls);
}

std::vector<PerfDirection> PerfReport::directions() const {
  std::vector<PerfDirection> result;
  if (sends) {
    result.push_back({.name = "client_to_server",
                      .delivered_bytes = server.received_bytes - std::min(omitted_sent.bytes, server.received_bytes),
                      .omitted = omitted_sent,
                      .digest = sent_digest,
                      .sender = &client,
                      .receiver = &server,
                      .stream_bytes = stream_sent_bytes});
  }
  if (receives) {
    result.push_back(
        {.name = "server_to_client",
         .delivered_bytes = client.received_bytes - std::min(omitted_received.bytes, client.received_bytes),
         .omitted = omitted_received,
         .digest = received_digest,
         .sender = &server,
         .receiver = &client,
         .stream_bytes = stream_received_bytes});
  }
  return result;
}

Json to_json(const PerfReport& report) {
  Json result;
  result["schema"] = "godwit-perf";
  result["schema_version"] = 2;
  result["backend"] = report.client.backend;
  result["cipher"] = report.client.cipher;
  result["build"] = build_to_json();
  result["congestion"] = report.client.congestion;
  result["digest"] = report.digest ? Json(StreamDigest::name()) : Json();
  result["idle"] = report.client.idle;
  result["rate_bits_per_second"] = report.rate ? Json(report.rate->bits_per_second()) : Json();
  Json results = Json::array();
  for (const PerfDirection& direction : report.directions()) results.push_back(direction_to_json(report, direction));
  result["results"] = std::move(results);
  result["ping_pong"] = report.ping_pong ? ping_pong_to_json(*report.ping_pong) : Json();
  Json intervals = Json::array();
  for (const PerfInterval& interval : report.intervals) {
    intervals.push_back(to_json(interval));
  }
  result["intervals"] = std::move(intervals);
  result["client"] = side_to_json(report.client);
  result["server"] = side_to_json(report.server);
  return result;
}

void print_interval(const PerfInterval& interval, bool sends, bool receives) {
  const double seconds = interval.end_seconds - interval.start_seconds;
  const std::string time = fmt::format("{:7.2f}-{:<7.2f} s", interval.start_seconds, interval.end_seconds);
  const auto part = [seconds](std::string_view verb, std::uint64_t bytes) {
    const double rate = seconds > 0 ? static_cast<double>(bytes) * 8 / seconds : 0;
    return fmt::format("  {} {:>10} {:>13}", verb, format_bytes(bytes), format_rate(rate));
  };
  const auto at = [](const std::vector<std::uint64_t>& bytes, std::size_t i) {
    return i < bytes.size() ? bytes[i] : 0;
  };
  const std::size_t streams = std::max(interval.stream_sent_bytes.size(), interval.stream_received_bytes.size());
  for (std::size_t i = 0; i < streams; ++i) {
    std::string line = fmt::format("[{:>3}] {}", i, time);
    if (sends) line += part("sent", at(interval.stream_sent_bytes, i));
    if (receives) line += part("received", at(interval.stream_received_bytes, i));
    print_line(line + (interval.omitted ? "  (omitted)" : ""));
  }
  std::string line = (streams > 0 ? "[SUM] " : "") + time;
  if (sends) line += part("sent", interval.sent_bytes);
  if (receives) line += part("received", interval.received_bytes);
  if (sends) {
    line += fmt::format("  resent {:<5} window {:>10}  rtt {}", interval.retransmitted_packets,
                        format_bytes(interval.window_bytes), format_duration(interval.round_trip));
  }
  print_line(line + (interval.omitted ? "  (omitted)" : ""));
}

namespace {

// A line whose text begins in the column of all the others, and goes on there where a terminal is too narrow for it.
void print_row(const std::string& line) {
  constexpr std::size_t kColumn = 16;
  constexpr std::size_t kLeast = 20;
  const std::size_t width = report::terminal_options(STDOUT_FILENO).width;
  if (width < kColumn + kLeast || report::display_width(line) <= width) return print_line(line);
  std::string begin = line.substr(0, kColumn);
  for (const std::string& part : report::wrap_to_columns(line.substr(kColumn), width - kColumn)) {
    print_line(begin + part);
    begin.assign(kColumn, ' ');
  }
}

}  // namespace

void print_report(const PerfReport& report) {
  print_line(fmt::format("back end {} / {} (client / server), cipher {}, congestion {}", report.client.backend,
                         printable_text(report.server.backend), report.client.cipher, report.client.congestion));
  for (const PerfDirection& direction : report.directions()) {
    const PerfSide& sender = *direction.sender;
    const PerfSide& receiver = *direction.receiver;
    print_line(fmt::format("{}:", direction.name == "client_to_server" ? "client to server" : "server to client"));
    print_row(fmt::format("  goodput       {} at the receiver: {} in {:.2f} s, {} stream{}",
                          format_rate(direction.goodput_bits_per_second()), format_bytes(direction.delivered_bytes),
                          direction.seconds(), report.streams, report.streams == 1 ? "" : "s"));
    for (std::size_t i = 0; direction.stream_bytes.size() > 1 && i < direction.stream_bytes.size(); ++i) {
      print_row(fmt::format("  stream {:<6} {}", i, format_bytes(direction.stream_bytes[i])));
    }
    if (direction.omitted.bytes > 0) {
      print_row(fmt::format("  omitted       {} in the first {:.2f} s", format_bytes(direction.omitted.bytes),
                            direction.omitted.seconds));
    }
    if (sender.cancelled_bytes > 0) {
      print_row(fmt::format("  cancelled     {} that had been handed to the transport when the time was over",
                            format_bytes(sender.cancelled_bytes)));
    }
    if (report.digest) {
      print_row(fmt::format("  digest        {:016x} on both ends ({})", direction.digest, StreamDigest::name()));
    } else {
      print_row("  digest        none (--no-digest): nobody knows what was delivered");
    }
    print_row(fmt::format(
        "  packets       {} sent, {} lost, {} resent ({} of them needlessly), {} received twice; {:.0f} bytes each",
        sender.connection.packets_sent, sender.connection.packets_lost, sender.connection.packets_retransmitted,
        sender.connection.losses_spurious, received_twice(receiver),
        ratio(sender.connection.bytes_sent, sender.connection.packets_sent)));
    print_row(fmt::format(
        "  batching      {:.1f} datagrams a send call, {:.1f} a receive call; {:.4f} acknowledgement packets a packet",
        direction.datagrams_per_send_call(), ratio(receiver.socket.datagrams_received, receiver.socket.receive_calls),
        ratio(receiver.connection.ack_packets_sent * wire::kFragmentPayload, direction.delivered_bytes)));
    print_row(fmt::format("  dropped       {} by the receiver's kernel, {} by the receiver",
                          receiver.socket.kernel_drops, [&receiver] {
                            std::uint64_t sum = 0;
                            for (const auto& [name, count] : receiver.drops) sum += count;
                            return sum;
                          }()));
    print_row(
        fmt::format("  path          round trip {} (least {}), congestion window {}, {}, datagrams of up to {} bytes",
                    format_duration(sender.connection.smoothed_round_trip),
                    format_duration(sender.connection.minimum_round_trip), format_bytes(sender.connection.window_bytes),
                    printable_text(sender.congestion_state), sender.connection.datagram_bytes));
    const auto load = [](const PerfSide& side, double seconds) {
      return seconds > 0 ? 100 * cpu_seconds(side) / seconds : 0;
    };
    print_row(fmt::format("  processor     sender {:.2f} s ({:.0f} %), receiver {:.2f} s ({:.0f} %)",
                          cpu_seconds(sender), load(sender, direction.seconds()), cpu_seconds(receiver),
                          load(receiver, direction.seconds())));
  }
  if (report.client.renewals > 0) print_line(fmt::format("keys renewed {} times", report.client.renewals));
  if (!report.ping_pong) return;
  const PerfPingPong& echo = *report.ping_pong;
  const auto at = [&echo](double percentile) {
    return format_duration(Duration(static_cast<Duration::rep>(echo.latency.percentile(percentile))));
  };
  print_line(fmt::format("ping-pong of {} bytes, {}: {} of {} answered, {:.0f} a second", echo.options.bytes,
                         echo.options.interval           ? "on a schedule"
                         : echo.options.outstanding == 1 ? "one at a time"
                                                         : fmt::format("{} at a time", echo.options.outstanding),
                         echo.answered, echo.sent,
                         static_cast<double>(echo.answered) / std::max(to_seconds(echo.elapsed), 1e-9)));
  print_row(fmt::format("  latency       p50 {}, p99 {}, p99.9 {}, p99.99 {}, largest {}", at(50), at(99), at(99.9),
                        at(99.99), at(100)));
}

}  // namespace godwit::cli
