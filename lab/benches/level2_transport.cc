// Level 2: the whole transport between two processes over loopback, by back end, cipher and buffer; its ratios to the
// ceiling, to its own one-call back end, to TCP and TLS.

#include <fmt/format.h>

#include <string>
#include <thread>
#include <utility>

#include "benches/perf_cases.h"
#include "benches/suite.h"

namespace godwit::bench {
namespace {

Case perf_case(std::string name, std::string title, PerfRunPlan plan) {
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
Case own_ratio_case(std::string name, std::string title, PerfRunPlan plan, PerfRunPlan against) {
  return {.name = "level2/ratio/" + name,
          .title = std::move(title),
          .unit = "ratio",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [plan = std::move(plan), against = std::move(against)](Bench& bench) {
            bench.whole([&] {
              const bool other_first = first_goes_first();
              std::optional<measure::Json> other;
              if (other_first) other = run_perf(bench, against);
              const auto run = run_perf(bench, plan);
              if (!other_first) other = run_perf(bench, against);
              if (!run || !other) return;
              const double base = goodput_of(*other);
              if (base <= 0) return;
              bench.outcome.value = goodput_of(*run) / base;
              bench.outcome.metrics.emplace_back("against_bits_per_second", base);
            });
          }};
}

// The sender with several threads (docs/adr/0017-one-connection-on-several-cores.md) against itself with one. Two on
// every machine, for what they cost where there are no processors for them; more where these have one each.
void add_threads(Cases& cases) {
  PerfRunPlan one = both({"--extended", "require"});
  one.pinned = false;
  for (const unsigned threads : {2U, 3U, 4U}) {
    if (threads > 2 && std::thread::hardware_concurrency() < threads + 1) continue;
    PerfRunPlan several = one;
    several.client_arguments.insert(several.client_arguments.end(), {"--threads", std::to_string(threads)});
    Case bench_case = perf_case(fmt::format("threads-{}", threads),
                                fmt::format("one stream over loopback, {} threads seal and send", threads), several);
    bench_case.parameters = {{"threads", std::to_string(threads)}};
    cases.push_back(std::move(bench_case));
    cases.push_back(own_ratio_case(fmt::format("threads-{}", threads),
                                   fmt::format("{} threads that seal and send against one", threads), several, one));
  }
}

}  // namespace

void add_level2_transport(Cases& cases) {
  for (const char* kind : {"sendto", "mmsg", "gso", "uring"}) {
    cases.push_back(
        perf_case(kind, fmt::format("one stream over loopback, back end {}", kind), both({"--backend", kind})));
  }
  PerfRunPlan connected = both({"--backend", "sendto"});
  connected.client_arguments = {"--backend", "connected"};
  cases.push_back(perf_case("connected", "one stream over loopback, the client's socket connected", connected));
  PerfRunPlan without = both({"--backend", "gso"});
  without.server_arguments = {"--backend", "mmsg"};
  cases.push_back(
      perf_case("gso-without-gro", "one stream over loopback, segmentation offload at the sender only", without));
  for (const CipherKind kind :
       {CipherKind::kOpenssl, CipherKind::kIpsecMb, CipherKind::kBatchAvx2, CipherKind::kBatchAvx512}) {
    const std::string cipher(cipher_name(kind));
    if (kind != CipherKind::kOpenssl && !cipher_available(kind)) continue;
    cases.push_back(
        perf_case(cipher, fmt::format("one stream over loopback, cipher {}", cipher), both({"--cipher", cipher})));
  }
  cases.push_back(
      perf_case("legacy", "one stream over loopback, deployed form of a session", both({"--extended", "off"})));
  cases.push_back(perf_case("extended", "one stream over loopback, extended session", both({"--extended", "require"})));
  for (const int bytes : {1452, 8900}) {
    PerfRunPlan larger = both({"--extended", "require"});
    larger.max_datagram = bytes;
    Case bench_case =
        perf_case(fmt::format("datagram-{}", bytes),
                  fmt::format("one stream over loopback, extended session, datagrams of {} bytes", bytes), larger);
    bench_case.parameters = {{"datagram", std::to_string(bytes)}};
    cases.push_back(std::move(bench_case));
    cases.push_back(own_ratio_case(fmt::format("datagram-{}", bytes),
                                   fmt::format("datagrams of {} bytes against those of 1200, extended sessions", bytes),
                                   larger, both({"--extended", "require"})));
  }
  cases.push_back(perf_case("copying", "one stream over loopback, every packet copied once more on either side",
                            both({"--copying-cipher"})));
  cases.push_back(perf_case("acks-1", "one stream over loopback, a packet of acknowledgements for each packet",
                            both({"--acks-per-packet", "1"})));
  for (const char* size : {"208k", "1m", "4m", "16m"}) {
    PerfRunPlan buffer = both({});
    buffer.server_arguments = {"--receive-buffer", size};
    Case bench_case = perf_case(fmt::format("buffer-{}", size),
                                fmt::format("one stream over loopback, receive buffer of {} asked for", size), buffer);
    bench_case.parameters = {{"buffer", size}};
    cases.push_back(std::move(bench_case));
  }
  PerfRunPlan parallel = both({});
  parallel.client_arguments = {"-P", "8"};
  cases.push_back(perf_case("streams-8", "eight streams over loopback", parallel));
  add_threads(cases);

  cases.push_back(ratio_case("level2/ratio/ceiling", "godwit perf against the ceiling of the same minute", both({}),
                             {.path = RawPath::kCeiling}));
  cases.push_back(ratio_case("level2/ratio/ceiling-packaged",
                             "godwit perf against the ceiling of the same minute with the packaged cipher", both({}),
                             {.path = RawPath::kCeiling, .cipher = packaged_cipher()}));
  cases.push_back(ratio_case("level2/ratio/tcp", "godwit perf against kernel TCP in plaintext, segments of 1200 bytes",
                             both({}), {.path = RawPath::kTcp}));
  cases.push_back(
      ratio_case("level2/ratio/tls", "godwit perf against TLS 1.3 over TCP", both({}), {.path = RawPath::kTls}));
  cases.push_back(ratio_case("level2/ratio/sendto-bare", "godwit perf by sendto against a bare seal, send and open",
                             both({"--backend", "sendto"}), {.path = RawPath::kSealSendto}));
  cases.push_back(own_ratio_case("sendto", "godwit perf against its own one-call back end", both({}),
                                 both({"--backend", "sendto"})));
}

}  // namespace godwit::bench
