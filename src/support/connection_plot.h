// Connections over time, as a page: window and bytes in flight, pacing and delivery rate, round trip, and where losses
// were found. A trace sink that keeps what it draws: at most some thousand points a connection, whatever the length of
// the run. `godwit sim` writes it for scenarios and seeds; any endpoint's trace will do.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "trace/events.h"

namespace godwit::report {

class ConnectionPlot final : public trace::Sink {
 public:
  // `name` stands above the charts: "host 0".
  explicit ConnectionPlot(std::string name) : name_(std::move(name)) {}

  void on_event(const trace::Event& event) override;

  // One section a connection that has sent anything, as HTML; times count from `start`.
  [[nodiscard]] std::string sections(Instant start) const;
  // Of the first event; nothing before it.
  [[nodiscard]] std::optional<Instant> began() const { return began_; }

 private:
  static constexpr std::size_t kMostPoints = 1500;

  struct Point {
    Instant at;
    double window = 0;
    double in_flight = 0;
    double pacing = 0;     // bit/s, 0: unlimited
    double delivered = 0;  // bit/s since the point before
    double round_trip = 0;
    double minimum_round_trip = 0;
  };
  struct Series {
    std::vector<Point> points;
    std::vector<Instant> losses;
    Duration spacing{};  // least time between points, doubled whenever they are too many
    std::uint64_t acknowledged_bytes = 0;
    std::uint64_t counted_bytes = 0;  // of them, in the points so far
    std::uint64_t lost_packets = 0;
    std::string_view controller;
    std::string states;  // "1.204 s startup, …"
  };

  void add(Series& series, Instant at, const trace::MetricsUpdated& metrics);
  [[nodiscard]] std::string draw(const Series& series, Instant start) const;

  std::string name_;
  std::optional<Instant> began_;
  std::map<std::uint64_t, Series> connections_;
};

// A self-contained page around sections.
[[nodiscard]] std::string plot_page(std::string_view title, std::string_view lead, std::string_view sections);

}  // namespace godwit::report
