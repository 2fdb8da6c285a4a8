// Level 2: over a veth pair between two network namespaces, with and without real segmentation: the honest stand-in for
// a network card. Needs root, and says so where there is none.

#include <fmt/format.h>

#include <array>
#include <utility>

#include "benches/perf_cases.h"
#include "benches/suite.h"

namespace godwit::bench {
namespace {

// A quarter of the loss that is injected.
constexpr double kStrayLosses = 0.0025;

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

std::optional<double> goodput_at_loss(Bench& bench, const PerfRunPlan& plan, unsigned permille) {
  if (std::string reason = VethPair::set_loss(permille); !reason.empty()) {
    bench.outcome.skipped = std::move(reason);
    return std::nullopt;
  }
  const auto run = run_perf(bench, plan);
  VethPair::clear_loss();
  if (!run) return std::nullopt;
  const auto& result = run->at("results").at(0);
  const double lost = result.at("lost_packets").get<double>();
  const double sent = result.at("packets_sent").get<double>();
  // On a busy machine the receiver's own buffer may overflow, too: a few packets are no loss that was asked for.
  if (permille > 0 ? lost == 0 : lost > sent * kStrayLosses) {
    bench.outcome.verified = false;
    bench.outcome.proof = fmt::format("{} of {:.0f} packets were lost at a loss of {} in 1000", lost, sent, permille);
    return std::nullopt;
  }
  return goodput_of(*run);
}

void measure_loss(Bench& bench, const PerfRunPlan& plan) {
  std::array<unsigned, 2> permilles{0, 10};
  if (!first_goes_first()) std::swap(permilles[0], permilles[1]);
  std::array<double, 2> goodput{};
  bool verified = true;
  for (const unsigned permille : permilles) {
    const auto reached = goodput_at_loss(bench, plan, permille);
    if (!reached) return;
    verified = verified && bench.outcome.verified;
    goodput[permille == 0 ? 0 : 1] = *reached;
  }
  bench.outcome.verified = verified;
  bench.outcome.value = goodput[1] / goodput[0];
  bench.outcome.metrics = {{"goodput_bits_per_second", goodput[1]}, {"lossless_bits_per_second", goodput[0]}};
}

Case prepared(Case bench_case, bool cut) {
  bench_case.body = [body = std::move(bench_case.body), cut](Bench& bench) {
    if (const std::string reason = VethPair::ensure(cut); !reason.empty()) {
      bench.outcome.skipped = reason;
      return;
    }
    body(bench);
  };
  return bench_case;
}

// Goodput with one datagram in a hundred dropped by the kernel at the receiver's interface, as a share of its own
// without.
Case loss_case(const std::string& controller) {
  return prepared({.name = fmt::format("level2/veth/cut/loss-1-percent/{}", controller),
                   .title = fmt::format("goodput at 1 % random loss as a share of the lossless one, {}", controller),
                   .unit = "ratio",
                   .better = measure::Better::kHigher,
                   .whole = true,
                   .body =
                       [controller](Bench& bench) {
                         bench.whole([&] { measure_loss(bench, through_veth({"--congestion", controller})); });
                       }},
                  true);
}

}  // namespace

void add_level2_veth(Cases& cases) {
  cases.push_back(
      prepared({.name = "level2/veth/cut/transport",
                .title = "one stream over veth, every packet really segmented",
                .unit = "bit/s",
                .better = measure::Better::kHigher,
                .whole = true,
                .body = [](Bench& bench) { bench.whole([&] { static_cast<void>(run_perf(bench, through_veth())); }); }},
               true));
  cases.push_back(
      prepared({.name = "level2/veth/offload/transport",
                .title = "one stream over veth with its own segmentation",
                .unit = "bit/s",
                .better = measure::Better::kHigher,
                .whole = true,
                .body = [](Bench& bench) { bench.whole([&] { static_cast<void>(run_perf(bench, through_veth())); }); }},
               false));
  cases.push_back(loss_case("bbr"));
  cases.push_back(loss_case("cubic"));
  for (const auto& [name, path] :
       {std::pair{"ceiling", RawPath::kCeiling}, std::pair{"tcp", RawPath::kTcp}, std::pair{"tls", RawPath::kTls}}) {
    cases.push_back(prepared(ratio_case(fmt::format("level2/veth/cut/ratio/{}", name),
                                        fmt::format("godwit perf against {} with real segmentation", name),
                                        through_veth(), raw_through_veth(path)),
                             true));
  }
}

}  // namespace godwit::bench
