// Level 2: the whole transport between two processes over loopback, by back end, cipher and buffer; its ratios to the
// ceiling, to its own one-call back end, to TCP and TLS.

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
  for (const CipherKind kind :
       {CipherKind::kOpenssl, CipherKind::kIpsecMb, CipherKind::kBatchAvx2, CipherKind::kBatchAvx512}) {
    const std::string cipher(cipher_name(kind));
    if (kind != CipherKind::kOpenssl && !cipher_available(kind)) continue;
    rows.push_back(
        perf_row(cipher, fmt::format("one stream over loopback, cipher {}", cipher), both({"--cipher", cipher})));
  }
  rows.push_back(
      perf_row("legacy", "one stream over loopback, deployed form of a session", both({"--extended", "off"})));
  rows.push_back(perf_row("extended", "one stream over loopback, extended session", both({"--extended", "require"})));
  for (const int bytes : {1452, 8900}) {
    PerfRunPlan larger = both({"--extended", "require"});
    larger.max_datagram = bytes;
    Row row = perf_row(fmt::format("datagram-{}", bytes),
                       fmt::format("one stream over loopback, extended session, datagrams of {} bytes", bytes), larger);
    row.parameters = {{"datagram", std::to_string(bytes)}};
    rows.push_back(std::move(row));
    rows.push_back(own_ratio_row(fmt::format("datagram-{}", bytes),
                                 fmt::format("datagrams of {} bytes against those of 1200, extended sessions", bytes),
                                 larger, both({"--extended", "require"})));
  }
  rows.push_back(perf_row("copying", "one stream over loopback, every packet copied once more on either side",
                          both({"--copying-cipher"})));
  rows.push_back(perf_row("receipts-1", "one stream over loopback, a packet of acknowledgements for each packet",
                          both({"--receipts-per-packet", "1"})));
  for (const char* size : {"208k", "1m", "4m", "16m"}) {
    PerfRunPlan buffer = both({});
    buffer.server_arguments = {"--receive-buffer", size};
    Row row = perf_row(fmt::format("buffer-{}", size),
                       fmt::format("one stream over loopback, receive buffer of {} asked for", size), buffer);
    row.parameters = {{"buffer", size}};
    rows.push_back(std::move(row));
  }
  PerfRunPlan parallel = both({});
  parallel.client_arguments = {"-P", "8"};
  rows.push_back(perf_row("streams-8", "eight streams over loopback", parallel));

  rows.push_back(ratio_row("level2/ratio/ceiling", "godwit perf against the ceiling of the same minute", both({}),
                           {.path = RawPath::kCeiling}));
  rows.push_back(ratio_row("level2/ratio/ceiling-packaged",
                           "godwit perf against the ceiling of the same minute with the packaged cipher", both({}),
                           {.path = RawPath::kCeiling, .cipher = packaged_cipher()}));
  rows.push_back(ratio_row("level2/ratio/tcp", "godwit perf against kernel TCP in plaintext, segments of 1200 bytes",
                           both({}), {.path = RawPath::kTcp}));
  rows.push_back(
      ratio_row("level2/ratio/tls", "godwit perf against TLS 1.3 over TCP", both({}), {.path = RawPath::kTls}));
  rows.push_back(ratio_row("level2/ratio/sendto-floor", "godwit perf by sendto against a bare seal, send and open",
                           both({"--backend", "sendto"}), {.path = RawPath::kSealSendto}));
  rows.push_back(own_ratio_row("sendto", "godwit perf against its own one-call back end", both({}),
                               both({"--backend", "sendto"})));
}

}  // namespace godwit::bench
