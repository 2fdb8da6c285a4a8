// The table of controllers over paths: every cell is a few simulations, a bound derived from the path, and the values
// that are recorded and diffed. Figures by decisions 13 and 16: a share is goodput ÷ (rate × 1130 ÷ 1228), and what a
// loss leaves of the path is its limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bandwidth.h"
#include "base/time.h"
#include "congestion/controller.h"
#include "sim/scenario.h"

namespace godwit::sim {

struct Cell {
  CongestionKind controller = CongestionKind::kCubic;
  Duration round_trip{};
  double loss = 0;
  double queue_bdp = 1;
  Bandwidth rate;

  // "bbr 50ms 1% 1bdp 100M"
  [[nodiscard]] std::string name() const;
};

// Which figures beyond those of one flow alone; each costs a run of its own.
struct CellChoice {
  bool blackout = false;
  bool against_cubic = false;
  std::vector<std::uint32_t> flows;  // Jain's index among so many
};

struct CellResult {
  Cell cell;
  double share = 0;           // of rate × 1130/1228
  double share_of_limit = 0;  // of that × (1 - loss)
  Duration queue_p95{};
  double retransmitted = 0;           // of packets sent
  std::optional<Duration> fill_time;  // from the start until the path is 90 % full; absent: never within the run
  std::optional<Duration> blackout_recovery;  // from its end until 80 % of the goodput before
  std::optional<double> against_cubic;        // share of what both get
  std::vector<double> jain;                   // one for each of CellChoice::flows
  double simulated_seconds = 0;
  std::uint64_t datagrams = 0;
  // What the path and the controller's law allow: asserted.
  double least_share_of_limit = 0;
  double most_share_of_limit = 1;
  Duration most_queue{};
  [[nodiscard]] bool within_bounds() const {
    return share_of_limit >= least_share_of_limit && share_of_limit <= most_share_of_limit && queue_p95 <= most_queue;
  }
};

// Payload of what a link charges for a full datagram (decisions 13).
inline constexpr double kPayloadShare = 1130.0 / 1228.0;
// Two hosts of the scenario keep a path busy: streams back to back, more of them the larger its product of rate and
// round trip is.
void add_bulk_flow(Scenario& scenario, CongestionKind controller, std::uint32_t from, std::uint32_t to, Duration start,
                   std::uint64_t product_bytes);

[[nodiscard]] CellResult measure_cell(const Cell& cell, const CellChoice& choice = {});
// The 768 cells, and the named subset of at most 40 that runs with the tests.
[[nodiscard]] std::vector<Cell> whole_table();
[[nodiscard]] std::vector<Cell> ci_table();
// What is measured of a cell when the whole table is recorded.
[[nodiscard]] CellChoice full_choice(const Cell& cell);
// The share of the limit that a controller must reach at least, from its own law.
[[nodiscard]] double least_share(const Cell& cell);

// The scenario of a cell, for replays and traces.
[[nodiscard]] Scenario cell_scenario(const Cell& cell);

// One line a cell.
[[nodiscard]] std::string table_header();
[[nodiscard]] std::string table_line(const CellResult& result);
// One JSON object a cell, without line breaks.
[[nodiscard]] std::string table_json(const CellResult& result);

}  // namespace godwit::sim
