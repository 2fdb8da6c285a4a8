#include "cli/listen_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/console.h"
#include "cli/json_output.h"
#include "cli/open_node.h"
#include "wire/utf8.h"

namespace godwit::cli {
namespace {

using measure::Json;

// Of each list in the object of --json-file.
constexpr std::size_t kMostEntries = 10'000;
constexpr std::size_t kLongestName = 80;  // columns

constexpr std::size_t kLongestText = 256;  // bytes, escaped: with the rest of the line less than LogLimit::kLineBytes

// Files that were received, whose number is limited by itself.
constexpr LogLimit::Options kFileLimit{.prefix = Rate{.interval = 10ms, .tolerance = 10s},
                                       .network = Rate{.interval = 10ms, .tolerance = 10s},
                                       .all = Rate{.interval = 2ms, .tolerance = 10s}};
constexpr LogLimit::Options kMessageLimit{.prefix = Rate{.interval = 100ms, .tolerance = 40s},
                                          .network = Rate{.interval = 50ms, .tolerance = 40s},
                                          .all = Rate{.interval = 20ms, .tolerance = 40s}};

constexpr std::string_view kMayNotSend = "this peer is not among those that may send";

std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string name_of(const SocketAddress& peer) {
  return peer.is_specified() ? peer.to_string() : "a peer that has left";
}

}  // namespace

ListenLog::ListenLog(const OutputOptions& output, bool notes_only)
    : output_(output), notes_only_(notes_only), files_(kFileLimit), messages_(kMessageLimit) {
  for (Json& list : lists_) list = Json::array();
}

void ListenLog::listening(const Node& node, const TicketOptions& ticket, bool requires_extended) {
  print_listening(node, {.json = output_.json || notes_only_, .json_file = {}}, ticket, requires_extended);
  if (!output_.json) return;
  print_event("listening",
              {{"address", node.local_address().to_string()}, {"public_key", node.endpoint().public_key().to_hex()}});
}

void ListenLog::received(Instant now, const SocketAddress& peer, const Received& file) {
  const bool folder = file.name.ends_with('/');
  const double rate = file.seconds > 0 ? static_cast<double>(file.bytes - file.held) * 8 / file.seconds : 0;
  const std::string held = file.held > 0 ? format_bytes(file.held) + " of it held already, " : "";
  add(now, peer, Kind::kReceived,
      {{"name", file.name},
       {"offered_name", file.offered_name},
       {"bytes", file.bytes},
       {"sha256", file.sha256},
       {"seconds", file.seconds}},
      folder
          ? fmt::format("received the folder {} from {}", printable_text(file.name), name_of(peer))
          : fmt::format("received {}: {} from {} in {:.2f} s, {}{}, sha256 {}", printable_text(file.name),
                        format_bytes(file.bytes), name_of(peer), file.seconds, held, format_rate(rate), file.sha256));
}

void ListenLog::failed(Instant now, const SocketAddress& peer, std::string_view name, std::string_view why) {
  add(now, peer, Kind::kFailed, {{"name", printable_text(name)}, {"reason", printable_text(why)}},
      fmt::format("'{}' from {} was not received: {}", printable_text(name, kLongestName), name_of(peer), why));
}

void ListenLog::refused(Instant now, const SocketAddress& peer, std::string_view name, std::string_view why) {
  add(now, peer, Kind::kRefused, {{"name", printable_text(name)}, {"reason", printable_text(why)}},
      fmt::format("refused '{}' from {}: {}", printable_text(name, kLongestName), name_of(peer), why));
}

void ListenLog::message(Instant now, const SocketAddress& peer, const Message& message) {
  const std::string_view text = text_of(message.text);
  const bool readable = !message.stream && wire::is_valid_utf8(message.text);
  std::string line = fmt::format("{} from {}: {} bytes, sha256 {}", message.stream ? "stream" : "message",
                                 name_of(peer), message.bytes, message.sha256);
  if (!message.stream) {
    const EscapedText shown = escape_text(text, kLongestText);
    line += fmt::format(", text \"{}\"", shown.text);
    if (shown.left_out > 0) line += fmt::format(" and {} bytes more", shown.left_out);
  }
  add(now, peer, Kind::kMessage,
      {{"bytes", message.bytes},
       {"sha256", message.sha256},
       {"stream", message.stream},
       {"text", readable ? Json(text) : Json()},
       {"hex", readable || message.stream ? Json() : Json(to_hex(message.text))}},
      line);
}

void ListenLog::dropped(Instant now, const SocketAddress& peer, std::uint64_t bytes) {
  add(now, peer, Kind::kDropped, {{"bytes", bytes}, {"reason", kMayNotSend}},
      fmt::format("dropped a message of {} bytes from {}: {}", bytes, name_of(peer), kMayNotSend));
}

void ListenLog::add(Instant now, const SocketAddress& peer, Kind kind, Json entry, const std::string& line) {
  constexpr std::string_view kEvents[] = {"received", "failed", "refused", "message", "dropped"};
  const auto index = static_cast<std::size_t>(kind);
  ++counts_[index];
  entry["peer"] = peer.is_specified() ? Json(peer.to_string()) : Json();
  const std::size_t bytes =
      line.size() + (output_.json ? entry.dump(-1, ' ', false, Json::error_handler_t::replace).size() : 0);
  if (limit_of(kind).allow(now, peer, bytes)) {
    if (output_.json) print_event(kEvents[index], entry);
    if (kind == Kind::kFailed) {
      print_peer_error(line);
    } else if (kind == Kind::kRefused || kind == Kind::kDropped) {
      print_warning(line);
    } else if (!output_.json) {
      (notes_only_ ? print_note : print_line)(line);
    }
  }
  if (kind == Kind::kDropped) return;
  if (!output_.json_file.empty() && lists_[index].size() < kMostEntries) lists_[index].push_back(std::move(entry));
}

LogLimit& ListenLog::limit_of(Kind kind) {
  switch (kind) {
    case Kind::kReceived: return files_;
    case Kind::kMessage: return messages_;
    default: return complaints_;
  }
}

void ListenLog::say_left_out(Instant now, bool at_end) {
  for (LogLimit* const limit : {&files_, &messages_, &complaints_}) {
    const auto left_out = limit->poll_left_out(now, at_end);
    if (!left_out) continue;
    if (output_.json) print_event("left_out", {{"lines", left_out->lines}, {"last_about", left_out->prefix}});
    print_note("godwit: " + describe(*left_out));
  }
}

std::optional<Instant> ListenLog::next_timeout() const {
  std::optional<Instant> earliest;
  for (const LogLimit* const limit : {&files_, &messages_, &complaints_}) {
    const auto next = limit->next_timeout();
    if (next && (!earliest || *next < *earliest)) earliest = next;
  }
  return earliest;
}

void ListenLog::print_event(std::string_view event, Json members) const {
  Json line = {{"schema", "godwit-listen-event"}, {"schema_version", 1}, {"event", event}, {"error", nullptr}};
  line.update(members);
  print_json_line(line);
}

bool ListenLog::finish(Instant now, const std::optional<std::string>& error) {
  say_left_out(now, true);
  const Json why = error ? Json(*error) : Json();
  if (output_.json) {
    print_event("end", {{"error", why},
                        {"received", counts_[0]},
                        {"failed", counts_[1]},
                        {"refused", counts_[2]},
                        {"messages", counts_[3]},
                        {"dropped", counts_[4]}});
  }
  OutputOptions file = output_;
  file.json = false;
  return write_json({{"schema", "godwit-listen"},
                     {"schema_version", 1},
                     {"error", why},
                     {"files", lists_[0]},
                     {"failed", lists_[1]},
                     {"refused", lists_[2]},
                     {"messages", lists_[3]}},
                    file);
}

}  // namespace godwit::cli
