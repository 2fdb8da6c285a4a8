// Receives files from every connection of an endpoint (docs/file_transfer.md section 4): judges offers, takes data
// streams apart into blocks for a FileStore, grants credit as blocks reach the disk, confirms what was verified. An
// offer costs its sender next to nothing, so what it takes - a place, space of the disk, a part of the totals - is its
// source's share at most (source_shares.h), and is for whoever needs it when the sender does not (least_rate.h).
// Messages and streams of other applications are handed over as well. Everything a peer says is hostile: a broken rule
// fails its transfer. Fed with the endpoint's events like PerfServer; prints nothing, tells an Observer.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "crypto/keypair.h"
#include "transfer/control.h"
#include "transfer/file_store.h"
#include "transfer/place_quota.h"
#include "transfer/source_shares.h"
#include "transfer/stream_inbox.h"

namespace godwit {

struct FileReceiverLimits {
  std::uint64_t largest_file = std::uint64_t{1} << 40;
  // Of all files accepted in this process; absent: no limit. When they are used up nothing is accepted any more, not
  // even what is empty.
  std::optional<std::uint64_t> all_bytes{};
  std::optional<std::uint64_t> all_files{};
  std::size_t files_of_a_peer = 64;                       // unfinished, as far as PlaceQuota leaves places
  std::size_t files = 256;                                // unfinished
  std::uint64_t window = std::uint64_t{4} << 20;          // of a stream, at most
  std::uint64_t block_memory = std::uint64_t{256} << 20;  // what windows may add up to before they shrink
};

struct ReceivedFile {
  std::string name;     // the final one; of something in a folder its path, of a folder one that ends with "/"
  std::string offered;  // what the sender called it: hostile
  std::uint64_t size = 0;
  std::uint64_t held = 0;  // of it, from an earlier time
  std::array<std::uint8_t, kSha256Size> hash{};
  Duration elapsed{};
};

class FileReceiver {
 public:
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void on_file_received(ConnectionId connection, const ReceivedFile& file) = 0;
    // `name` is acceptable (file_name.h); `why` may hold the peer's own words.
    virtual void on_file_failed(ConnectionId connection, const std::string& name, const std::string& why) = 0;
    virtual void on_file_refused(ConnectionId connection, std::string_view name, std::string_view why) = 0;
    // A short message, or a whole stream, that is none of this protocol's.
    // `text`: the message itself, valid during the call; empty for a stream.
    virtual void on_message(ConnectionId connection, std::uint64_t bytes,
                            const std::array<std::uint8_t, kSha256Size>& hash, bool stream, ByteView text) = 0;
    // The same of a connection that may not send.
    virtual void on_message_dropped([[maybe_unused]] ConnectionId connection, [[maybe_unused]] std::uint64_t bytes) {}
  };
  struct Options {
    FileReceiverLimits limits;
    // Whether a connection may send files and messages; null: every one may.
    std::function<bool(ConnectionId)> may_send;
    // It takes one file, whatever becomes of it, and refuses all that follow.
    bool one_file = false;
    // The key that a connection has proved, if it has; null: none has. What was kept of a file is its sender's.
    std::function<std::optional<PublicKey>(ConnectionId)> proven_key{};
  };
  // All outlive it.
  FileReceiver(Endpoint& endpoint, FileStore& store, Options options, Observer& observer);
  ~FileReceiver();

  void on_event(Instant now, ConnectionId connection, Event& event);
  // Takes what the store has done; once a turn.
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  // Fails what is unfinished, with a word to its senders.
  void cancel_all(Instant now, std::string_view why);

  [[nodiscard]] std::size_t unfinished() const { return transfers_.size(); }
  // For a progress bar: the unfinished transfer that was begun first.
  struct Progress {
    std::string name;
    std::uint64_t received = 0;
    std::uint64_t size = 0;
  };
  [[nodiscard]] std::optional<Progress> progress() const;
  [[nodiscard]] std::uint64_t malformed() const { return malformed_; }
  // Times that the file system was asked how much it has left.
  [[nodiscard]] std::uint64_t space_asked() const { return space_asked_; }

 private:
  class Peer;
  struct Transfer;
  struct Piece;

  void on_control(Instant now, Peer& peer, const ControlMessage& message);
  void on_offer(Instant now, Peer& peer, const FileOffer& offer);
  void on_finish(Instant now, Peer& peer, const FileFinish& finish);
  void on_completion(Instant now, const FileStore::Completion& completion);
  void on_written(Instant now, Transfer& transfer, const FileStore::Completion& completion);
  using Refusal = std::pair<RefuseCode, std::string>;
  [[nodiscard]] std::optional<Refusal> judge(Instant now, const Peer& peer, const FileOffer& offer);
  [[nodiscard]] std::optional<Refusal> judge_totals(Instant now, const Peer& peer, std::uint64_t size);
  struct Total;
  [[nodiscard]] bool total_has(const Total& total, const Peer& peer, std::uint64_t amount) const;
  [[nodiscard]] bool has_place(Instant now, const Peer& peer);
  [[nodiscard]] bool has_space(Instant now, const Peer& peer, std::uint64_t bytes);
  [[nodiscard]] Transfer* choose_place(Instant now, const Peer& peer);
  // Takes what idle transfers of larger sources hold until there is enough; false when there is not.
  struct Claim;
  [[nodiscard]] bool make_room(Instant now, const Peer& peer, const Claim& claim);
  void ask_for_space(Instant now);
  void evict(Instant now, Transfer& transfer);
  [[nodiscard]] bool may_send(ConnectionId connection) const;
  [[nodiscard]] bool take_over(Instant now, const Peer& peer, Transfer& transfer, const FileOffer& offer);
  void refuse(Instant now, const Peer& peer, const FileOffer& offer, const Refusal& why);
  void accept(Instant now, Peer& peer, const FileOffer& offer, std::string kept_as);
  [[nodiscard]] std::string kept_name(const Peer& peer, const FileOffer& offer) const;
  [[nodiscard]] bool free_kept(Instant now, const Peer& peer, const FileOffer& offer, std::string& kept_as);
  void on_created(Instant now, Transfer& transfer, const FileStore::Completion& completion);
  void count_set_aside(Transfer& transfer, std::uint64_t bytes);
  void send_accept(Instant now, const Transfer& transfer);
  [[nodiscard]] std::uint64_t choose_window(std::uint64_t size) const;
  [[nodiscard]] static bool is_held_by_transport(const Peer& peer, const Transfer& transfer);
  [[nodiscard]] Transfer* find(std::uint64_t id);
  [[nodiscard]] Transfer* find(ConnectionId connection, std::uint64_t id);
  [[nodiscard]] bool begin_piece(Instant now, Peer& peer, InboundStream& stream);
  [[nodiscard]] bool add_bytes(Instant now, InboundStream& stream, ByteView bytes);
  void flush(Instant now, Piece& piece);
  void end_piece(Instant now, Piece& piece);
  void check_complete(Transfer& transfer);
  void fail(Instant now, Transfer& transfer, std::string why, bool tell_peer);
  void turn_away(Instant now, Transfer& transfer, const std::string& why);
  void drop(Transfer& transfer, const std::string& why, bool keep = true);
  void remember_lost(const Transfer& transfer);
  void uncount(Transfer& transfer);
  void erase(Transfer& transfer);
  [[nodiscard]] Peer& peer_of(ConnectionId connection);
  void on_closed(Instant now, ConnectionId connection, const Closed& closed);

  Endpoint& endpoint_;
  FileStore& store_;
  Options options_;
  Observer& observer_;
  std::map<ConnectionId, std::unique_ptr<Peer>> peers_;
  std::map<FileStore::FileId, std::unique_ptr<Transfer>> transfers_;  // in order of their beginning
  FileStore::FileId next_file_ = 1;
  std::uint64_t reserved_ = 0;  // memory that the windows of all transfers add up to
  PlaceQuota places_;
  SourceShares bytes_;  // accepted, where there is a limit on all
  SourceShares files_;
  SourceShares space_;  // of the disk that was promised, and is not set aside yet
  // Bytes of the disk that nobody has been promised, as of the last time the system was asked, less what has been
  // promised since. Absent: the system does not say.
  std::optional<std::uint64_t> space_left_;
  std::optional<Instant> space_asked_at_;
  std::uint64_t space_asked_ = 0;
  std::uint64_t malformed_ = 0;
  bool one_taken_ = false;  // Options::one_file
  // Numbers of the last transfers that ended with bytes while their connections were being renewed: their senders may
  // not know.
  std::deque<std::uint64_t> lost_;
  // What was kept of files and read lately: reading it costs its sender nothing.
  std::deque<std::pair<std::string, Instant>> kept_read_;
  Instant next_scan_{};
  std::vector<FileStore::Completion> completions_;
};

}  // namespace godwit
