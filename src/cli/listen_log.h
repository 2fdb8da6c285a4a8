// What `godwit listen` says of each file and message: lines for people, or with --json one object a line as it happens.
// Lines about peers are limited (log_limit.h): those of files that arrived generously, since they are what the command
// is for; messages, of which a line shows the beginning, less so; refusals and failures, which cost a stranger nothing,
// strictly.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "cli/log_limit.h"
#include "cli/network_options.h"
#include "support/json.h"

namespace godwit::cli {

class ListenLog {
 public:
  // `output` outlives it. `notes_only`: standard output has other things to carry, and every line is a note.
  ListenLog(const OutputOptions& output, bool notes_only);

  void listening(const Node& node, const TicketOptions& ticket, bool requires_extended);

  struct Received {
    std::string_view name;  // the final one
    std::string_view offered_name;
    std::uint64_t bytes = 0;
    std::uint64_t held = 0;  // of them, from an earlier time
    std::string sha256;
    double seconds = 0;
  };
  void received(Instant now, const SocketAddress& peer, const Received& file);
  // The peer's own words may be in both.
  void failed(Instant now, const SocketAddress& peer, std::string_view name, std::string_view why);
  void refused(Instant now, const SocketAddress& peer, std::string_view name, std::string_view why);
  struct Message {
    std::uint64_t bytes = 0;
    std::string sha256;
    bool stream = false;
    ByteView text;  // of a short message; not of a stream
  };
  void message(Instant now, const SocketAddress& peer, const Message& message);
  // A message or stream of a peer that may not send.
  void dropped(Instant now, const SocketAddress& peer, std::uint64_t bytes);

  // Says how many lines were left out; once a turn.
  void on_turn(Instant now) { say_left_out(now, false); }
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  // The last line of --json, and the object of --json-file. `error`: why the command failed.
  [[nodiscard]] bool finish(Instant now, const std::optional<std::string>& error);

 private:
  enum class Kind : std::uint8_t { kReceived, kFailed, kRefused, kMessage, kDropped };

  void add(Instant now, const SocketAddress& peer, Kind kind, measure::Json entry, const std::string& line);
  [[nodiscard]] LogLimit& limit_of(Kind kind);
  void say_left_out(Instant now, bool at_end);
  void print_event(std::string_view event, measure::Json members) const;

  const OutputOptions& output_;
  const bool notes_only_;
  LogLimit files_;
  LogLimit messages_;
  LogLimit complaints_;
  measure::Json lists_[4];  // of --json-file, by Kind
  std::uint64_t counts_[5] = {};
};

}  // namespace godwit::cli
