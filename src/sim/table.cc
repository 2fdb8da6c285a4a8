#include "sim/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "congestion/controller.h"
#include "congestion/jain_index.h"
#include "sim/simulator.h"
#include "wire/limits.h"

namespace godwit::sim {
namespace {

constexpr std::uint64_t kStreamBytes = 16 << 20;
constexpr Duration kBlackout = 2s;

// At 1 Gbit/s a second is a hundred thousand packets.
bool is_fast(const Cell& cell) {
  return cell.rate > 500_mbps;
}
Duration warm_up(const Cell& cell) {
  return std::max<Duration>(4s, 25 * cell.round_trip);
}
Duration measured(const Cell& cell) {
  return std::max<Duration>(10s, 50 * cell.round_trip);
}

double limit(const Cell& cell) {
  return static_cast<double>(cell.rate.bytes_per_second()) * kPayloadShare * (1 - cell.loss);
}

LinkSpec bottleneck(const Cell& cell) {
  LinkSpec link;
  link.delay = cell.round_trip / 2;
  link.rate = cell.rate;
  const auto wanted = static_cast<double>(cell.rate.bytes_in(cell.round_trip)) * cell.queue_bdp;
  link.queue.bytes = std::max<std::uint64_t>(static_cast<std::uint64_t>(wanted), 2 * 1228);
  link.loss.rate = cell.loss;
  return link;
}

LinkSpec way_back(const Cell& cell) {
  LinkSpec link;
  link.delay = cell.round_trip - cell.round_trip / 2;
  return link;
}

void add_flow(Scenario& scenario, const Cell& cell, std::uint32_t from, std::uint32_t to, Duration start) {
  add_bulk_flow(scenario, cell.controller, from, to, start, cell.rate.bytes_in(cell.round_trip));
}

SimulatorOptions unchecked() {
  SimulatorOptions options;
  options.check = false;
  return options;
}

// Goodput of one host in bytes per second between two offsets.
double goodput(Simulator& simulator, std::uint32_t host, Duration until) {
  const Duration from = simulator.elapsed();
  const std::uint64_t before = simulator.host(host).statistics().payload_received;
  simulator.run_until(until);
  return static_cast<double>(simulator.host(host).statistics().payload_received - before) / to_seconds(until - from);
}

// The first instant at which an interval of `step` carries `wanted` bytes per second.
std::optional<Duration> reaches(Simulator& simulator, std::uint32_t host, double wanted, Duration step,
                                Duration until) {
  while (simulator.elapsed() < until) {
    if (goodput(simulator, host, simulator.elapsed() + step) >= wanted) return simulator.elapsed();
  }
  return std::nullopt;
}

void measure_alone(CellResult& result) {
  const Cell& cell = result.cell;
  Simulator simulator(cell_scenario(cell), unchecked());
  const Duration step = std::max<Duration>(cell.round_trip, 50ms);
  result.fill_time = reaches(simulator, 1, 0.9 * limit(cell), step, warm_up(cell));
  simulator.run_until(warm_up(cell));
  simulator.link(0).delays().clear();
  const auto before = simulator.host(0).connection_statistics(1);
  const double bytes = goodput(simulator, 1, warm_up(cell) + measured(cell));
  const auto after = simulator.host(0).connection_statistics(1);
  result.share = bytes / (static_cast<double>(cell.rate.bytes_per_second()) * kPayloadShare);
  result.share_of_limit = bytes / limit(cell);
  result.queue_p95 = simulator.link(0).delays().percentile(0.95);
  if (before && after && after->packets_sent > before->packets_sent) {
    result.retransmitted = static_cast<double>(after->packets_retransmitted - before->packets_retransmitted) /
                           static_cast<double>(after->packets_sent - before->packets_sent);
  }
  result.simulated_seconds += to_seconds(simulator.elapsed());
  result.datagrams += simulator.datagrams();
}

void measure_blackout(CellResult& result) {
  const Cell& cell = result.cell;
  Scenario scenario = cell_scenario(cell);
  const Duration from = warm_up(cell);
  for (LinkSpec& link : scenario.links) link.blackouts = {{from, from + kBlackout}};
  Simulator simulator(std::move(scenario), unchecked());
  simulator.run_until(from / 2);
  const double usual = goodput(simulator, 1, from);
  simulator.run_until(from + kBlackout);
  const auto at = reaches(simulator, 1, 0.8 * usual, std::max<Duration>(cell.round_trip, 50ms), from + kBlackout + 60s);
  if (at) result.blackout_recovery = *at - from - kBlackout;
}

void measure_against_cubic(CellResult& result) {
  const Cell& cell = result.cell;
  Scenario scenario = cell_scenario(cell);
  scenario.competitors.push_back({.egress = {0}, .ingress = {1}, .start = 0s});
  Simulator simulator(std::move(scenario), unchecked());
  simulator.run_until(warm_up(cell));
  const std::uint64_t before = simulator.competitor(0).delivered_bytes();
  const Duration time = 3 * measured(cell);
  const double own = goodput(simulator, 1, warm_up(cell) + time) / kPayloadShare;
  const double other = static_cast<double>(simulator.competitor(0).delivered_bytes() - before) / to_seconds(time) *
                       Competitor::kSegmentCharge / Competitor::kPayload;
  result.against_cubic = own / (own + other);
}

double measure_jain(const Cell& cell, std::uint32_t flows) {
  Scenario scenario = dumbbell(bottleneck(cell), way_back(cell), flows);
  for (std::uint32_t i = 0; i < flows; ++i) add_flow(scenario, cell, 2 * i, 2 * i + 1, i * 137ms);
  scenario.duration = 1h;
  Simulator simulator(std::move(scenario), unchecked());
  const Duration start = 2 * warm_up(cell) + flows * 137ms;
  simulator.run_until(start);
  std::vector<double> before;
  for (std::uint32_t i = 0; i < flows; ++i) {
    before.push_back(static_cast<double>(simulator.host(2 * i + 1).statistics().payload_received));
  }
  simulator.run_until(start + 4 * measured(cell));
  std::vector<double> bytes;
  for (std::uint32_t i = 0; i < flows; ++i) {
    bytes.push_back(static_cast<double>(simulator.host(2 * i + 1).statistics().payload_received) - before[i]);
  }
  return jain_index(bytes);
}

}  // namespace

void add_bulk_flow(Scenario& scenario, CongestionKind controller, std::uint32_t from, std::uint32_t to, Duration start,
                   std::uint64_t product_bytes) {
  HostSpec& sender = scenario.hosts[from];
  HostSpec& receiver = scenario.hosts[to];
  sender.config.congestion = controller;
  sender.config.recovery.rtt.min_rto = 200ms;
  receiver.config.streams.delivery = DeliveryMode::kChunks;
  // What a receiving machine reads at once: a network card's interrupts, not each datagram alone.
  sender.receive_interval = receiver.receive_interval = 50us;
  receiver.socket_buffer = 16 << 20;
  // A stream is confirmed a round trip after its end: enough of them keep the path busy meanwhile.
  scenario.flows.push_back({.kind = FlowKind::kStreams,
                            .from = from,
                            .to = to,
                            .start = start,
                            .count = 1'000'000,
                            .bytes = kStreamBytes,
                            .window = static_cast<std::uint32_t>(2 + 4 * product_bytes / kStreamBytes)});
}

std::string Cell::name() const {
  return fmt::format("{} {:g}ms {:g}% {:g}bdp {:g}M", to_string(controller), to_seconds(round_trip) * 1e3, loss * 100,
                     queue_bdp, static_cast<double>(rate.bits_per_second()) * 1e-6);
}

Scenario cell_scenario(const Cell& cell) {
  Scenario scenario = two_hosts(bottleneck(cell), way_back(cell));
  scenario.name = cell.name();
  add_flow(scenario, cell, 0, 1, 0s);
  scenario.duration = warm_up(cell) + measured(cell);
  return scenario;
}

double least_share(const Cell& cell) {
  const double segment_rate = limit(cell) / 1130;  // segments per second that the path carries
  // Acknowledgements wait for an eighth of the round trip, a quarter of a millisecond at the least, and for both
  // machines.
  const double trip = to_seconds(cell.round_trip) + 0.0005;
  const double bdp = segment_rate * to_seconds(cell.round_trip);
  // Below a few segments a window cannot be halved without emptying the path.
  if (bdp * (1 + cell.queue_bdp) < 8) return 0.2;
  // A queue below two bursts of the pacer drops the end of each.
  const double rate = static_cast<double>(cell.rate.bytes_per_second());
  const double burst = std::clamp(rate * 1e-3, 12'000.0, 65'536.0);
  const bool short_queue = rate * to_seconds(cell.round_trip) * cell.queue_bdp < 2 * burst;
  // What is sent beyond the oldest lost packet is bounded; of the packets of one round trip some are lost so often.
  const double losses = cell.loss > 0 ? std::ceil(std::log(bdp) / -std::log(cell.loss)) : 0;
  const double span = 0.85 * RecoveryConfig{}.span_limit / (std::max(losses, 1.0) * bdp);
  const double most = std::min(short_queue ? 0.2 : 1.0, span);
  // Mathis et al. 1997, as a share of the path; below it for time-outs, and for runs of few round trips.
  const double reno = cell.loss > 0 ? std::sqrt(1.5 / cell.loss) / (segment_rate * trip) : 1.0;
  const double slack = is_fast(cell) ? 0.35 : 0.5;
  // Two hundred products of segments and round trips are not regained within the run.
  const bool long_fast = bdp > 10'000;
  switch (cell.controller) {
    // RFC 9438 section 5: the window of the law under random loss, and of its Reno-friendly region.
    case CongestionKind::kCubic: {
      const double full = long_fast ? 0.5 : cell.queue_bdp >= 1 ? 0.88 : 0.75;
      if (cell.loss == 0) return std::min(most, full);
      const double cubic = 1.054 * std::pow(trip / cell.loss, 0.75) / (segment_rate * trip);
      return std::min(most, slack * std::min(full, std::max(cubic, reno)));
    }
    case CongestionKind::kNewReno: {
      // Halving empties a queue below one product; growing back takes half a window of round trips.
      const double full = bdp > 400 ? 0.2 : cell.queue_bdp >= 1 ? 0.85 : 0.6;
      return std::min(most, cell.loss == 0 ? full : slack * std::min(full, reno));
    }
    // draft-ietf-ccwg-bbr: gives half its rate for 200 ms and two round trips of every five seconds, and tolerates 2 %
    // of loss a round. Beyond it every probe ends at once, which leaves no more than what Reno gets, until the rate of
    // loss is known (congestion/loss_noise.h) and probing has made up for the early end of Startup. Within the run that
    // is so where neither the round trip nor the number of packets in it is large.
    case CongestionKind::kBbr: {
      const double full = (cell.queue_bdp < 1 ? 0.78 : 0.88) - (0.2 + 2 * to_seconds(cell.round_trip)) / 10;
      const bool known = cell.round_trip <= 150ms && bdp > 40 && bdp < 500;
      if (cell.loss > 0.02) return std::min(most, known ? full - 0.1 : std::min(0.3, slack * reno));
      return std::min(most, full);
    }
    // draft-irtf-iccrg-ledbat-plus-plus: fills an idle path but for its slowdowns; a loss halves it like Reno, and it
    // grows more slowly. Slow start ends at three quarters of the target, and after it a segment a round trip.
    case CongestionKind::kLedbat: {
      const double full = bdp > 400 ? 0.05 : 0.78;
      const double slow = cell.round_trip < 20ms ? 0.25 : 0.5;
      return std::min(most, cell.loss == 0 ? full : slow * slack * std::min(full, reno));
    }
    // A fixed rate has no law that a path could meet or miss.
    case CongestionKind::kFixedRate: return 0;
  }
  return 0;
}

CellResult measure_cell(const Cell& cell, const CellChoice& choice) {
  CellResult result;
  result.cell = cell;
  result.least_share_of_limit = least_share(cell);
  // A full queue, two datagrams at the least, one bucket of the histogram more.
  const double queue = std::max(cell.queue_bdp * to_seconds(cell.round_trip),
                                2 * 1228.0 / static_cast<double>(cell.rate.bytes_per_second()));
  result.most_queue = from_seconds(queue * 1.11 + 1e-6);
  // What waited in the queue, or behind a gap, when the measurement began counts within it. The link loses packets
  // before they take its time, so the rest may fill it.
  result.most_share_of_limit =
      1.01 / (1 - cell.loss) + (2 * queue + to_seconds(cell.round_trip)) / to_seconds(measured(cell));
  measure_alone(result);
  if (choice.blackout) measure_blackout(result);
  if (choice.against_cubic) measure_against_cubic(result);
  for (const std::uint32_t flows : choice.flows) result.jain.push_back(measure_jain(cell, flows));
  return result;
}

// The slow paths first: a run that is cut short has most of the cells.
std::vector<Cell> whole_table() {
  std::vector<Cell> cells;
  for (const Bandwidth rate : {10_mbps, 1_mbps, 100_mbps, 1_gbps}) {
    for (const CongestionKind controller : adaptive_congestion_kinds()) {
      for (const Duration trip : {Duration(1ms), Duration(50ms), Duration(150ms), Duration(300ms)}) {
        for (const double loss : {0.0, 0.001, 0.01, 0.05}) {
          for (const double queue : {0.5, 1.0, 4.0}) cells.push_back({controller, trip, loss, queue, rate});
        }
      }
    }
  }
  return cells;
}

CellChoice full_choice(const Cell& cell) {
  // Many flows over many packets: up to 10 Mbit/s on every path, at 100 Mbit/s with a queue of one product.
  if (is_fast(cell) || (cell.rate > 50_mbps && cell.queue_bdp != 1.0)) return {};
  return {.blackout = true, .against_cubic = true, .flows = {2, 8, 32}};
}

// Ten paths that stand for the others, for the controllers that adapt to a path.
std::vector<Cell> ci_table() {
  struct Path {
    Duration trip;
    double loss;
    double queue;
    Bandwidth rate;
  };
  const std::array paths = {Path{1ms, 0, 4, 10_mbps},      Path{50ms, 0, 0.5, 10_mbps},  Path{50ms, 0, 1, 10_mbps},
                            Path{50ms, 0.001, 1, 10_mbps}, Path{50ms, 0.01, 1, 10_mbps}, Path{50ms, 0.05, 1, 10_mbps},
                            Path{150ms, 0, 4, 1_mbps},     Path{150ms, 0.01, 1, 1_mbps}, Path{300ms, 0, 1, 1_mbps},
                            Path{300ms, 0.001, 4, 10_mbps}};
  std::vector<Cell> cells;
  for (const CongestionKind controller : adaptive_congestion_kinds()) {
    for (const Path& path : paths) cells.push_back({controller, path.trip, path.loss, path.queue, path.rate});
  }
  return cells;
}

std::string table_header() {
  return fmt::format("{:<30} {:>6} {:>6} {:>6} {:>9} {:>7} {:>8} {:>9} {:>8}  jain", "cell", "share", "limit", "bound",
                     "queue_p95", "resent", "fill_s", "blackout", "v_cubic");
}

namespace {
std::string seconds_or_dash(const std::optional<Duration>& time) {
  return time ? fmt::format("{:.2f}", to_seconds(*time)) : "-";
}
}  // namespace

std::string table_line(const CellResult& result) {
  std::string line =
      fmt::format("{:<30} {:>6.3f} {:>6.3f} {:>6.3f} {:>7.1f}ms {:>7.4f} {:>8} {:>9} {:>8} ", result.cell.name(),
                  result.share, result.share_of_limit, result.least_share_of_limit, to_seconds(result.queue_p95) * 1e3,
                  result.retransmitted, seconds_or_dash(result.fill_time), seconds_or_dash(result.blackout_recovery),
                  result.against_cubic ? fmt::format("{:.3f}", *result.against_cubic) : "-");
  for (const double jain : result.jain) line += fmt::format(" {:.3f}", jain);
  if (!result.within_bounds()) line += "  OUT OF BOUNDS";
  return line;
}

std::string table_json(const CellResult& result) {
  std::string json =
      fmt::format(R"({{"cell":"{}","share":{:.4f},"share_of_limit":{:.4f},"bound":{:.4f},"queue_p95_ms":{:.2f},)"
                  R"("retransmitted":{:.5f})",
                  result.cell.name(), result.share, result.share_of_limit, result.least_share_of_limit,
                  to_seconds(result.queue_p95) * 1e3, result.retransmitted);
  if (result.fill_time) json += fmt::format(R"(,"fill_s":{:.3f})", to_seconds(*result.fill_time));
  if (result.blackout_recovery) json += fmt::format(R"(,"blackout_s":{:.3f})", to_seconds(*result.blackout_recovery));
  if (result.against_cubic) json += fmt::format(R"(,"against_cubic":{:.4f})", *result.against_cubic);
  if (!result.jain.empty()) {
    json += ",\"jain\":[";
    for (std::size_t i = 0; i < result.jain.size(); ++i)
      json += fmt::format("{}{:.4f}", i > 0 ? "," : "", result.jain[i]);
    json += "]";
  }
  return json + "}";
}

}  // namespace godwit::sim
