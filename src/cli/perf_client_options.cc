#include "cli/perf_client_options.h"

#include <algorithm>
#include <memory>

#include "cli/json_output.h"
#include "cli/type_of_service.h"
#include "cli/values.h"
#include "transfer/credit_window.h"

namespace godwit::cli {
namespace {

// A stream sent at a given rate lasts this long at most, so that the finish after the last second is short.
constexpr double kLongestStreamSeconds = 0.25;
constexpr std::uint64_t kLeastStreamBytes = std::uint64_t{16} << 10;
constexpr double kLongestRun = 86'400;
constexpr double kLeastInterval = 0.01;
constexpr double kLongestInterval = 3600;
// How often the server says what it has received: often enough for every interval's figures.
constexpr double kMostProgressSeconds = 0.1;
constexpr double kLeastProgressSeconds = 0.01;

// The first of the given options that would change nothing.
std::optional<std::string> ignored_option(const PerfClientOptions& options) {
  struct Rule {
    const char* option;
    bool matters;
    const char* needs;
  };
  const Rule rules[] = {
      {"--size", options.ping_pong, "--ping-pong"},
      {"--outstanding", options.ping_pong, "--ping-pong"},
      {"--ping-interval", options.ping_pong, "--ping-pong"},
      {"--stream-bytes", options.bulk(), "bulk data: -P with --ping-pong"},
      {"--no-digest", options.bulk(), "bulk data: -P with --ping-pong"},
      {"--interval", options.bulk(), "bulk data: -P with --ping-pong"},
      {"--omit", options.bulk(), "bulk data: -P with --ping-pong"},
      {"--working-set", options.sends(), "a client that sends; give it to the server"},
      {"--window", options.receives(), "a client that receives (-R, --bidir); give it to the server"},
      {"--fault-seed",
       options.given("--drop") || options.given("--reorder") || options.given("--duplicate") ||
           options.given("--corrupt") || options.given("--delay"),
       "a fault to inject, such as --drop"},
  };
  for (const Rule& rule : rules) {
    if (options.given(rule.option) && !rule.matters) return std::string(rule.option) + " needs " + rule.needs;
  }
  return std::nullopt;
}

}  // namespace

double PerfClientOptions::interval_seconds() const {
  return to_seconds(*parse_duration(interval));
}

void add_perf_client_options(CLI::App& command, PerfClientOptions& options) {
  options.command = &command;
  add_peer_options(command, options.peer);
  CLI::Option* const time = command.add_option("-t,--time", options.seconds, "seconds to send for; 0: until Ctrl-C")
                                ->check(check_seconds(0, kLongestRun))
                                ->capture_default_str();
  CLI::Option* const bytes =
      command.add_option("-n,--bytes", options.target, "send so many bytes a direction instead of for a time")
          ->check(check_positive_size())
          ->type_name("SIZE")
          ->excludes(time);
  command.add_option("-O,--omit", options.omit_seconds, "seconds at the start that do not count, before those of -t")
      ->check(check_seconds(0, 600))
      ->excludes(bytes);
  command.add_option("-P,--parallel", options.streams, "streams a direction")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command.add_flag("-R,--reverse", options.reverse, "the server sends");
  command.add_flag("--bidir", options.bidirectional, "both send at once")->excludes("--reverse");
  command
      .add_option("-i,--interval", options.interval, "time between reports on the way, in seconds or as 50ms; 0: none")
      ->check(check_duration())
      ->type_name("TIME")
      ->capture_default_str();
  command
      .add_option("--stream-bytes", options.stream_bytes, "length of the streams that follow one another, up to 16M")
      ->check(check_positive_size())
      ->type_name("SIZE")
      ->capture_default_str();
  command.add_option("--working-set", options.working_set, "bytes that data is sent from: more than the caches hold")
      ->check(check_positive_size())
      ->type_name("SIZE")
      ->capture_default_str();
  command.add_flag("--no-digest", options.no_digest, "do not compare what was sent and received: for profiling only");
  command.add_flag("--ping-pong", options.ping_pong,
                   "measure the latency of short messages and their replies; beside bulk data when -P is given");
  command.add_option("--size", options.size, "bytes of a ping-pong message")
      ->check(check_message_size())
      ->capture_default_str();
  CLI::Option* const outstanding =
      command.add_option("--outstanding", options.outstanding, "ping-pong messages under way at any time")
          ->check(CLI::Range(1, 4096))
          ->capture_default_str();
  command
      .add_option("--ping-interval", options.ping_interval, "ping-pong on a schedule, whatever the answers do (1ms)")
      ->check(check_duration())
      ->type_name("TIME")
      ->excludes(outstanding);
  add_output_options(command, options.output);
  command.add_flag("--json-stream", options.json_stream, "print one JSON object a line: start, each interval, end")
      ->excludes("--json");
  add_process_options(command, options.process);
  add_type_of_service_option(command, options.type_of_service);
  add_network_options(command, options.network);
}

Status check_perf_client_options(const PerfClientOptions& options) {
  const auto refuse = [](const std::string& why) -> Status { return failure(ErrorCode::kInvalidArgument, why); };
  if (const auto ignored = ignored_option(options)) return refuse(*ignored);
  if (*parse_size(options.stream_bytes) > kDataStreamBytes) return refuse("--stream-bytes is 16M at most");
  if (options.ping_pong && parse_duration(options.ping_interval) == Duration::zero()) {
    return refuse("--ping-interval is more than 0; --outstanding keeps messages under way without a pause");
  }
  if (options.seconds > 0 && options.seconds < 0.001) return refuse("--time is 0 or at least 0.001 seconds");
  const double interval = options.interval_seconds();
  if (interval > 0 && interval < kLeastInterval) return refuse("--interval is 0 or at least 0.01 seconds");
  if (interval > kLongestInterval) return refuse("--interval is 3600 seconds at most");
  if (options.network.congestion == "fixed" && options.network.rate.empty()) {
    return refuse("--congestion fixed needs --rate");
  }
  return {};
}

PerfClient::Options make_perf_client(const PerfClientOptions& options, const OpenedNode& opened) {
  PerfClient::Options client{.addresses = opened.addresses, .server_key = opened.peer_key};
  PerfRun::Options& run = client.run;
  run.sends = options.sends();
  run.receives = options.receives();
  run.plan.streams = options.bulk() ? options.streams : std::uint16_t{0};
  run.plan.duration = options.seconds > 0 ? from_seconds(options.seconds + options.omit_seconds) : Duration::zero();
  run.plan.target_bytes = parse_size(options.target).value_or(0);
  run.plan.digest = !options.no_digest;
  run.plan.stream_bytes = *parse_size(options.stream_bytes);
  run.rate = options.network.rate_limit();
  if (run.rate) {
    const double bytes = static_cast<double>(run.rate->bytes_per_second()) * kLongestStreamSeconds /
                         std::max<double>(options.streams, 1);
    run.plan.stream_bytes =
        std::min(run.plan.stream_bytes, std::max(kLeastStreamBytes, static_cast<std::uint64_t>(bytes)));
  }
  // The server's own choice stands unless the client asks for another.
  if (options.given("--congestion")) {
    run.congestion = options.network.congestion_kind();
  }
  const double interval = options.interval_seconds();
  const double progress = interval > 0 ? interval / 10 : kMostProgressSeconds;
  run.progress_interval = from_seconds(std::clamp(progress, kLeastProgressSeconds, kMostProgressSeconds));
  const std::size_t buffer = opened.node->backend().socket().receive_buffer_bytes();
  run.window = options.network.window_bytes().value_or(credit_window(buffer, options.streams));
  grant_windows(*opened.node, options.network, 1, false);
  if (run.sends) {
    run.bytes = std::make_shared<const WorkingSet>(static_cast<std::size_t>(*parse_size(options.working_set)),
                                                   opened.node->random());
  }
  if (options.ping_pong) {
    client.ping_pong = PingPong::Options{
        .bytes = options.size, .interval = parse_duration(options.ping_interval), .outstanding = options.outstanding};
    // Until Ctrl-C: longer than anybody waits.
    client.ping_pong_for = options.seconds > 0 ? run.plan.duration : from_seconds(10 * kLongestRun);
  }
  return client;
}

}  // namespace godwit::cli
