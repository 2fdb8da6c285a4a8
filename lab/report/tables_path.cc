#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "report/tables.h"
#include "support/format.h"

namespace godwit::report {
namespace {

using measure::Breakdown;
using measure::Occupancy;
using measure::OccupancyClass;
using measure::PathFacts;

// Sender and receiver, where the results hold their path facts.
std::vector<const Breakdown*> sides_of(const measure::Results& results, std::string_view name) {
  std::vector<const Breakdown*> sides;
  for (const Breakdown& breakdown : results.breakdowns) {
    if (breakdown.name == name && breakdown.path) sides.push_back(&breakdown);
  }
  return sides;
}

Table table_of_sides(std::string title, std::string first, const std::vector<const Breakdown*>& sides) {
  Table table{.title = std::move(title), .columns = {{.title = std::move(first)}}};
  for (const Breakdown* side : sides) table.columns.push_back({.title = side->side, .right = true});
  return table;
}

template <typename Get>
void add_row(Table& table, std::string label, const std::vector<const Breakdown*>& sides, Get get) {
  std::vector<Cell> cells = {{std::move(label)}};
  for (const Breakdown* side : sides) cells.push_back(get(*side->path));
  table.rows.push_back(std::move(cells));
}

Cell figure(double value) {
  return {format_number(value), value == 0 ? Tone::kFaint : Tone::kPlain};
}

}  // namespace

std::string occupancy_label(const OccupancyClass& of) {
  const std::uint64_t most = of.most_datagrams;
  if (most == 0) return "none";
  return most <= 2 ? std::to_string(most) : fmt::format("{}–{}", most / 2 + 1, most);
}

Table path_table(const measure::Results& results, std::string_view name) {
  const std::vector<const Breakdown*> sides = sides_of(results, name);
  Table table = table_of_sides(fmt::format("What a packet causes, {}", name), "a packet", sides);
  if (sides.empty()) return table;
  add_row(table, "system calls", sides, [](const PathFacts& path) { return figure(path.system_calls); });
  add_row(table, "context switches: went to sleep", sides,
          [](const PathFacts& path) { return figure(path.voluntary_switches); });
  add_row(table, "context switches: lost the processor", sides,
          [](const PathFacts& path) { return figure(path.involuntary_switches); });
  for (std::size_t i = 0; i < measure::kPerfEvents; ++i) {
    std::string label(measure::name_of(static_cast<measure::PerfEvent>(i)));
    std::replace(label.begin(), label.end(), '_', ' ');
    add_row(table, label + ", user space", sides, [i](const PathFacts& path) {
      return path.counters[i] ? figure(*path.counters[i]) : Cell{"not counted", Tone::kFaint};
    });
  }
  table.note = "Counters of this processor: " + sides.front()->path->counters_description + ".";
  return table;
}

Table occupancy_table(const measure::Results& results, std::string_view name) {
  const std::vector<const Breakdown*> sides = sides_of(results, name);
  Table table{.title = fmt::format("How full the system calls were, {}", name),
              .columns = {{.title = "datagrams a call"}}};
  std::vector<const Occupancy*> columns;
  std::set<std::uint64_t> classes;
  for (const Breakdown* side : sides) {
    const std::array<std::pair<const char*, const Occupancy*>, 2> directions = {
        {{"sends", &side->path->send_occupancy}, {"receives", &side->path->receive_occupancy}}};
    for (const auto& [verb, occupancy] : directions) {
      table.columns.push_back({.title = side->side + " " + verb, .right = true});
      columns.push_back(occupancy);
      for (const auto& each : *occupancy) classes.insert(each.most_datagrams);
    }
  }
  for (const std::uint64_t most : classes) {
    std::vector<Cell> cells = {{occupancy_label({.most_datagrams = most})}};
    for (const Occupancy* occupancy : columns) {
      const auto found = std::find_if(occupancy->begin(), occupancy->end(),
                                      [most](const auto& c) { return c.most_datagrams == most; });
      const auto all = static_cast<double>(PathFacts::calls_of(*occupancy));
      cells.push_back(found == occupancy->end()
                          ? Cell{"–", Tone::kFaint}
                          : Cell{format_percent(all > 0 ? static_cast<double>(found->calls) / all : 0)});
    }
    table.rows.push_back(std::move(cells));
  }
  if (!table.empty())
    table.note = "Shares of the calls. \"none\": the kernel had nothing to hand over, or took nothing.";
  return table;
}

Table drops_table(const measure::Results& results, std::string_view name) {
  const std::vector<const Breakdown*> sides = sides_of(results, name);
  Table table = table_of_sides(fmt::format("Where datagrams were dropped, {}", name), "place", sides);
  std::vector<std::string> places;
  for (const Breakdown* side : sides) {
    for (const auto& [place, count] : side->path->drops) {
      if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
    }
  }
  for (const std::string& place : places) {
    add_row(table, place, sides, [&place](const PathFacts& path) {
      const auto found = std::find_if(path.drops.begin(), path.drops.end(),
                                      [&place](const auto& drop) { return drop.first == place; });
      const std::uint64_t count = found == path.drops.end() ? 0 : found->second;
      return Cell{std::to_string(count), count == 0 ? Tone::kFaint : Tone::kWarning};
    });
  }
  return table;
}

}  // namespace godwit::report
