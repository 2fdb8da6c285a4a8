// Level 2: over a veth pair between two network namespaces, with and without real segmentation: the honest stand-in for
// a network card. Needs root, and says so where there is none.

#include <fmt/format.h>

#include "benches/perf_rows.h"
#include "benches/suite.h"

namespace godwit::bench {
namespace {

PerfRunPlan through_veth(std::vector<std::string> arguments = {}) {
  return {.server_arguments = arguments,
          .client_arguments = std::move(arguments),
          .bind = std::string(VethPair::kReceiverAddress) + ":0",
          .server_prefix = {"ip", "netns", "exec", VethPair::kReceiverNamespace}};
}

RawConfig raw_through_veth(RawPath path) {
  RawConfig raw{.path = path};
  raw.receiver = *SocketAddress::parse(std::string(VethPair::kReceiverAddress) + ":0");
  raw.receiver_namespace = VethPair::kReceiverNamespace;
  return raw;
}

Row prepared(Row row, bool cut) {
  row.body = [body = std::move(row.body), cut](Bench& bench) {
    if (const std::string reason = VethPair::ensure(cut); !reason.empty()) {
      bench.outcome.skipped = reason;
      return;
    }
    body(bench);
  };
  return row;
}

}  // namespace

void add_level2_veth(Rows& rows) {
  rows.push_back(
      prepared({.name = "level2/veth/cut/transport",
                .title = "one stream over veth, every packet really segmented",
                .unit = "bit/s",
                .better = measure::Better::kHigher,
                .whole = true,
                .body = [](Bench& bench) { bench.whole([&] { static_cast<void>(run_perf(bench, through_veth())); }); }},
               true));
  rows.push_back(
      prepared({.name = "level2/veth/offload/transport",
                .title = "one stream over veth with its own segmentation",
                .unit = "bit/s",
                .better = measure::Better::kHigher,
                .whole = true,
                .body = [](Bench& bench) { bench.whole([&] { static_cast<void>(run_perf(bench, through_veth())); }); }},
               false));
  for (const auto& [name, path] :
       {std::pair{"ceiling", RawPath::kCeiling}, std::pair{"tcp", RawPath::kTcp}, std::pair{"tls", RawPath::kTls}}) {
    rows.push_back(prepared(ratio_row(fmt::format("level2/veth/cut/ratio/{}", name),
                                      fmt::format("godwit perf against {} with real segmentation", name),
                                      through_veth(), raw_through_veth(path)),
                            true));
  }
}

}  // namespace godwit::bench
