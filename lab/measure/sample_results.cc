#include "measure/sample_results.h"

#include <cmath>

#include "base/random.h"

namespace godwit::measure {

namespace {

using trace::CostStep;

class Sampler {
 public:
  Sampler(std::uint64_t seed, double speed) : random_(seed), speed_(speed) {}

  // Sum of uniforms: close enough to what a quiet machine shows.
  double noise(double deviation) {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += random_.unit();
    return 1 + deviation * (sum - 6);
  }
  double time(double nanoseconds) { return nanoseconds * speed_; }
  Interval interval(double value, double deviation) {
    std::vector<double> samples(20);
    for (double& sample : samples) sample = value * noise(deviation);
    return bootstrap_median(samples);
  }
  BenchmarkResult bench_case(int level, const std::string& rest, const std::string& title, double nanoseconds,
                             double deviation) {
    BenchmarkResult result;
    result.name = "level" + std::to_string(level) + "/" + rest;
    result.level = level;
    result.title = title;
    result.unit = "ns";
    for (int i = 0; i < 20; ++i) result.samples.push_back(time(nanoseconds) * noise(deviation));
    summarize_samples(result);
    result.metrics = {{"packets_per_second", 1e9 / result.summary.median.estimate}};
    result.counts = {{"allocations", 0}};
    result.verified = true;
    result.proof = "the bytes came out as they went in";
    result.noise_threshold = NoiseThreshold{.relative = deviation * 1.5, .absolute = 0.5, .pairs = 20};
    return result;
  }
  RandomSource& random() { return random_; }

 private:
  DeterministicRandom random_;
  double speed_;
};

Fingerprint sample_fingerprint() {
  Fingerprint f;
  f.architecture = "x86_64";
  f.processor = "AMD EPYC";
  f.processor_id = "AuthenticAMD 25.1.1";
  f.microcode = "0xa0011d5";
  f.features = {"aes", "avx2", "constant_tsc", "hypervisor", "nonstop_tsc", "pclmulqdq", "vaes", "vpclmulqdq"};
  f.processors = 2;
  f.smt = "off";
  f.governor = f.turbo = "unknown";
  f.virtualization = "kvm";
  f.memory_bytes = std::uint64_t{8} << 30U;
  f.kernel = "6.18.44";
  f.distribution = "Debian GNU/Linux 12 (bookworm)";
  f.compiler = "GNU 12.2.0";
  f.flags = "-O3 -DNDEBUG";
  f.build_type = "Release";
  f.instruction_set = "x86-64";
  f.commit = "0123456789ab";
  f.libraries = {{"openssl", "3.0.22"}, {"fmt", "9.1.0"}};
  f.cipher = "openssl";
  return f;
}

EnvironmentReport sample_environment() {
  Findings findings;
  findings.ok("cpu.model", "AMD EPYC (AuthenticAMD 25.1.1), microcode 0xa0011d5");
  findings.costs("cpu.virtualization", "kvm",
                 "neighbours move single timings by up to 30 %; only interleaved ratios count",
                 "a machine of one's own");
  findings.unknown("cpu.governor", "not shown (usual in guests: the host decides)");
  findings.ok("clock.source", "tsc");
  findings.invalid("load.processes", "61 % of a processor: cc1plus 58 %", {0, 1, 2, 3},
                   "they take turns with what is measured", "end them, or wait for them");
  findings.ok("network.receive_buffer", "16384 KiB of 16384 KiB granted");
  findings.ok("network.gso", "a run sent at once arrived cut as it should be");
  return {findings.take()};
}

Breakdown sample_breakdown(Sampler& sampler, const std::string& name, const std::string& side,
                           const std::vector<std::pair<CostStep, double>>& parts, double remainder) {
  constexpr std::uint64_t kPackets = 100'000;
  CostProfile profile;
  profile.probe_nanoseconds = 11;
  profile.clock = "tsc";
  for (std::size_t i = 0; i < trace::kCostSteps; ++i) profile.steps.push_back({.step = static_cast<CostStep>(i)});
  double sum = 0;
  for (const auto& [step, nanoseconds] : parts) {
    StepProfile& target = profile.steps[static_cast<std::size_t>(step)];
    target.nanoseconds = sampler.time(nanoseconds) * kPackets;
    const bool batched = group_of(step) == CostGroup::kKernel;
    target.samples = batched ? kPackets / 54 : kPackets;
    for (int i = 0; i < 1000; ++i) {
      const double sample = target.nanoseconds / static_cast<double>(target.samples) * sampler.noise(0.15);
      target.sample_nanoseconds.record(static_cast<std::uint64_t>(sample), target.samples / 1000);
    }
    profile.probes += target.samples;
    sum += sampler.time(nanoseconds);
  }
  return make_breakdown(profile, {.name = name,
                                  .side = side,
                                  .packets = kPackets,
                                  .payload_bytes = kPackets * 1130,
                                  .plain_nanoseconds = sampler.interval(sum * (1 + remainder), 0.01)});
}

PathFacts sample_path(bool sender) {
  PathFacts path;
  path.system_calls = sender ? 0.021 : 0.034;
  path.voluntary_switches = sender ? 0 : 0.002;
  path.involuntary_switches = 0.0001;
  path.counters[static_cast<std::size_t>(PerfEvent::kInstructions)] = 1450;
  path.counters_description = "instructions; no cycles, cache_misses, branch_misses: this guest has none";
  path.send_occupancy = {{.most_datagrams = 1, .calls = 100}, {.most_datagrams = 64, .calls = 900}};
  path.receive_occupancy = {{.most_datagrams = 0, .calls = 300}, {.most_datagrams = 2, .calls = 700}};
  path.drops = {{"receive buffer of the socket full", sender ? 0 : 12}};
  if (!sender) path.drops.emplace_back("transport: duplicate", 3);
  return path;
}

void add_breakdowns(Sampler& sampler, Results& results) {
  const std::vector<std::pair<CostStep, double>> sender = {
      {CostStep::kEncode, 14}, {CostStep::kSeal, 318},      {CostStep::kBookkeeping, 21}, {CostStep::kSendCall, 72},
      {CostStep::kDigest, 92}, {CostStep::kAcknowledge, 9}, {CostStep::kOther, 6}};
  const std::vector<std::pair<CostStep, double>> receiver = {
      {CostStep::kReceiveCall, 88}, {CostStep::kRoute, 2},       {CostStep::kOpen, 305},
      {CostStep::kDecode, 7},       {CostStep::kReassemble, 16}, {CostStep::kAcknowledge, 12},
      {CostStep::kDigest, 95},      {CostStep::kApplication, 4}, {CostStep::kOther, 8}};
  std::vector<std::pair<CostStep, double>> single = sender;
  for (auto& [step, nanoseconds] : single) {
    if (step == CostStep::kSendCall) nanoseconds = 2950;
  }
  results.breakdowns.push_back(sample_breakdown(sampler, "stream, batched", "sender", sender, 0.021));
  results.breakdowns.push_back(sample_breakdown(sampler, "stream, batched", "receiver", receiver, -0.013));
  results.breakdowns[0].path = sample_path(true);
  results.breakdowns[1].path = sample_path(false);
  results.breakdowns.push_back(sample_breakdown(sampler, "stream, one call a datagram", "sender", single, 0.084));
}

void add_cases(Sampler& sampler, Results& results) {
  for (const auto& [bytes, nanoseconds] :
       {std::pair{64, 46.0}, std::pair{256, 86.0}, std::pair{1171, 315.0}, std::pair{1364, 383.0}}) {
    BenchmarkResult seal =
        sampler.bench_case(0, "seal/ipsec-mb/" + std::to_string(bytes), "seal one packet", nanoseconds, 0.01);
    seal.parameters = {{"bytes", std::to_string(bytes)}, {"cipher", "ipsec-mb"}};
    results.benchmarks.push_back(std::move(seal));
  }
  results.benchmarks.push_back(sampler.bench_case(0, "encode/template", "header from a template", 9, 0.02));
  results.benchmarks.push_back(sampler.bench_case(0, "encode/element-wise", "every byte by itself", 3820, 0.02));
  results.benchmarks.push_back(sampler.bench_case(1, "two_endpoints/stream", "two endpoints in memory", 780, 0.03));
  results.benchmarks.push_back(sampler.bench_case(1, "queue/capacity/1", "a queue of one", 1210, 0.05));
  results.benchmarks.push_back(sampler.bench_case(2, "gso/1200", "batches of 54 by GSO", 533, 0.06));
  results.benchmarks.push_back(sampler.bench_case(2, "sendto/1200", "one sendto a datagram", 4510, 0.06));
  for (const auto& [name, middle] : {std::pair{"blocking", 52'000.0}, std::pair{"polling", 5'200.0}}) {
    BenchmarkResult latency =
        sampler.bench_case(2, std::string("ping_pong/") + name, "64 bytes there and back", middle, 0.04);
    latency.distribution = Histogram();
    latency.distribution_unit = "ns";
    for (int i = 0; i < 20'000; ++i) {
      const double tail = std::pow(1 - sampler.random().unit(), -0.22);
      latency.distribution->record(static_cast<std::uint64_t>(sampler.time(middle) * 0.82 * tail));
    }
    results.benchmarks.push_back(std::move(latency));
  }
  BenchmarkResult flood = sampler.bench_case(3, "loss/1_percent", "CUBIC's law at 1 % loss", 1240, 0.12);
  flood.marks = {"environment unfit"};
  results.benchmarks.push_back(std::move(flood));
}

void add_figures(Sampler& sampler, Results& results) {
  Ablation ablation{.name = "ablation", .title = "From the original shape to the defaults", .unit = "ns", .steps = {}};
  for (const auto& [label, value, note] :
       {std::tuple{"original shape", 8900.0, "element-wise, random nonce, queue of 1, one call a packet"},
        std::tuple{"header template", 5160.0, "instead of byte by byte"},
        std::tuple{"counter nonce", 4980.0, "instead of a random one"},
        std::tuple{"queue of 256", 4610.0, "instead of 1"},
        std::tuple{"batches by GSO", 960.0, "instead of one call a datagram"},
        std::tuple{"16 MiB buffers", 533.0, "instead of 208 KiB"}}) {
    ablation.steps.push_back({label, sampler.interval(sampler.time(value), 0.03), note});
  }
  results.ablations.push_back(std::move(ablation));
  Curves curves{.name = "goodput_by_size",
                .title = "Goodput by datagram size",
                .unit = "bit/s",
                .x_label = "bytes a datagram",
                .lines = {}};
  for (const auto& [label, scale] : {std::pair{"gso", 1.0}, std::pair{"mmsg", 0.24}, std::pair{"sendto", 0.21}}) {
    Curves::Line line{.label = label, .points = {}};
    for (const double bytes : {64.0, 256.0, 600.0, 1200.0}) {
      line.points.push_back(
          {bytes, sampler.interval(17e9 * scale * std::pow(bytes / 1200, 0.8) / sampler.time(1), 0.03)});
    }
    curves.lines.push_back(std::move(line));
  }
  results.curves.push_back(std::move(curves));
  Grid grid{.name = "loss_delay",
            .title = "Goodput by loss and round trip",
            .unit = "share of the path",
            .row_label = "loss",
            .column_label = "round trip",
            .rows = {"0 %", "0.1 %", "1 %", "5 %"},
            .columns = {"0 ms", "50 ms", "150 ms", "300 ms"},
            .cells = {}};
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    for (std::size_t c = 0; c < grid.columns.size(); ++c) {
      if (r == 3 && c == 3) {
        grid.cells.emplace_back(std::nullopt);
      } else {
        grid.cells.emplace_back(sampler.interval(0.98 / (1 + 0.35 * static_cast<double>(r * (c + 1))), 0.01));
      }
    }
  }
  results.grids.push_back(std::move(grid));
}

}  // namespace

Results make_sample_results(std::uint64_t seed, double speed) {
  Sampler sampler(seed, speed);
  Results results;
  results.started_at = "2025-01-31T12:00:00Z";
  results.seconds = 214;
  results.mode = "quick";
  results.version = "0.1.0";
  results.seed = seed;
  results.fingerprint = sample_fingerprint();
  results.environment = sample_environment();
  results.system = SystemSnapshot{};
  results.marks = {"invented figures: a sample of the format"};
  add_cases(sampler, results);
  add_breakdowns(sampler, results);
  add_figures(sampler, results);
  std::vector<ComparedCase> cases;
  for (const BenchmarkResult& bench_case : results.benchmarks) {
    ComparedCase pair{.name = bench_case.name,
                      .unit = bench_case.unit,
                      .baseline = bench_case.samples,
                      .noise_threshold = *bench_case.noise_threshold};
    const double effect = bench_case.level == 1 ? 1.12 : bench_case.level == 2 ? 0.82 : 1.0;
    for (const double sample : bench_case.samples) pair.candidate.push_back(sample * effect * sampler.noise(0.01));
    cases.push_back(std::move(pair));
  }
  results.comparison = compare(cases);
  return results;
}

}  // namespace godwit::measure
