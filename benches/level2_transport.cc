// Level 2: the whole transport between two processes over loopback, by back end, cipher and buffer; its ratios to the
// ceiling, to its own one-call back end, to TCP and TLS; latency.

#include <fmt/format.h>

#include "benches/perf_rows.h"
#include "benches/suite.h"

namespace godwit::bench {
namespace {

Row perf_row(std::string name, std::string title, PerfRunPlan plan) {
  return {.name = "level2/transport/" + name,
          .title = std::move(title),
          .unit = "bit/s",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [plan = std::move(plan)](Bench& bench) {
            bench.whole([&] { static_cast<void>(run_perf(bench, plan)); });
          }};
}

PerfRunPlan both(std::vector<std::string> arguments) {
  return {.server_arguments = arguments, .client_arguments = std::move(arguments)};
}

// Two runs of the shipped program, in random order; the ratio of their goodput.
Row own_ratio_row(std::string name, std::string title, PerfRunPlan plan, PerfRunPlan against) {
  return {.name = "level2/ratio/" + name,
          .title = std::move(title),
          .unit = "ratio",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [plan = std::move(plan), against = std::move(against)](Bench& bench) {
            bench.whole([&] {
              const auto other = run_perf(bench, against);
              if (!other) return;
              const double base = goodput_of(*other);
              const auto run = run_perf(bench, plan);
              if (!run || base <= 0) return;
              bench.outcome.value = goodput_of(*run) / base;
              bench.outcome.metrics.emplace_back("against_bits_per_second", base);
            });
          }};
}

Row ping_pong_row(std::string idle, bool beside_bulk) {
  return {.name = fmt::format("level2/latency/{}{}", idle, beside_bulk ? "-beside-bulk" : ""),
          .title = fmt::format("round trip of 64 bytes, idle strategy {}{}", idle,
                               beside_bulk ? ", beside a bulk stream, on a schedule" : ""),
          .unit = "ns",
          .whole = true,
          .body = [idle, beside_bulk](Bench& bench) {
            bench.whole([&] {
              PerfRunPlan plan = both({"--idle", idle});
              plan.client_arguments.insert(plan.client_arguments.end(), {"--ping-pong", "--size", "64"});
              if (beside_bulk)
                plan.client_arguments.insert(plan.client_arguments.end(), {"-P", "1", "--interval", "1ms"});
              cli::PerfPairOptions pair;
              pair.server_program = pair.client_program = cli::sibling_program("godwit");
              pair.seconds = bench.seconds();
              pair.server_arguments = plan.server_arguments;
              pair.client_arguments = plan.client_arguments;
              const auto run = cli::run_perf_pair(pair);
              if (!run || !run->at("ping_pong").is_object()) {
                bench.outcome.skipped = run ? "no latency in the result" : run.error().message;
                return;
              }
              const measure::Json& echo = run->at("ping_pong");
              const measure::Json& latency = echo.at("latency_seconds");
              bench.outcome.value = latency.at("p50").get<double>() * 1e9;
              bench.outcome.metrics = {{"p99_nanoseconds", latency.at("p99").get<double>() * 1e9},
                                       {"p99.9_nanoseconds", latency.at("p99.9").get<double>() * 1e9}};
              std::vector<std::string> problems;
              bench.outcome.distribution =
                  measure::histogram_from_json(measure::JsonReader(echo.at("histogram"), "", problems));
              bench.outcome.distribution_unit = "ns";
              const auto answered = echo.at("answered").get<double>();
              bench.outcome.evidence = {{"sent", echo.at("sent").get<double>()}, {"answered", answered}};
              bench.outcome.verified = answered > 0;
              bench.outcome.proof = "each echo came back";
            });
          }};
}

}  // namespace

void add_level2_transport(Rows& rows) {
  for (const char* kind : {"sendto", "mmsg", "gso", "uring"}) {
    rows.push_back(
        perf_row(kind, fmt::format("one stream over loopback, back end {}", kind), both({"--backend", kind})));
  }
  PerfRunPlan connected = both({"--backend", "sendto"});
  connected.client_arguments = {"--backend", "connected"};
  rows.push_back(perf_row("connected", "one stream over loopback, the client's socket connected", connected));
  PerfRunPlan without = both({"--backend", "gso"});
  without.server_arguments = {"--backend", "mmsg"};
  rows.push_back(
      perf_row("gso-without-gro", "one stream over loopback, segmentation offload at the sender only", without));
  for (const char* cipher : {"openssl", "ipsec-mb"}) {
    rows.push_back(
        perf_row(cipher, fmt::format("one stream over loopback, cipher {}", cipher), both({"--cipher", cipher})));
  }
  PerfRunPlan small_buffer = both({});
  small_buffer.server_arguments = {"--receive-buffer", "208k"};
  rows.push_back(perf_row("buffer-208k", "one stream over loopback, receive buffer of 208 KiB as the system's default",
                          small_buffer));
  PerfRunPlan parallel = both({});
  parallel.client_arguments = {"-P", "8"};
  rows.push_back(perf_row("streams-8", "eight streams over loopback", parallel));
  PerfRunPlan bidirectional = both({});
  bidirectional.client_arguments = {"--bidir"};
  rows.push_back(perf_row("bidirectional", "both directions at once; the figure is the client's", bidirectional));

  rows.push_back(ratio_row("level2/ratio/ceiling", "godwit perf against the ceiling of the same minute", both({}),
                           {.path = RawPath::kCeiling}));
  rows.push_back(ratio_row("level2/ratio/tcp", "godwit perf against kernel TCP in plaintext, segments of 1200 bytes",
                           both({}), {.path = RawPath::kTcp}));
  rows.push_back(
      ratio_row("level2/ratio/tls", "godwit perf against TLS 1.3 over TCP", both({}), {.path = RawPath::kTls}));
  rows.push_back(ratio_row("level2/ratio/sendto-floor", "godwit perf by sendto against a bare seal, send and open",
                           both({"--backend", "sendto"}), {.path = RawPath::kSealSendto}));
  rows.push_back(own_ratio_row("sendto", "godwit perf against its own one-call back end", both({}),
                               both({"--backend", "sendto"})));

  for (const char* idle : {"block", "spin-block", "spin"}) rows.push_back(ping_pong_row(idle, false));
  rows.push_back(ping_pong_row("block", true));
}

}  // namespace godwit::bench
