// `godwit listen`: receives files into a folder, and tells of messages, until Ctrl-C; or one file to standard output.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/file_destination.h"
#include "cli/listen_log.h"
#include "cli/loop.h"
#include "cli/open_node.h"
#include "cli/outbound_peers.h"
#include "cli/values.h"
#include "cli/via.h"
#include "runtime/clock.h"
#include "runtime/resolve.h"
#include "transfer/file_receiver.h"

namespace godwit::cli {
namespace {

struct ListenOptions {
  NetworkOptions network;
  OutputOptions output;
  TicketOptions ticket;
  std::string folder;  // empty: the default one; "-": standard output
  std::string largest_file;
  std::string all_bytes;
  std::uint64_t all_files = 100'000;
  std::vector<std::string> allow;
  bool anyone = false;
  std::vector<std::string> connect;  // HEX@ADDR:PORT
  bool once = false;
  bool sync = false;

  [[nodiscard]] bool to_standard_output() const { return folder == "-"; }
};

Result<std::vector<OutboundPeers::Peer>> parse_outbound(const std::vector<std::string>& texts) {
  std::vector<OutboundPeers::Peer> peers;
  for (const std::string& text : texts) {
    const std::size_t at = text.find('@');
    const auto key = PublicKey::from_hex(text.substr(0, at));
    if (at == std::string::npos || !key) {
      return failure(ErrorCode::kInvalidArgument, "'" + text + "' is not a peer to connect to (HEX@ADDR:PORT)");
    }
    auto addresses = resolve_peer(text.substr(at + 1));
    if (!addresses) return std::unexpected(addresses.error());
    peers.push_back({.addresses = std::move(*addresses), .key = *key});
  }
  return peers;
}

class ListenCommand final : public LoopCommand, public FileReceiver::Observer {
 public:
  ListenCommand(const ListenOptions& options, const std::vector<OutboundPeers::Peer>& outbound, Node& node,
                FileStore& store)
      : options_(options),
        node_(node),
        outbound_(node.endpoint(), outbound),
        receiver_(node.endpoint(), store, make_receiver_options(), *this),
        log_(options.output, options.to_standard_output()) {
    for (const std::string& text : options.allow) allowed_.push_back(*PublicKey::from_hex(text));
  }

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    if (const auto* connected = std::get_if<Connected>(&event)) {
      remotes_[connection] = connected->remote;
      if (connected->form == SessionForm::kExtended) proven_[connection] = *connected->peer->key;
    }
    // Nothing that a connection without a proven key says is judged when it is about to be proven.
    if (proven_.contains(connection) || !outbound_.on_event(now, connection, event)) {
      receiver_.on_event(now, connection, event);
    }
    if (!std::holds_alternative<Closed>(event)) return;
    remotes_.erase(connection);
    proven_.erase(connection);
    if (folder_senders_.erase(connection) > 0) end_once(connection, true);
    if (connection == last_connection_) sender_left_ = true;
  }

  void on_turn(Instant now) override {
    outbound_.on_turn(now);
    now_ = now;
    receiver_.on_turn(now);
    log_.on_turn(now);
    if (const auto progress = receiver_.progress(); progress && bar_.visible()) {
      if (progress->name != shown_) {
        shown_ = progress->name;
        bar_.restart(now);
      }
      bar_.update(now, progress->name, progress->received, progress->size);
    }
  }

  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    std::optional<Instant> next = earliest(receiver_.next_timeout(), outbound_.next_timeout());
    next = earliest(next, log_.next_timeout());
    if (finished_at_) next = earliest(next, *finished_at_ + kLinger);
    return next;
  }
  // With --once: the confirmation has had the time to arrive.
  [[nodiscard]] bool done() const override { return finished_at_ && (sender_left_ || now_ >= *finished_at_ + kLinger); }
  [[nodiscard]] bool failed() const { return failed_; }
  // A signal is how a listener ends; but a file, or the one that --once waits for, was cut off by it.
  [[nodiscard]] bool has_work() const { return ends_after_one() || receiver_.unfinished() > 0; }
  void on_admitted(const PublicKey& key) override { allowed_.push_back(key); }
  void cancel(Instant now) { receiver_.cancel_all(now, "the receiver ends"); }

  void on_file_received(ConnectionId connection, const ReceivedFile& file) override {
    bar_.clear();
    log_.received(now_, remote_of(connection),
                  {.name = file.name,
                   .offered_name = file.offered,
                   .bytes = file.size,
                   .held = file.held,
                   .sha256 = to_hex(file.hash),
                   .seconds = to_seconds(file.elapsed)});
    if (is_within_folder(connection, file.name, false)) return;
    end_once(connection, folder_senders_.contains(connection) && folder_senders_[connection]);
  }
  void on_file_failed(ConnectionId connection, const std::string& name, const std::string& why) override {
    bar_.clear();
    log_.failed(now_, remote_of(connection), name, why);
    if (!is_within_folder(connection, name, true)) end_once(connection, true);
  }
  void on_file_refused(ConnectionId connection, std::string_view name, std::string_view why) override {
    bar_.clear();
    log_.refused(now_, remote_of(connection), name, why);
  }
  void on_message(ConnectionId connection, std::uint64_t bytes, const std::array<std::uint8_t, kSha256Size>& hash,
                  bool stream, ByteView text) override {
    bar_.clear();
    log_.message(now_, remote_of(connection), {.bytes = bytes, .sha256 = to_hex(hash), .stream = stream, .text = text});
  }

  void on_message_dropped(ConnectionId connection, std::uint64_t bytes) override {
    bar_.clear();
    log_.dropped(now_, remote_of(connection), bytes);
  }

  [[nodiscard]] ListenLog& log() { return log_; }

 private:
  static constexpr Duration kLinger = 2s;

  [[nodiscard]] bool ends_after_one() const { return options_.once || options_.to_standard_output(); }

  [[nodiscard]] FileReceiver::Options make_receiver_options() {
    FileReceiver::Options result;
    FileReceiverLimits& limits = result.limits;
    if (const auto bytes = parse_size(options_.largest_file)) limits.largest_file = *bytes;
    limits.all_bytes = parse_size(options_.all_bytes);
    limits.all_files = options_.all_files;
    limits.window = grant_windows(node_, options_.network, 2, true).stream;
    result.one_file = options_.to_standard_output();
    result.proven_key = [this](ConnectionId connection) { return proven_key(connection); };
    if (!options_.allow.empty() || options_.ticket.code.given()) {
      result.may_send = [this](ConnectionId connection) { return is_allowed(connection); };
    }
    return result;
  }

  // A connection of this side comes about only when the peer has proved its key (run_listen demands it), and so does
  // any extended session.
  [[nodiscard]] std::optional<PublicKey> proven_key(ConnectionId connection) const {
    if (const auto proven = proven_.find(connection); proven != proven_.end()) return proven->second;
    const PublicKey* const key = outbound_.key_of(connection);
    return key == nullptr ? std::nullopt : std::optional(*key);
  }
  [[nodiscard]] bool is_allowed(ConnectionId connection) const {
    const auto key = proven_key(connection);
    return key && std::ranges::find(allowed_, *key) != allowed_.end();
  }

  [[nodiscard]] SocketAddress remote_of(ConnectionId connection) const {
    const auto found = remotes_.find(connection);
    return found == remotes_.end() ? SocketAddress() : found->second;
  }
  // A folder ends with itself, after all that is in it, or with the connection. Notes it, and whether something failed.
  [[nodiscard]] bool is_within_folder(ConnectionId connection, const std::string& name, bool failed) {
    const std::size_t first = name.find('/');
    if (first == std::string::npos || !remotes_.contains(connection)) return false;
    bool& any_failed = folder_senders_[connection];
    any_failed = any_failed || failed;
    return first + 1 < name.size();
  }
  void end_once(ConnectionId connection, bool failed) {
    if (!ends_after_one() || finished_at_) return;
    failed_ = failed;
    finished_at_ = now_;
    last_connection_ = connection;
    sender_left_ = !remotes_.contains(connection);
  }

  const ListenOptions& options_;
  Node& node_;
  OutboundPeers outbound_;
  std::vector<PublicKey> allowed_;
  std::map<ConnectionId, SocketAddress> remotes_;
  std::map<ConnectionId, PublicKey> proven_;     // of extended sessions
  std::map<ConnectionId, bool> folder_senders_;  // connections that send a folder; whether something in it failed
  FileReceiver receiver_;
  ListenLog log_;
  ProgressBar bar_;
  std::string shown_;
  Instant now_ = boot_time_now();
  std::optional<Instant> finished_at_;  // --once: its file has ended
  ConnectionId last_connection_ = 0;
  bool sender_left_ = false;
  bool failed_ = false;
};

// Who may send is the first thing to know about a receiver that strangers can reach.
void say_who_may_send(const ListenOptions& options, const std::vector<OutboundPeers::Peer>& outbound) {
  for (const std::string& text : options.allow) {
    if (std::ranges::find(outbound, *PublicKey::from_hex(text), &OutboundPeers::Peer::key) != outbound.end()) continue;
    if (options.network.extended != "off") continue;  // it proves its key by itself
    print_warning("a peer that connects here proves no key: every file of --allow " + text +
                  " is refused, unless this listener connects to it (--connect " + text + "@ADDR:PORT)");
  }
  if (!options.allow.empty() || options.ticket.code.given()) return;
  const std::string anyone = "anyone who knows this address and key can send files and messages";
  if (options.anyone) {
    print_note(anyone + ", as --anyone says");
  } else {
    print_warning(anyone + "; --allow HEX restricts it, --anyone says that it is meant");
  }
}

int run_listen(const ListenOptions& options) {
  auto outbound = parse_outbound(options.connect);
  if (!outbound) {
    print_error(outbound.error().message);
    return kUsage;
  }
  if (options.to_standard_output() && options.output.json) {
    print_error("--json and --output - would both write to standard output: --json-file FILE is for both");
    return kUsage;
  }
  if (options.anyone && options.ticket.code.given()) {
    print_error("a one-time code is for one peer, and --anyone lets all others in");
    return kUsage;
  }
  NodeConfig config = make_node_config(options.network);
  config.endpoint.handshake.require_authenticated_peer = !outbound->empty() || !options.ticket.via.empty();
  if (const Status possible = check_rendezvous(config, !options.ticket.via.empty()); !possible) {
    print_error(possible.error().message);
    return kUsage;
  }
  auto opened = open_server(options.network, std::move(config));
  if (!opened) {
    print_error(opened.error().message);
    return exit_code_of(opened.error());
  }
  Node& node = *opened->node;
  auto destination =
      FileDestination::open({.output = options.folder, .sync = options.sync, .wake = [&node] { node.wake(); }});
  if (!destination) {
    print_error(destination.error().message);
    return kUsage;
  }
  ListenCommand command(options, *outbound, node, (*destination)->store());
  TicketOptions ticket = options.ticket;
  const auto mapper = map_port(node, ticket);
  auto findable = make_findable(command, node, ticket, mapper.get());
  if (!findable) {
    print_error(findable.error().message);
    return exit_code_of(findable.error());
  }
  Loop loop(node, **findable);
  command.log().listening(node, ticket, options.network.extended == "require");
  if (options.folder.empty()) {
    (options.output.json ? print_note : print_line)("files go to " + printable_text((*destination)->folder().string()));
  }
  say_who_may_send(options, *outbound);
  const bool finished = loop.run();
  const bool interrupted = !finished && command.has_work();
  if (!finished) command.cancel(boot_time_now());
  loop.close_all("the receiver ends");
  std::optional<std::string> error;
  if (interrupted) error = "interrupted";
  if (finished && command.failed()) error = "the file was not received";
  if (const auto& no_peer = (*findable)->failure()) {
    print_error(no_peer->message);
    error = no_peer->message;
  }
  if (!command.log().finish(boot_time_now(), error)) return kFailure;
  if (interrupted) return kInterrupted;
  if ((*findable)->failure()) return kUnreachable;
  return finished && command.failed() ? kFailure : kSuccess;
}

}  // namespace

void add_listen_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ListenOptions>();
  CLI::App* const command = app.add_subcommand("listen", "Receives files and messages until Ctrl-C");
  command
      ->add_option(
          "--output", options->folder,
          "folder for received files; none is ever overwritten; default: godwit in your download folder; -: the "
          "bytes of one file to standard output, and then end")
      ->type_name("DIR");
  command->add_flag("--once", options->once,
                    "end after the first file: code 0 when it is complete and verified, else 1");
  CLI::Option* const allow =
      command
          ->add_option("--allow", options->allow,
                       "refuse files and messages from all but authenticated peers with these keys")
          ->check(check_public_key())
          ->allow_extra_args(false)
          ->type_name("HEX");
  command->add_flag("--anyone", options->anyone, "take files from anyone: it is said at the start, without a warning")
      ->excludes(allow);
  command->add_option("--connect", options->connect, "connect to this peer, so that it can be authenticated")
      ->allow_extra_args(false)
      ->type_name("HEX@ADDR:PORT");
  // The option's former name, which help does not show.
  command
      ->add_option_function<std::vector<std::string>>("--dial",
                                                      [options](const std::vector<std::string>& peers) {
                                                        options->connect.insert(options->connect.end(), peers.begin(),
                                                                                peers.end());
                                                      })
      ->allow_extra_args(false)
      ->group("");
  command->add_option("--max-file", options->largest_file, "refuse larger files; default 1T")
      ->check(check_size())
      ->type_name("SIZE");
  command
      ->add_option(
          "--max-total", options->all_bytes,
          "refuse files beyond so many bytes in all; without --allow each network has its share; default: no limit")
      ->check(check_size())
      ->type_name("SIZE");
  command
      ->add_option("--max-files", options->all_files,
                   "refuse files beyond so many in all; without --allow each network has its share")
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--sync", options->sync, "confirm a file only when the disk holds it, not the system's cache");
  add_ticket_options(*command, options->ticket);
  add_via_option(*command, options->ticket);
  add_code_options(*command, options->ticket.code);
  add_port_mapping_option(*command, options->ticket);
  add_output_options(*command, options->output);
  add_network_options(*command, options->network);
  command->callback([options, &exit_code] { exit_code = run_listen(*options); });
}

}  // namespace godwit::cli
