// Sends a list of files, and messages, to one peer over one connection: a few files at a time, the connection renewed
// when a key is used up. Fed with the events of its endpoint like PerfClient; ends with a result for each file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/random.h"
#include "crypto/keypair.h"
#include "transfer/file_sender.h"
#include "transfer/statistics_sum.h"

namespace godwit {

struct SentFile {
  std::filesystem::path path;
  std::string name;
  std::uint64_t size = 0;
  std::array<std::uint8_t, kSha256Size> hash{};
  Duration elapsed{};
  std::optional<std::string> failure;  // nothing: the receiver has confirmed
};

class FileSendSession {
 public:
  struct Options {
    SocketAddress peer;
    PublicKey peer_key;
    std::vector<std::filesystem::path> files;
    std::vector<std::vector<std::uint8_t>> messages;  // sent as they are, before the files
    std::size_t parallel = 4;
    // From the threads that read files: makes the loop take a turn.
    std::function<void()> wake;
  };
  FileSendSession(Endpoint& endpoint, RandomSource& random, Options options);
  ~FileSendSession();

  // Looks at every file, so that a wrong name is found before anything is sent, and dials. Errors name the file.
  [[nodiscard]] Status start(Instant now);
  void on_event(Instant now, ConnectionId connection, Event& event);
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  // Tells the receiver that the rest will not come.
  void cancel(Instant now, std::string_view why);

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] bool ended() const { return ended_; }
  // Why the session ended before everything was confirmed; the files that it left behind say the same.
  [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }
  [[nodiscard]] const std::vector<SentFile>& results() const { return results_; }
  [[nodiscard]] std::size_t messages_confirmed() const { return messages_confirmed_; }
  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] std::uint64_t sent_bytes() const;
  // The file under way that was begun first; null between files.
  [[nodiscard]] const FileSender* front() const { return active_.empty() ? nullptr : active_.front().sender.get(); }
  // Of all connections of the session.
  [[nodiscard]] ConnectionStatistics statistics() const;

 private:
  struct Active {
    std::size_t index;  // in files
    std::unique_ptr<FileSender> sender;
  };

  [[nodiscard]] Status dial(Instant now);
  void begin(Instant now);
  void settle_failures(Instant now);
  void send_messages(Instant now);
  void start_files(Instant now);
  [[nodiscard]] bool all_settled() const;
  void settle();
  void renew(Instant now);
  void end(std::optional<std::string> failure);
  void record(const Active& active);

  Endpoint& endpoint_;
  RandomSource& random_;
  Options options_;
  ConnectionId connection_ = 0;
  bool connected_ = false;
  bool redialling_ = false;
  bool ended_ = false;
  std::optional<std::string> failure_;

  std::vector<FileReader::Facts> facts_;  // by index; a file is open only while it is sent
  std::size_t next_ = 0;                  // file to begin
  std::vector<Active> active_;
  std::vector<SentFile> results_;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t finished_bytes_ = 0;
  std::size_t next_message_ = 0;  // to send
  std::unordered_set<MessageId> messages_open_;
  std::size_t messages_confirmed_ = 0;
  std::vector<MessageFailed> failed_;  // since the last turn
  ConnectionStatistics past_;
  mutable ConnectionStatistics latest_;
};

}  // namespace godwit
