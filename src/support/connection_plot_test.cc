#include "support/connection_plot.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit::report {
namespace {

trace::Event metrics_at(Instant at, std::uint64_t window) {
  return {.at = at,
          .connection = 7,
          .data = trace::MetricsUpdated{.latest_round_trip = 50ms,
                                        .smoothed_round_trip = 50ms,
                                        .minimum_round_trip = 40ms,
                                        .round_trip_variance = 1ms,
                                        .bytes_in_flight = window / 2,
                                        .window_bytes = window,
                                        .pacing_rate = 10_mbps}};
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(ConnectionPlot, DrawsThreeChartsAConnection) {
  ConnectionPlot plot("host 0");
  EXPECT_FALSE(plot.began());
  for (int i = 0; i < 20; ++i) {
    plot.on_event(metrics_at(Instant{1s + i * 50ms}, 12'000 + 1'200 * static_cast<std::uint64_t>(i)));
    plot.on_event({.at = Instant{1s + i * 50ms}, .connection = 7, .data = trace::PacketsAcknowledged{5, 6'000}});
  }
  plot.on_event({.at = Instant{2s}, .connection = 7, .data = trace::PacketLost{3, 1200, false}});
  plot.on_event({.at = Instant{2s}, .connection = 7, .data = trace::CongestionStateChanged{"cubic", "recovery"}});
  const std::string html = plot.sections(*plot.began());
  EXPECT_EQ(count(html, "<svg"), 3U);
  EXPECT_EQ(count(html, "losses found"), 3U);
  EXPECT_NE(html.find("1 packets lost"), std::string::npos);
  EXPECT_NE(html.find("1.000 s recovery"), std::string::npos);
  EXPECT_EQ(plot_page("a & b", "lead", html).find("a & b"), std::string::npos) << "the title is escaped";
}

TEST(ConnectionPlot, StaysSmallHoweverLongTheRun) {
  ConnectionPlot plot("host 0");
  for (int i = 0; i < 200'000; ++i) plot.on_event(metrics_at(Instant{i * 5ms}, 12'000));
  EXPECT_LT(plot.sections(*plot.began()).size(), 2'000'000U);
}

TEST(ConnectionPlot, SaysSoWhenThereIsNothingToDraw) {
  const ConnectionPlot plot("host 0");
  EXPECT_NE(plot_page("t", "l", plot.sections({})).find("No connection"), std::string::npos);
}

}  // namespace
}  // namespace godwit::report
