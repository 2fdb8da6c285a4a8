// godwit-raw: the ceilings of this machine, one line each. See raw_path.h.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "benches/output.h"
#include "benches/raw_path.h"

namespace godwit::bench {
namespace {

// The paths that are named, or all. The ceiling is measured with the packaged cipher as well, so that neither hides
// behind the other.
std::vector<RawConfig> chosen_runs(RawConfig config, const std::vector<std::string>& names) {
  std::vector<RawConfig> runs;
  for (const RawPath path : all_raw_paths()) {
    if (!names.empty() && std::find(names.begin(), names.end(), to_string(path)) == names.end()) continue;
    config.path = path;
    runs.push_back(config);
    if (path != RawPath::kCeiling || config.cipher || preferred_cipher() == packaged_cipher()) continue;
    runs.push_back(config);
    runs.back().cipher = packaged_cipher();
  }
  return runs;
}

}  // namespace
}  // namespace godwit::bench

int main(int argc, char** argv) {
  using namespace godwit;
  CLI::App app("What the kernel and the cipher of this machine allow, without a protocol.");
  bench::RawConfig config;
  std::vector<std::string> names;
  std::string cipher = "auto";
  std::string receiver;
  bool no_digest = false;
  bool json = false;
  app.add_option("paths", names, "ceiling, seal-sendto, udp-gso, udp-sendto, tcp, tls (default: all)");
  app.add_option("-t,--seconds", config.seconds, "time of each")->check(CLI::Range(0.05, 600.0));
  app.add_option("--cipher", cipher,
                 "name of an implementation; auto: the preferred one, and for the ceiling the packaged one as well");
  app.add_option("--receiver", receiver, "ADDR:PORT where the receiver binds (default: loopback)");
  app.add_option("--receiver-namespace", config.receiver_namespace, "network namespace of the receiver");
  app.add_flag("--no-digest", no_digest, "without XXH3 on both sides; marks the result");
  app.add_flag("--json", json, "one JSON object on standard output");
  CLI11_PARSE(app, argc, argv);
  config.digest = !no_digest;
  if (cipher != "auto") {
    const auto kind = parse_cipher_name(cipher);
    if (!kind || !cipher_available(*kind)) {
      bench::put(stderr, "godwit-raw: no cipher '{}' here\n", cipher);
      return 1;
    }
    config.cipher = *kind;
  }
  if (!receiver.empty()) {
    const auto address = SocketAddress::parse(receiver);
    if (!address) {
      bench::put(stderr, "godwit-raw: '{}' is no address\n", receiver);
      return 1;
    }
    config.receiver = *address;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const bench::RawConfig& run : bench::chosen_runs(config, names)) {
    const auto result = bench::run_raw_path(run);
    if (!result) {
      bench::put(stderr, "godwit-raw: {}\n", result.error().message);
      return 1;
    }
    const std::string used(cipher_name(run.cipher.value_or(preferred_cipher())));
    if (!json) {
      bench::put(stdout,
                 "{:<12} {:<12} {:8.2f} Gbit/s  {:7.0f} ns a packet  sender {:5.2f} s  receiver {:5.2f} s  drops {}\n",
                 bench::to_string(run.path), bench::is_sealed(run.path) ? used : "",
                 result->goodput_bits_per_second / 1e9, result->nanoseconds_per_packet, result->sender_cpu_seconds,
                 result->receiver_cpu_seconds, result->kernel_drops);
    }
    list.push_back(
        {{"path", bench::to_string(run.path)},
         {"goodput_bits_per_second", result->goodput_bits_per_second},
         {"nanoseconds_per_packet", result->nanoseconds_per_packet},
         {"delivered_bytes", result->delivered_bytes},
         {"seconds", result->seconds},
         {"digest", run.digest},
         {"cipher", used},
         {"failures", result->failures},
         {"kernel_drops", result->kernel_drops},
         {"cpu_seconds", {{"sender", result->sender_cpu_seconds}, {"receiver", result->receiver_cpu_seconds}}}});
  }
  if (json) bench::put(stdout, "{}\n", nlohmann::json{{"schema", "godwit-raw/1"}, {"results", list}}.dump());
  return bench::finish_output(0);
}
