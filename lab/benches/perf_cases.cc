#include "benches/perf_cases.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>

namespace godwit::bench {
namespace {
constexpr const char* kCipherVariable = "GODWIT_BENCH_CIPHER";
}  // namespace

void choose_cipher(CipherKind kind) {
  setenv(kCipherVariable, std::string(cipher_name(kind)).c_str(), 1);
}

CipherKind chosen_cipher() {
  const char* const name = std::getenv(kCipherVariable);
  return name == nullptr ? preferred_cipher() : parse_cipher_name(name).value_or(preferred_cipher());
}

bool first_goes_first() {
  static std::mt19937_64 order(std::random_device{}());
  return (order() & 1U) != 0;
}

double goodput_of(const measure::Json& run) {
  return measure::number_or_zero(run.at("results").at(0), "goodput_bits_per_second");
}

std::optional<measure::Json> run_perf(Bench& bench, const PerfRunPlan& plan) {
  cli::PerfPairOptions pair;
  pair.server_program = pair.client_program = cli::sibling_program("godwit");
  if (pair.server_program.empty()) {
    bench.outcome.skipped = "there is no godwit beside transport_perf";
    return std::nullopt;
  }
  pair.seconds = plan.seconds > 0 ? plan.seconds : bench.seconds();
  pair.server_arguments = plan.server_arguments;
  pair.client_arguments = plan.client_arguments;
  for (std::vector<std::string>* arguments : {&pair.server_arguments, &pair.client_arguments}) {
    // An option that stands twice is refused.
    if (std::ranges::find(*arguments, "--cipher") != arguments->end()) continue;
    arguments->insert(arguments->end(), {"--cipher", std::string(cipher_name(chosen_cipher()))});
  }
  pair.bind = plan.bind;
  pair.max_datagram = plan.max_datagram;
  if (!plan.pinned) pair.sender_core = pair.receiver_core = -1;
  pair.server_prefix = plan.server_prefix;
  // Where the client's close packet is delayed or dropped, the server would wait for its idle time-out.
  pair.close_packet_seconds = 0.2;
  auto run = cli::run_perf_pair(pair);
  if (!run) {
    bench.outcome.verified = false;  // whatever ran before in this case; a run that fails is no skipped one
    bench.outcome.proof = "godwit perf: " + run.error().message;
    return std::nullopt;
  }
  const measure::Json& result = run->at("results").at(0);
  const double packets = measure::number_or_zero(result, "packets_sent");
  const double bytes = measure::number_or_zero(result, "delivered_bytes");
  const measure::Json& cpu = result.at("cpu_seconds");
  bench.outcome.value = goodput_of(*run);
  bench.outcome.verified = bytes > 0 && result.at("digest_match").is_boolean() && result.at("digest_match").get<bool>();
  bench.outcome.proof = "byte count and XXH3 of both processes agree";
  bench.outcome.metrics = {
      {"datagrams_per_send_call", measure::number_or_zero(result, "datagrams_per_send_call")},
      {"datagrams_per_receive_call", measure::number_or_zero(result, "datagrams_per_receive_call")},
      {"system_calls_per_packet", packets > 0 ? (measure::number_or_zero(result, "send_calls") +
                                                 measure::number_or_zero(result, "receive_calls")) /
                                                    packets
                                              : 0},
      {"ack_packets_per_packet", measure::number_or_zero(result, "ack_packets_per_delivered_packet")},
      {"cpu_seconds_per_gigabyte",
       bytes > 0 ? (measure::number_or_zero(cpu, "sender") + measure::number_or_zero(cpu, "receiver")) / bytes * 1e9
                 : 0}};
  bench.outcome.evidence = {{"delivered_bytes", bytes},
                            {"retransmissions", measure::number_or_zero(result, "retransmitted_packets")},
                            {"drops", measure::number_or_zero(result.at("kernel_drops"), "receiver")}};
  return std::move(*run);
}

std::optional<RawResult> run_raw(Bench& bench, RawConfig config) {
  config.seconds = bench.seconds();
  if (!config.cipher) config.cipher = chosen_cipher();
  auto result = run_raw_path(config);
  if (!result) {
    bench.outcome.verified = false;
    bench.outcome.proof = result.error().message;
    return std::nullopt;
  }
  return *result;
}

Case ratio_case(std::string name, std::string title, PerfRunPlan plan, RawConfig raw) {
  return {.name = std::move(name),
          .title = std::move(title),
          .unit = "ratio",
          .better = measure::Better::kHigher,
          .whole = true,
          .body = [plan = std::move(plan), raw](Bench& bench) {
            bench.whole([&] {
              const bool raw_first = first_goes_first();
              std::optional<RawResult> ceiling;
              if (raw_first) ceiling = run_raw(bench, raw);
              const auto run = run_perf(bench, plan);
              if (!raw_first) ceiling = run_raw(bench, raw);
              if (!run || !ceiling) return;
              const double goodput = goodput_of(*run);
              bench.outcome.value = goodput / ceiling->goodput_bits_per_second;
              bench.outcome.metrics.emplace_back("goodput_bits_per_second", goodput);
              bench.outcome.metrics.emplace_back("against_bits_per_second", ceiling->goodput_bits_per_second);
              bench.outcome.verified = bench.outcome.verified && ceiling->failures == 0;
              bench.outcome.proof += "; every tag of the other side verified";
            });
          }};
}

namespace {
bool shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}
}  // namespace

std::string VethPair::ensure(bool cut) {
  if (geteuid() != 0) return "needs root, for two network namespaces";
  const std::string space = kReceiverNamespace;
  if (!shell("ip netns exec " + space + " true")) {
    const bool made =
        shell("ip netns add " + space) && shell("ip link add gwbench0 type veth peer name gwbench1 netns " + space) &&
        shell(fmt::format("ip address add {}/24 dev gwbench0", kSenderAddress)) && shell("ip link set gwbench0 up") &&
        shell(fmt::format("ip netns exec {} ip address add {}/24 dev gwbench1", space, kReceiverAddress)) &&
        shell("ip netns exec " + space + " ip link set gwbench1 up") &&
        shell("ip netns exec " + space + " ip link set lo up");
    if (!made) {
      remove();
      return "the network namespace or its veth pair could not be made";
    }
  }
  if (!shell(fmt::format("ethtool -K gwbench0 tx-udp-segmentation {}", cut ? "off" : "on"))) {
    return "ethtool cannot switch tx-udp-segmentation of a veth interface here";
  }
  // TCP is cut alike: otherwise its super-packets cross whole, and the comparison is with another path.
  shell(fmt::format("ethtool -K gwbench0 tx-tcp-segmentation {}", cut ? "off" : "on"));
  // Receive offload has to be asked for on a veth interface: NAPI on, so that what was cut can be merged.
  shell(fmt::format("ip netns exec {} ethtool -K gwbench1 gro on", kReceiverNamespace));
  return {};
}

std::string VethPair::set_loss(unsigned permille) {
  clear_loss();
  // Receive offload would make one decision for a whole merged batch.
  shell(fmt::format("ip netns exec {} ethtool -K gwbench1 gro off", kReceiverNamespace));
  // Numbers go to 999.
  const std::string strikes = permille == 0 ? std::string("> 999") : fmt::format("< {}", permille);
  const bool made = shell(fmt::format(
      "ip netns exec {} nft 'table netdev godwit_loss {{ chain ingress {{ type filter hook ingress device gwbench1 "
      "priority 0; policy accept; meta length > 200 numgen random mod 1000 {} drop; }}; }}'",
      kReceiverNamespace, strikes));
  return made ? std::string() : "nft cannot drop packets at random here";
}

void VethPair::clear_loss() {
  shell(fmt::format("ip netns exec {} nft delete table netdev godwit_loss", kReceiverNamespace));
  shell(fmt::format("ip netns exec {} ethtool -K gwbench1 gro on", kReceiverNamespace));
}

void VethPair::remove() {
  shell("ip link delete gwbench0");
  shell(fmt::format("ip netns delete {}", kReceiverNamespace));
}

}  // namespace godwit::bench
