// `godwit send`: files, folders and messages to one peer; done when the receiver has confirmed each.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/loop.h"
#include "cli/open_node.h"
#include "runtime/clock.h"
#include "transfer/file_name.h"
#include "transfer/file_send_session.h"
#include "wire/limits.h"

namespace godwit::cli {
namespace {

struct SendCommandOptions {
  NetworkOptions network;
  PeerOptions peer;
  OutputOptions output;
  std::vector<std::string> files;
  std::string name;
  bool resume = false;
  std::vector<std::string> messages;
};

class SendCommand final : public LoopCommand {
 public:
  SendCommand(const SendCommandOptions& options, const OpenedNode& opened)
      : options_(options),
        session_(opened.node->endpoint(), opened.node->random(), make_session_options(options, opened)) {}

  [[nodiscard]] Status start() { return session_.start(boot_time_now()); }
  void cancel() { session_.cancel(boot_time_now(), "interrupted"); }
  [[nodiscard]] const FileSendSession& session() const { return session_; }

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    session_.on_event(now, connection, event);
  }
  void on_turn(Instant now) override {
    session_.on_turn(now);
    for (; reported_ < session_.results().size(); ++reported_) report(session_.results()[reported_]);
    if (const FileSender* const sender = session_.front()) {
      bar_.update(now, sender->name(), session_.sent_bytes(), session_.total_bytes());
    }
  }
  [[nodiscard]] std::optional<Instant> next_timeout() const override { return session_.next_timeout(); }
  [[nodiscard]] bool done() const override { return session_.ended(); }
  void clear_progress() { bar_.clear(); }

 private:
  static FileSendSession::Options make_session_options(const SendCommandOptions& options, const OpenedNode& opened) {
    FileSendSession::Options session{.addresses = opened.addresses, .peer_key = opened.peer_key};
    for (const std::string& file : options.files) session.files.emplace_back(file);
    if (!options.name.empty()) session.name = options.name;
    session.resume = options.resume;
    for (const std::string& text : options.messages) session.messages.emplace_back(text.begin(), text.end());
    session.wake = [node = opened.node.get()] { node->wake(); };
    session.notice = [](const std::string& text) { print_note("godwit: " + text); };
    return session;
  }

  void report(const SentFile& file) {
    // What ended the session is said once, not for every file that it left behind.
    if (file.failure && file.failure == session_.failure()) return;
    bar_.clear();
    if (file.failure) {
      print_error(*file.failure);
      return;
    }
    if (file.name != file.own_name && file.path != "-" && options_.name.empty()) {
      print_note("'" + printable_text(file.own_name, 80) + "' was sent as '" + file.name + "'");
    }
    if (options_.output.json) return;
    if (is_folder_path(file.name)) return print_line(fmt::format("sent the folder {}", printable_text(file.name)));
    const double seconds = to_seconds(file.elapsed);
    const double rate = seconds > 0 ? static_cast<double>(file.size - file.held) * 8 / seconds : 0;
    const std::string held = file.held > 0 ? format_bytes(file.held) + " of it held already, " : "";
    print_line(fmt::format("sent {}: {} in {:.2f} s, {}{}, sha256 {}, confirmed", printable_text(file.name),
                           format_bytes(file.size), seconds, held, format_rate(rate), to_hex(file.hash)));
  }

  const SendCommandOptions& options_;
  FileSendSession session_;
  ProgressBar bar_;
  std::size_t reported_ = 0;
};

measure::Json to_json(const FileSendSession& session) {
  measure::Json files = measure::Json::array();
  for (const SentFile& file : session.results()) {
    const double seconds = to_seconds(file.elapsed);
    const bool confirmed = !file.failure;
    files.push_back(
        {{"name", printable_text(file.name)},
         {"bytes", file.size},
         {"held_bytes", file.held},
         {"confirmed", confirmed},
         {"sha256", confirmed ? measure::Json(to_hex(file.hash)) : measure::Json()},
         {"seconds", confirmed ? measure::Json(seconds) : measure::Json()},
         {"goodput_bits_per_second",
          confirmed && seconds > 0 ? measure::Json(static_cast<double>(file.size) * 8 / seconds) : measure::Json()},
         {"reason", confirmed ? measure::Json() : measure::Json(printable_text(*file.failure))}});
  }
  const ConnectionStatistics path = session.statistics();
  return {{"schema", "godwit-send"},
          {"schema_version", 1},
          {"files", std::move(files)},
          {"messages_confirmed", session.messages_confirmed()},
          {"packets_sent", path.packets_sent},
          {"retransmitted_packets", path.packets_retransmitted},
          {"lost_packets", path.packets_lost},
          {"round_trip_seconds", to_seconds(path.smoothed_round_trip)},
          {"path", path.path},
          {"reconnections", session.reconnections()}};
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

// What can be known to be wrong before any attempt to connect.
Status check(const SendCommandOptions& options) {
  if (options.files.empty() && options.messages.empty()) {
    return failure(ErrorCode::kInvalidArgument, "nothing to send: name a FILE or a --message");
  }
  for (const std::string& text : options.messages) {
    if (text.empty() || text.size() > wire::kShortMessageLimit) {
      return failure(ErrorCode::kInvalidArgument,
                     fmt::format("a message has 1 to {} bytes, not {}", wire::kShortMessageLimit, text.size()));
    }
  }
  if (!options.name.empty() && options.files.size() != 1) {
    return failure(ErrorCode::kInvalidArgument, "--name is for one FILE");
  }
  if (options.resume && std::ranges::any_of(options.files, is_folder)) {
    return failure(ErrorCode::kInvalidArgument, "--resume is for files, not for folders");
  }
  if (std::ranges::count(options.files, "-") > 1) {
    return failure(ErrorCode::kInvalidArgument, "standard input ('-') can be sent once");
  }
  return {};
}

// Each file succeeds or fails by itself; where none can be read there is nobody to connect to.
bool nothing_readable(const SendCommandOptions& options) {
  if (!options.messages.empty()) return false;
  std::vector<Error> problems;
  for (const std::string& file : options.files) {
    auto facts = FileReader::inspect(file);
    if (facts || is_folder(file)) return false;
    problems.push_back(std::move(facts.error()));
  }
  for (const Error& problem : problems) print_error(problem.message);
  return true;
}

// Of several files, each of which has had a line of its own.
void print_sum(std::span<const SentFile> results) {
  const auto is_file = [](const SentFile& each) { return !is_folder_path(each.name); };
  const auto files = std::ranges::count_if(results, is_file);
  if (files < 2) return;
  std::uint64_t bytes = 0;
  for (const SentFile& each : results) bytes += each.size;
  print_line(fmt::format("{} files, {} in all, each confirmed", files, format_bytes(bytes)));
}

int run_send(const SendCommandOptions& options) {
  if (const Status fine = check(options); !fine) {
    print_error(fine.error().message);
    return kUsage;
  }
  if (nothing_readable(options)) return kUsage;
  auto opened = open_client(options.network, options.peer, make_node_config(options.network));
  if (!opened) {
    print_error(opened.error().message);
    return exit_code_of(opened.error());
  }
  SendCommand command(options, *opened);
  if (const Status started = command.start(); !started) {
    print_error(started.error().message);
    return kUsage;
  }
  Loop loop(*opened->node, command);
  const bool finished = loop.run();
  if (!finished) command.cancel();
  command.clear_progress();
  loop.close_all(finished ? "done" : "interrupted");
  const FileSendSession& session = command.session();
  bool confirmed = !session.failure();
  for (const SentFile& file : session.results()) confirmed = confirmed && !file.failure;
  if (session.failure()) print_error(*session.failure());
  if (confirmed && !options.output.json) {
    const ConnectionStatistics path = session.statistics();
    if (const std::size_t count = session.messages_confirmed(); count > 0)
      print_line(fmt::format("{} message{} confirmed", count, count == 1 ? "" : "s"));
    print_sum(session.results());
    print_line(fmt::format("{} packets, {} resent, round trip {}", path.packets_sent, path.packets_retransmitted,
                           format_duration(path.smoothed_round_trip)));
  }
  if (!write_json(to_json(session), options.output)) return kFailure;
  if (!finished) return kInterrupted;
  if (!session.connected() && session.failure()) return kUnreachable;
  return confirmed ? kSuccess : kFailure;
}

}  // namespace

void add_send_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SendCommandOptions>();
  CLI::App* const command =
      app.add_subcommand("send", "Sends files and folders; ends well when the receiver has confirmed each");
  add_peer_options(*command, options->peer);
  command->add_option("FILE", options->files, "files and folders to send; - is standard input");
  command->add_option("--name", options->name, "name of the one FILE for the receiver")->type_name("TEXT");
  command->add_flag("--resume", options->resume,
                    "go on from what the receiver holds of a FILE, and have it keep what has come if this is cut off");
  command->add_option("--message", options->messages, "a text to send as one short message, before the files")
      ->allow_extra_args(false)  // what follows are files
      ->type_name("TEXT");
  add_output_options(*command, options->output);
  add_network_options(*command, options->network);
  command->remove_option(command->get_option("--window"));  // of streams to this side, of which there are none
  command->callback([options, &exit_code] { exit_code = run_send(*options); });
}

}  // namespace godwit::cli
