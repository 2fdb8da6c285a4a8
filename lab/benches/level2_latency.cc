// Level 2: round trips of 64 bytes: the shipped program by idle strategy, beside a bulk stream, and beside it what bare
// UDP and TCP need on the same two cores.

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "benches/perf_cases.h"
#include "benches/suite.h"

namespace godwit::bench {
namespace {

constexpr std::size_t kBytes = 64;
constexpr unsigned kPrecisionBits = 10;  // as `godwit perf --ping-pong` has it

enum class Bare { kUdpBlocking, kUdpPolling, kTcp };

struct BareEnds {
  int client = -1;
  int server = -1;
};

// Two sockets over loopback, connected to each other.
BareEnds open_bare(Bare kind) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  const int type = kind == Bare::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  BareEnds ends;
  const int first = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (first < 0 || bind(first, generic, size) != 0 || getsockname(first, generic, &size) != 0) return ends;
  const int second = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (kind == Bare::kTcp) {
    if (listen(first, 1) != 0 || ::connect(second, generic, size) != 0) return ends;
    ends.server = accept4(first, nullptr, nullptr, SOCK_CLOEXEC);
    close(first);
    const int on = 1;
    setsockopt(second, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(ends.server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  } else {
    if (::connect(second, generic, size) != 0 || getsockname(second, generic, &size) != 0 ||
        ::connect(first, generic, size) != 0)
      return ends;
    ends.server = first;
  }
  ends.client = second;
  return ends;
}

bool receive_all(int descriptor, std::array<std::uint8_t, kBytes>& bytes, bool polling) {
  std::size_t have = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (have < kBytes) {
    const ssize_t count = recv(descriptor, bytes.data() + have, kBytes - have, polling ? MSG_DONTWAIT : 0);
    if (count > 0) {
      have += static_cast<std::size_t>(count);
    } else if (!polling || count == 0 || std::chrono::steady_clock::now() - begin > std::chrono::seconds(2)) {
      return false;
    }
  }
  return true;
}

void pin(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(core), &cores);
  sched_setaffinity(0, sizeof cores, &cores);
}

// Round trips one after another for bench.seconds(); the other end is a process of its own. Fills the outcome; the
// median in ns, or nothing.
std::optional<double> bare_ping(Bench& bench, Bare kind) {
  const bool polling = kind == Bare::kUdpPolling;
  const BareEnds ends = open_bare(kind);
  if (ends.client < 0) {
    bench.outcome.skipped = "no sockets";
    return std::nullopt;
  }
  timeval patience{.tv_sec = 2, .tv_usec = 0};
  setsockopt(ends.client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(ends.server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  // Where both poll at a real-time priority, a child that begins on this processor would never get it.
  cpu_set_t own;
  sched_getaffinity(0, sizeof own, &own);
  pin(0);
  const pid_t echo = fork();
  if (echo > 0) sched_setaffinity(0, sizeof own, &own);
  if (echo == 0) {
    std::array<std::uint8_t, kBytes> bytes{};
    // The first byte of the last one is 255.
    while (receive_all(ends.server, bytes, polling) && bytes[0] != 255)
      static_cast<void>(::send(ends.server, bytes.data(), kBytes, MSG_NOSIGNAL));
    _exit(0);
  }
  measure::Histogram latency(kPrecisionBits);
  std::array<std::uint8_t, kBytes> sent{};
  std::array<std::uint8_t, kBytes> received{};
  bool right = true;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(bench.seconds());
  for (auto now = Clock::now(); now < end && right;) {
    sent[1] = static_cast<std::uint8_t>(sent[1] + 1);
    right = ::send(ends.client, sent.data(), kBytes, MSG_NOSIGNAL) == static_cast<ssize_t>(kBytes) &&
            receive_all(ends.client, received, polling) && received == sent;
    const auto after = Clock::now();
    latency.record(static_cast<std::uint64_t>((after - now).count()));
    now = after;
  }
  sent[0] = 255;
  static_cast<void>(::send(ends.client, sent.data(), kBytes, MSG_NOSIGNAL));
  waitpid(echo, nullptr, 0);
  close(ends.client);
  close(ends.server);
  bench.outcome.verified = right && latency.count() > 0;
  bench.outcome.proof = "each echo came back with its bytes";
  bench.outcome.evidence = {{"answered", static_cast<double>(latency.count())}};
  const auto median = static_cast<double>(latency.percentile(50));
  bench.outcome.value = median;
  bench.outcome.metrics = {{"p99_nanoseconds", static_cast<double>(latency.percentile(99))},
                           {"p99.9_nanoseconds", static_cast<double>(latency.percentile(99.9))}};
  bench.outcome.distribution = std::move(latency);
  bench.outcome.distribution_unit = "ns";
  return median;
}

// The same through the shipped program.
std::optional<double> godwit_ping(Bench& bench, const std::string& idle, bool beside_bulk) {
  cli::PerfPairOptions pair;
  pair.server_program = pair.client_program = cli::sibling_program("godwit");
  pair.seconds = bench.seconds();
  pair.close_packet_seconds = 0.2;
  pair.server_arguments = {"--idle", idle};
  pair.client_arguments = {"--idle", idle, "--ping-pong", "--size", std::to_string(kBytes)};
  if (beside_bulk)
    pair.client_arguments.insert(pair.client_arguments.end(),
                                 {"-P", "1", "--ping-interval", "1ms", "--stream-bytes", "1M"});
  const auto run = cli::run_perf_pair(pair);
  if (!run || !run->at("ping_pong").is_object()) {
    bench.outcome.verified = false;
    bench.outcome.proof = run ? "no latency in the result" : run.error().message;
    return std::nullopt;
  }
  const measure::Json& echo = run->at("ping_pong");
  const measure::Json& latency = echo.at("latency_seconds");
  const double median = latency.at("p50").get<double>() * 1e9;
  bench.outcome.value = median;
  bench.outcome.metrics = {{"p99_nanoseconds", latency.at("p99").get<double>() * 1e9},
                           {"p99.9_nanoseconds", latency.at("p99.9").get<double>() * 1e9}};
  std::vector<std::string> problems;
  bench.outcome.distribution = measure::histogram_from_json(measure::JsonReader(echo.at("histogram"), "", problems));
  bench.outcome.distribution_unit = "ns";
  const auto answered = echo.at("answered").get<double>();
  const auto sent = echo.at("sent").get<double>();
  bench.outcome.evidence = {{"sent", sent}, {"answered", answered}};
  // The last one may be under way when time is up.
  bench.outcome.verified = answered > 0 && answered + (beside_bulk ? 100 : 1) >= sent && problems.empty();
  bench.outcome.proof = "each echo came back";
  return median;
}

Case ping_case(std::string name, std::string title, std::function<void(Bench&)> run) {
  return {.name = "level2/latency/" + std::move(name),
          .title = "round trip of 64 bytes, " + std::move(title),
          .unit = "ns",
          .whole = true,
          .body = [run = std::move(run)](Bench& bench) { bench.whole([&] { run(bench); }); }};
}

Case ratio_case_of(std::string name, std::string title, std::string idle, Bare bare) {
  return {.name = "level2/ratio/latency-" + std::move(name),
          .title = std::move(title),
          .unit = "ratio",
          .better = measure::Better::kLower,
          .whole = true,
          .body = [idle = std::move(idle), bare](Bench& bench) {
            bench.whole([&] {
              std::optional<double> base;
              bool base_right = false;
              const auto run_bare = [&] {
                base = bare_ping(bench, bare);
                base_right = bench.outcome.verified;
              };
              const bool bare_first = first_goes_first();
              if (bare_first) run_bare();
              const auto own = bare_first && !base ? std::nullopt : godwit_ping(bench, idle, false);
              if (!own) return;
              const Outcome own_outcome = bench.outcome;  // the other one writes there as well
              if (!bare_first) run_bare();
              if (!base || *base <= 0) return;
              bench.outcome = own_outcome;
              bench.outcome.value = *own / *base;
              bench.outcome.metrics.emplace_back("nanoseconds", *own);
              bench.outcome.metrics.emplace_back("against_nanoseconds", *base);
              bench.outcome.verified = bench.outcome.verified && base_right;
              bench.outcome.distribution.reset();
            });
          }};
}

}  // namespace

void add_level2_latency(Cases& cases) {
  for (const char* idle : {"block", "spin-block", "spin"}) {
    cases.push_back(ping_case(idle, fmt::format("idle strategy {}", idle),
                              [idle](Bench& bench) { static_cast<void>(godwit_ping(bench, idle, false)); }));
  }
  for (const char* idle : {"block", "spin"}) {
    cases.push_back(ping_case(fmt::format("{}-beside-bulk", idle),
                              fmt::format("idle strategy {}, beside a bulk stream, on a schedule of 1 ms", idle),
                              [idle](Bench& bench) { static_cast<void>(godwit_ping(bench, idle, true)); }));
  }
  cases.push_back(ping_case("bare-udp-blocking", "bare UDP, blocking",
                            [](Bench& bench) { static_cast<void>(bare_ping(bench, Bare::kUdpBlocking)); }));
  cases.push_back(ping_case("bare-udp-polling", "bare UDP, polling",
                            [](Bench& bench) { static_cast<void>(bare_ping(bench, Bare::kUdpPolling)); }));
  cases.push_back(ping_case("bare-tcp", "kernel TCP, blocking",
                            [](Bench& bench) { static_cast<void>(bare_ping(bench, Bare::kTcp)); }));
  cases.push_back(
      ratio_case_of("blocking", "median round trip against bare UDP, both blocking", "block", Bare::kUdpBlocking));
  cases.push_back(
      ratio_case_of("polling", "median round trip against bare UDP, both polling", "spin", Bare::kUdpPolling));
  cases.push_back(ratio_case_of("tcp", "median round trip against kernel TCP, both blocking", "block", Bare::kTcp));
}

}  // namespace godwit::bench
