// Sends a list of files and folders, and messages, to one peer over one connection: a few large files at a time and as
// many small ones as the receiver has places for; a folder's own mode and time when all that is in it has been settled.
// The connection is renewed when a key is used up, and followed when the peer connects back over it to prove who this
// side is. Each file succeeds or fails by itself. Fed with the events of its endpoint like PerfClient; ends with a
// result for each file.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "crypto/keypair.h"
#include "runtime/connector.h"
#include "transfer/file_sender.h"

namespace godwit {

struct SentFile {
  std::filesystem::path path;
  std::string name;      // under which it was offered; a path for what is in a folder, ending with "/" for a folder
  std::string own_name;  // what it is called here
  std::uint64_t size = 0;
  std::uint64_t held = 0;  // of it the receiver held already
  std::array<std::uint8_t, kSha256Size> hash{};
  Duration elapsed{};
  std::optional<std::string> failure;  // nothing: the receiver has confirmed
};

class FileSendSession {
 public:
  struct Options {
    std::vector<SocketAddress> addresses;  // of the peer, in order of preference
    PublicKey peer_key;
    std::vector<std::filesystem::path> files;         // and folders
    std::optional<std::string> name;                  // for the receiver, in place of the first file's own
    std::vector<std::vector<std::uint8_t>> messages;  // sent as they are, before the files
    bool resume = false;                              // what the receiver holds of a file is gone on from
    std::size_t parallel = 4;                         // files that are large, or of unknown size, at a time
    // From the threads that read files: makes the loop take a turn.
    std::function<void()> wake;
    // What a person should know on the way: the peer is silent, the connection has been made again. May be null.
    std::function<void(const std::string&)> notice;
  };
  FileSendSession(Endpoint& endpoint, RandomSource& random, Options options);
  ~FileSendSession();

  // Looks at every file, so that one that cannot be read has its result before anything is sent, and connects. With
  // nothing left to send it ends at once. Errors: those of Endpoint::connect.
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
  // Times that the peer fell silent and a new connection took the old one's place.
  [[nodiscard]] std::uint32_t reconnections() const { return reconnections_; }
  [[nodiscard]] const std::vector<SentFile>& results() const { return results_; }
  [[nodiscard]] std::size_t messages_confirmed() const { return messages_confirmed_; }
  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] std::uint64_t sent_bytes() const;
  // The file under way that was begun first; null between files.
  [[nodiscard]] const FileSender* front() const { return active_.empty() ? nullptr : active_.front().sender.get(); }
  // Whether a thread reads a file now; for tests in virtual time.
  [[nodiscard]] bool reading() const;
  // Of all connections of the session.
  [[nodiscard]] ConnectionStatistics statistics() const;

 private:
  // Something to offer.
  struct Item {
    std::filesystem::path path;
    std::filesystem::path folder;  // of the user's, that it is in; empty: none
    std::filesystem::path below;   // its path in that
    std::string own_name;          // before it is made acceptable
    FileReader::Facts facts;
    std::uint64_t group = 0;  // of the folder
    // Of a folder itself. One with something in it waits until that has been settled.
    std::optional<FileAttributes> folder_attributes{};
    bool anew = false;  // what the receiver holds of it is that of another file
    [[nodiscard]] bool is_small() const {
      return folder_attributes || (facts.regular && facts.size <= FileReader::kSmallBytes);
    }
  };
  struct Active {
    std::size_t index;  // in items
    bool small;         // needs no ring and no descriptor of its own
    std::unique_ptr<FileSender> sender;
  };

  void add_file(std::size_t index);
  void add_folder(std::size_t index);
  void add_item(Item item);
  [[nodiscard]] std::string offered_name(std::size_t index, const std::string& own) const;
  [[nodiscard]] Status initiate(Instant now);
  void begin(Instant now);
  void on_closed(Instant now, Closed& closed);
  void await_replacement(Instant now);
  void begin_anew(Instant now);
  void take_back(Instant now);
  void on_suspect(Instant now, Duration silence);
  void pursue(Instant now);
  void notice(const std::string& text) const;
  void settle_failures(Instant now);
  void send_messages(Instant now);
  void start_files(Instant now);
  [[nodiscard]] bool may_start(std::size_t index) const;
  [[nodiscard]] bool start_file(Instant now, std::size_t index);
  [[nodiscard]] Result<std::unique_ptr<FileReader>> open_item(const Item& item) const;
  [[nodiscard]] bool all_settled() const;
  void settle(Instant now);
  void put_back(Instant now, const Active& active);
  void renew(Instant now);
  void end(std::optional<std::string> failure);
  [[nodiscard]] static std::string acceptable_name(const Item& item);
  void record(const Active& active);
  void record_failure(const Item& item, std::string why);

  Endpoint& endpoint_;
  RandomSource& random_;
  Options options_;
  Connector connector_;
  ConnectionId connection_ = 0;  // 0 while connecting
  bool connected_ = false;
  bool reconnecting_ = false;
  std::optional<Instant> replaced_until_;  // the peer connects back: its new session is awaited
  std::optional<Instant> suspect_since_;   // the peer is silent, and connected to again beside the connection
  Instant next_pursuit_{};
  SocketAddress remote_;  // of the connection
  std::uint32_t reconnections_ = 0;
  bool ended_ = false;
  std::optional<std::string> failure_;

  std::vector<Item> items_;          // a file is open only while it is sent
  std::deque<std::size_t> waiting_;  // indexes of items to begin
  std::deque<std::size_t> closing_;  // of folders to begin when all before has been settled
  std::vector<Active> active_;
  std::vector<std::uint64_t> superseded_;  // transfers of a lost connection, to be taken back on the next one
  std::vector<SentFile> results_;
  std::size_t places_;   // files that the receiver lets this side have unfinished, as far as it is known
  std::size_t allowed_;  // of them, while others share its places
  // No place was left although none of ours was taken: again then, and not for ever.
  std::optional<Instant> retry_at_;
  std::optional<Instant> turned_away_since_;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t finished_bytes_ = 0;
  std::deque<std::size_t> messages_waiting_;
  std::map<MessageId, std::size_t> messages_open_;
  std::size_t messages_confirmed_ = 0;
  std::vector<MessageFailed> failed_;  // since the last turn
  ConnectionStatistics past_;
  mutable ConnectionStatistics latest_;
};

}  // namespace godwit
