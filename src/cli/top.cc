// `godwit top`: the live connections of a running process, read from the socket of its --control.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/control_socket.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/network_options.h"
#include "cli/values.h"
#include "support/json.h"
#include "support/terminal_options.h"
#include "support/text_width.h"

namespace godwit::cli {
namespace {

using measure::Json;

struct TopOptions {
  std::string socket;
  std::string interval = "1s";
  std::uint64_t count = 0;
  OutputOptions output;
};

// What a connection has counted that becomes a rate between two looks.
struct Counted {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t packets = 0;
  std::uint64_t lost = 0;
};

// What another process says is read like any input: what is missing counts as nothing.
std::uint64_t count_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}
double number_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}
std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? printable_text(found->get<std::string>(), 64) : std::string();
}

Counted counted(const Json& connection) {
  const auto counters = connection.find("counters");
  if (counters == connection.end() || !counters->is_object()) return {};
  return {.sent = count_of(*counters, "bytes_sent"),
          .received = count_of(*counters, "bytes_received"),
          .packets = count_of(*counters, "packets_sent"),
          .lost = count_of(*counters, "packets_lost")};
}

// The process at the socket, look by look.
class Watch {
 public:
  explicit Watch(std::string path) : path_(std::move(path)) {}

  // What it says, with `send_bits_per_second`, `receive_bits_per_second` and `loss` of each connection since the look
  // before; null at the first one, and for a connection that is new. Errors: those of read_control_socket().
  [[nodiscard]] Result<Json> look() {
    const auto text = read_control_socket(path_);
    if (!text) return std::unexpected(text.error());
    Json live = Json::parse(*text, nullptr, false);
    if (!live.is_object() || live.value("schema", Json()) != "godwit-live" || !live["connections"].is_array()) {
      return failure(ErrorCode::kProtocol, "what answers at " + path_ + " is no godwit");
    }
    const double clock = number_of(live, "clock_seconds");
    const double seconds = clock - clock_;
    clock_ = clock;
    std::map<std::uint64_t, Counted> now;
    for (Json& each : live["connections"]) {
      if (!each.is_object()) return failure(ErrorCode::kProtocol, "what answers at " + path_ + " is no godwit");
      const std::uint64_t id = count_of(each, "connection");
      const Counted count = counted(each);
      const auto before = before_.find(id);
      const bool known = before != before_.end() && seconds > 0;
      const auto rate = [&](std::uint64_t Counted::* member) {
        return known ? Json(static_cast<double>(count.*member - before->second.*member) * 8 / seconds) : Json();
      };
      each["send_bits_per_second"] = rate(&Counted::sent);
      each["receive_bits_per_second"] = rate(&Counted::received);
      const std::uint64_t packets = known ? count.packets - before->second.packets : 0;
      each["loss"] = packets > 0
                         ? Json(static_cast<double>(count.lost - before->second.lost) / static_cast<double>(packets))
                         : Json();
      now.emplace(id, count);
    }
    before_ = std::move(now);
    live["schema"] = "godwit-top";
    return live;
  }

 private:
  std::string path_;
  double clock_ = 0;
  std::map<std::uint64_t, Counted> before_;
};

struct Column {
  const char* title;
  std::size_t width;
  std::string (*cell)(const Json& connection);
};

std::string rate_cell(const Json& connection, const char* name) {
  return connection[name].is_number() ? format_rate(connection[name].get<double>()) : "-";
}
std::string round_trip_cell(const Json& connection, const char* name) {
  const double seconds = number_of(connection, name);
  return seconds > 0 ? format_duration(from_seconds(seconds)) : "-";
}

// In order of importance: what a narrow terminal has no room for is left out from the end.
constexpr Column kColumns[] = {
    {"peer", 22, [](const Json& of) { return text_of(of, "remote"); }},
    {"send", 13, [](const Json& of) { return rate_cell(of, "send_bits_per_second"); }},
    {"receive", 13, [](const Json& of) { return rate_cell(of, "receive_bits_per_second"); }},
    {"rtt", 10, [](const Json& of) { return round_trip_cell(of, "smoothed_round_trip_seconds"); }},
    {"loss", 8,
     [](const Json& of) {
       return of["loss"].is_number() ? fmt::format("{:.2f} %", of["loss"].get<double>() * 100) : "-";
     }},
    {"window", 12, [](const Json& of) { return format_bytes(count_of(of, "window_bytes")); }},
    {"in flight", 12, [](const Json& of) { return format_bytes(count_of(of, "bytes_in_flight")); }},
    {"min rtt", 10, [](const Json& of) { return round_trip_cell(of, "minimum_round_trip_seconds"); }},
    {"controller", 24, [](const Json& of) { return text_of(of, "congestion") + ", " + text_of(of, "state"); }},
    {"session", 9, [](const Json& of) { return text_of(of, "form"); }},
};

std::string row(std::size_t columns, const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < columns; ++i) {
    const std::string cell = report::cut_to_columns(cells[i], kColumns[i].width);
    const std::string space(kColumns[i].width - report::display_width(cell), ' ');
    // Names stand left, figures right.
    const bool name = i == 0 || i >= 8;
    line += name ? cell + space : space + cell;
    if (i + 1 < columns) line += "  ";
  }
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

std::string table(const Json& live, std::size_t width) {
  std::size_t columns = 0;
  std::size_t used = 0;
  for (const Column& each : kColumns) {
    used += each.width + (columns > 0 ? 2 : 0);
    if (width > 0 && used > width && columns > 1) break;
    ++columns;
  }
  std::vector<std::string> titles;
  for (const Column& each : kColumns) titles.emplace_back(each.title);
  const std::uint64_t open = live["connections"].size() + count_of(live, "unlisted");
  std::string text = fmt::format(
      "process {}, {}, {} connection{}{}\n", count_of(live, "process"), text_of(live, "local_address"), open,
      open == 1 ? "" : "s",
      count_of(live, "pending_handshakes") > 0 ? fmt::format(", {} handshakes", count_of(live, "pending_handshakes"))
                                               : "");
  text += row(columns, titles) + "\n";
  std::vector<const Json*> connections;
  for (const Json& each : live["connections"]) connections.push_back(&each);
  std::ranges::stable_sort(connections, std::greater<>(), [](const Json* of) {
    return number_of(*of, "send_bits_per_second") + number_of(*of, "receive_bits_per_second");
  });
  for (const Json* const each : connections) {
    std::vector<std::string> cells;
    for (const Column& column : kColumns) cells.push_back(column.cell(*each));
    text += row(columns, cells) + "\n";
  }
  return text;
}

int run_top(const TopOptions& options) {
  const Duration interval = *parse_duration(options.interval);
  if (interval <= Duration::zero()) {
    print_error("--interval is more than 0");
    return kUsage;
  }
  const report::TerminalOptions terminal = report::terminal_options(STDOUT_FILENO);
  const bool redraws = terminal.width > 0 && !options.output.json;
  // Without a terminal there is one look: two of the process, for the rates between them.
  const std::uint64_t looks = options.count > 0 ? options.count : redraws ? UINT64_MAX : 1;
  Watch watch(options.socket);
  auto live = watch.look();
  for (std::uint64_t i = 0; live && i < looks; ++i) {
    // Nothing is to be done at the end: a signal ends the process as it does by default.
    std::this_thread::sleep_for(interval);
    live = watch.look();
    if (!live) break;
    if (options.output.json || !options.output.json_file.empty()) {
      if (!write_json(*live, options.output)) return kFailure;
    }
    if (!options.output.json) print_text((redraws ? "\x1b[H\x1b[2J" : "") + table(*live, terminal.width));
    if (output_lost()) return kSuccess;
  }
  if (live) return kSuccess;
  print_error(live.error().message);
  return live.error().code == ErrorCode::kInvalidArgument ? kUsage : kUnreachable;
}

}  // namespace

void add_top_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* const command =
      app.add_subcommand("top", "Shows the live connections of a process that runs with --control");
  command->add_option("SOCKET", options->socket, "what its --control names")->required()->type_name("FILE");
  command->add_option("-i,--interval", options->interval, "time between looks")
      ->check(check_duration())
      ->type_name("TIME")
      ->capture_default_str();
  command->add_option("-c,--count", options->count, "looks; 0: until Ctrl-C on a terminal, else one")
      ->capture_default_str();
  add_output_options(*command, options->output);
  command->callback([options, &exit_code] { exit_code = run_top(*options); });
}

}  // namespace godwit::cli
