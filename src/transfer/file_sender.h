// One file to one peer (docs/file_transfer.md section 4): offer, data streams one after another within the receiver's
// credit and as far as the file has been read, the hash, the receiver's confirmation. The hash of a small file follows
// its bytes without waiting for them to be acknowledged: two round trips in all. A state machine without I/O but
// for its FileReader. Owned by FileSendSession, which feeds it the events of the connection.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "transfer/control.h"
#include "transfer/file_reader.h"
#include "transport/endpoint.h"

namespace godwit {

class FileSender {
 public:
  enum class State : std::uint8_t {
    kPreparing,  // its size is not known yet
    kOffered,    // the receiver has not answered
    kSending,
    kConfirming,  // the hash is sent, the receiver compares
    kDone,
    kFailed,
    kTurnedAway,  // the receiver has no place for another file now: to be offered again later
    kDiffers,     // what the receiver holds is not the beginning of the file: to be offered again, to start anew
  };
  // What the file is offered as, beside its name.
  struct Terms {
    std::uint64_t group = 0;  // as FileOffer's
    bool resume = false;      // what the receiver holds is gone on from
    bool anew = false;        // with resume: it is to be forgotten
  };
  // Streams of a transfer that may be unconfirmed at a time, here and at the receiver.
  static constexpr std::size_t kMaxStreams = 4;

  // `transfer` names it and is hard to guess: it is also what finds the transfer again after the connection was
  // renewed. `name` is an acceptable name or, in a group, path (file_name.h).
  FileSender(Endpoint& endpoint, std::uint64_t transfer, std::unique_ptr<FileReader> file, std::string name,
             const Terms& terms);

  // Offers the file on this connection: at the start, and again after a renewal.
  void attach(Instant now, ConnectionId connection);
  void on_control(Instant now, const ControlMessage& message);
  void on_confirmed(Instant now, MessageId message);
  void on_failed(Instant now, const MessageFailed& failed);
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const { return broken_ ? broken_->until : deadline_; }
  // Gives up and tells the receiver.
  void cancel(Instant now, std::string why);
  // Gives up without a word: the connection is gone.
  void fail(std::string why);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool ended() const { return state_ >= State::kDone; }
  // Nothing of it has been taken by the receiver: it may be offered on another connection as it is.
  [[nodiscard]] bool untouched() const { return state_ == State::kPreparing || state_ == State::kOffered; }
  // Files that the receiver lets one connection have unfinished, once it has said so.
  [[nodiscard]] std::optional<std::uint16_t> places() const { return places_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  // No stream is sent any more until the connection has been renewed.
  [[nodiscard]] bool wants_renewal() const { return wants_renewal_; }
  void pause() { paused_ = true; }
  [[nodiscard]] bool drained() const { return streams_.empty(); }

  [[nodiscard]] const FileReader& file() const { return *file_; }
  // Under which it is offered.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t transfer() const { return transfer_; }
  [[nodiscard]] std::uint64_t confirmed_bytes() const { return confirmed_; }
  // Handed to the transport for the first time.
  [[nodiscard]] std::uint64_t sent_bytes() const { return file_->taken(); }
  // The receiver held so much of it already.
  [[nodiscard]] std::uint64_t held() const { return held_; }
  // Set in kDone.
  [[nodiscard]] const std::array<std::uint8_t, kSha256Size>& hash() const { return hash_; }
  [[nodiscard]] Duration elapsed() const { return ended_at_ - started_at_; }

 private:
  class Source;
  struct Stream {
    std::uint32_t id = 0;
    std::uint64_t base = 0;  // in the file
    std::uint64_t length = 0;
    std::uint64_t credit = 0;  // bytes of the stream, header included
    std::uint64_t limit = 0;   // what the transport has been told
  };

  void offer(Instant now);
  void send_offer(Instant now);
  void on_accept(Instant now, const FileAccept& accept);
  void begin(Instant now, const FileAccept& accept);
  void start_anew(Instant now);
  void on_refusal(Instant now, const FileRefuse& refusal);
  void on_confirmation(Instant now, const FileConfirm& confirmation);
  void open_streams(Instant now);
  [[nodiscard]] bool open_stream(Instant now);
  void raise_limit(Instant now, MessageId message, Stream& stream);
  void finish(Instant now);
  [[nodiscard]] std::string what_is_late() const;

  Endpoint& endpoint_;
  std::uint64_t transfer_;
  std::shared_ptr<FileReader> file_;
  const std::string name_;
  const Terms terms_;
  std::uint64_t held_ = 0;
  ConnectionId connection_ = 0;
  State state_ = State::kPreparing;
  std::string failure_;
  MessageId offer_message_ = 0;
  bool accepted_ = false;  // on this connection
  bool paused_ = false;
  bool wants_renewal_ = false;
  std::optional<std::uint16_t> places_;
  std::uint64_t window_ = 0;
  std::uint64_t taken_ = 0;  // by the transport, at the latest turn
  std::uint64_t next_base_ = 0;
  std::uint64_t confirmed_ = 0;
  std::map<MessageId, Stream> streams_;
  std::optional<MessageId> current_;  // the stream whose bytes are read next
  std::array<std::uint8_t, kSha256Size> hash_{};
  std::optional<Instant> deadline_;  // of the receiver's next sign of life
  // A stream has failed; the transfer ends with it, or before with the receiver's words.
  struct Broken {
    std::string why;
    Instant until;
  };
  std::optional<Broken> broken_;
  Instant started_at_{};
  Instant ended_at_{};
};

}  // namespace godwit
