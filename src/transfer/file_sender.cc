#include "transfer/file_sender.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "transfer/peer_watch.h"
#include "transfer/stream_header.h"

namespace godwit {
namespace {

constexpr Duration kAcceptTimeout = 30s;
// A receiver with a slow disk writes what is left and reads back what came out of order.
constexpr Duration kConfirmTimeout = 300s;
// Without any credit, confirmation or byte: as long as a receiver waits for a sender.
constexpr Duration kStallTimeout = 600s;
// The receiver's words about a stream that it has stopped.
constexpr Duration kWordsTimeout = 1s;

}  // namespace

// One stream's body: 32 bytes of header, then the file from its base on.
class FileSender::Source final : public BodySource {
 public:
  Source(std::shared_ptr<FileReader> file, const StreamHeader& header) : file_(std::move(file)), base_(header.offset) {
    write_stream_header(header, std::span(front_).first<kStreamHeaderSize>());
  }

  [[nodiscard]] std::optional<ByteView> read(std::uint64_t offset, std::size_t length) override {
    if (offset >= kStreamHeaderSize) [[likely]]
      return file_->read(base_ + offset - kStreamHeaderSize, length);
    if (offset + length > front_.size()) return std::nullopt;
    if (offset + length > kStreamHeaderSize) {
      const std::size_t payload = static_cast<std::size_t>(offset) + length - kStreamHeaderSize;
      const auto bytes = file_->read(base_, payload);
      if (!bytes) return std::nullopt;
      std::memcpy(front_.data() + kStreamHeaderSize, bytes->data(), payload);
    }
    return ByteView(front_).subspan(static_cast<std::size_t>(offset), length);
  }

 private:
  std::shared_ptr<FileReader> file_;
  std::uint64_t base_;
  std::array<std::uint8_t, FileReader::kLongestRead> front_{};
};

FileSender::FileSender(Endpoint& endpoint, std::uint64_t transfer, std::unique_ptr<FileReader> file, std::string name,
                       const Terms& terms)
    : endpoint_(endpoint), transfer_(transfer), file_(std::move(file)), name_(std::move(name)), terms_(terms) {}

void FileSender::attach(Instant now, ConnectionId connection) {
  if (ended()) return;
  if (connection_ == 0) started_at_ = now;
  connection_ = connection;
  accepted_ = paused_ = wants_renewal_ = false;
  current_.reset();
  if (file_->prepared()) offer(now);
}

void FileSender::offer(Instant now) {
  if (state_ == State::kPreparing) state_ = State::kOffered;
  // A receiver that holds some of it reads and hashes that first.
  deadline_ = now + (terms_.resume ? kConfirmTimeout : kAcceptTimeout);
  send_offer(now);
}

void FileSender::send_offer(Instant now) {
  FileOffer offer{.transfer = transfer_,
                  .size = file_->size(),
                  .name = name_,
                  .attributes = file_->attributes(),
                  .group = terms_.group};
  // What is in memory is sent anew as quickly as it is compared.
  if (terms_.resume && !file_->whole()) offer.resume = FileOffer::kResume;
  if (offer.resume != 0 && terms_.anew) offer.resume |= FileOffer::kAnew;
  const auto sent = endpoint_.send(now, connection_, Body::owned(encode_control(offer)));
  if (!sent) return fail(sent.error().message);
  offer_message_ = *sent;
}

void FileSender::on_control(Instant now, const ControlMessage& message) {
  if (ended()) return;
  if (const auto* credit = std::get_if<StreamCredit>(&message)) {
    for (auto& [id, stream] : streams_) {
      if (stream.id != credit->stream || credit->limit <= stream.credit) continue;
      stream.credit = credit->limit;
      raise_limit(now, id, stream);
      if (state_ == State::kSending) deadline_ = now + kStallTimeout;
    }
  } else if (const auto* accept = std::get_if<FileAccept>(&message)) {
    if (accept->transfer == transfer_ && !accepted_) on_accept(now, *accept);
  } else if (const auto* refusal = std::get_if<FileRefuse>(&message)) {
    if (refusal->transfer == transfer_) on_refusal(now, *refusal);
  } else if (const auto* cancelled = std::get_if<FileCancel>(&message)) {
    if (cancelled->transfer == transfer_) fail("the receiver gave '" + name_ + "' up: " + std::string(cancelled->text));
  } else if (const auto* confirmation = std::get_if<FileConfirm>(&message)) {
    if (confirmation->transfer == transfer_) on_confirmation(now, *confirmation);
  }
}

void FileSender::on_refusal(Instant now, const FileRefuse& refusal) {
  fail("the receiver refuses '" + name_ + "': " + std::string(refusal.text));
  if (refusal.code == RefuseCode::kTooMany) state_ = State::kTurnedAway;
  ended_at_ = now;
  const auto streams = std::exchange(streams_, {});
  for (const auto& [message, stream] : streams) endpoint_.cancel(now, connection_, message);
}

void FileSender::on_confirmation(Instant now, const FileConfirm& confirmation) {
  if (state_ != State::kConfirming) return;
  if (confirmation.hash != hash_) return fail("the receiver's SHA-256 of '" + name_ + "' differs");
  ended_at_ = now;
  // What the receiver has is not the file any more.
  if (auto why = file_->change()) return fail(std::move(*why));
  state_ = State::kDone;
  deadline_.reset();
}

void FileSender::on_accept(Instant now, const FileAccept& accept) {
  accepted_ = true;
  window_ = accept.window;
  if (accept.files > 0) places_ = accept.files;
  if (state_ == State::kConfirming) return finish(now);
  deadline_ = now + kStallTimeout;
  if (state_ == State::kOffered) begin(now, accept);
}

// A length that makes no sense is that of another file.
void FileSender::begin(Instant now, const FileAccept& accept) {
  state_ = State::kSending;
  if (accept.held > 0 && (!terms_.resume || terms_.anew || file_->whole())) {
    return cancel(now, "the receiver holds what it was not asked for");
  }
  if (accept.held > file_->size() || accept.held % FileReader::kBlockBytes != 0) return start_anew(now);
  held_ = next_base_ = confirmed_ = accept.held;
  file_->start(accept.held, accept.held_hash);
}

// The offer that follows takes the place of this one at the receiver.
void FileSender::start_anew(Instant now) {
  fail("what the receiver holds is not the beginning of '" + name_ + "'");
  ended_at_ = now;
  state_ = State::kDiffers;
}

void FileSender::on_confirmed(Instant now, MessageId message) {
  const auto found = streams_.find(message);
  if (found == streams_.end()) return;
  deadline_ = now + kStallTimeout;
  confirmed_ += found->second.length;
  if (current_ == message) current_.reset();
  streams_.erase(found);
}

void FileSender::on_failed(Instant now, const MessageFailed& failed) {
  // The connection has been shaken hands for again, and what had been sent over it is void.
  if (failed.message == offer_message_ && state_ == State::kOffered) return send_offer(now);
  if (ended() || streams_.erase(failed.message) == 0) return;
  if (current_ == failed.message) current_.reset();
  if (file_->failure()) return cancel(now, *file_->failure());
  // A receiver that stops a stream says why in a message, which the stop may overtake.
  if (!broken_) broken_ = {.why = "a stream of '" + name_ + "' failed: " + failed.why, .until = now + kWordsTimeout};
}

void FileSender::on_turn(Instant now) {
  if (ended()) return;
  if (broken_) {
    if (broken_->until <= now) cancel(now, std::string(broken_->why));
    return;
  }
  // The receiver's transport may hold the stream back without a word of this protocol.
  if (const std::uint64_t taken = file_->taken(); state_ == State::kSending && taken > taken_) {
    taken_ = taken;
    deadline_ = now + kStallTimeout;
  }
  if (deadline_ && *deadline_ <= now) {
    return cancel(now, silence_reason(endpoint_, connection_, what_is_late() + " '" + name_ + "'"));
  }
  if (auto why = file_->failure()) return cancel(now, std::move(*why));
  if (file_->differs()) return start_anew(now);
  if (state_ == State::kPreparing && connection_ != 0 && file_->prepared()) return offer(now);
  if (state_ != State::kSending || !accepted_) return;
  if (current_) {
    const auto found = streams_.find(*current_);
    raise_limit(now, found->first, found->second);
    // The next stream follows when the last byte of this one has been taken, so that the file is read in one go.
    if (file_->taken() >= found->second.base + found->second.length) current_.reset();
  }
  open_streams(now);
  // Bytes in memory neither change nor fail: their hash need not wait until they have arrived.
  if (confirmed_ == file_->size() || (file_->whole() && next_base_ == file_->size())) finish(now);
}

std::string FileSender::what_is_late() const {
  if (state_ == State::kConfirming) return "the receiver does not confirm";
  return accepted_ ? "the receiver takes no more of" : "the receiver does not answer the offer of";
}

void FileSender::open_streams(Instant now) {
  if (current_ || paused_ || wants_renewal_ || next_base_ == file_->size()) return;
  if (streams_.size() >= kMaxStreams || file_->available() <= next_base_) return;
  static_cast<void>(open_stream(now));
}

bool FileSender::open_stream(Instant now) {
  const std::uint64_t length = std::min(kDataStreamBytes, file_->size() - next_base_);
  const StreamHeader header{.logical = 0, .transfer = transfer_, .offset = next_base_, .length = length};
  const auto message = endpoint_.send(
      now, connection_, Body::from_source(std::make_unique<Source>(file_, header), length + kStreamHeaderSize),
      {.as = SendAs::kStream, .send_limit = 0});
  if (!message) {
    if (message.error().code == ErrorCode::kClosed) wants_renewal_ = true;
    return false;
  }
  Stream stream{
      .id = endpoint_.stream_id(connection_, *message), .base = next_base_, .length = length, .credit = window_};
  raise_limit(now, *message, stream);
  streams_.emplace(*message, stream);
  current_ = *message;
  next_base_ += length;
  return true;
}

// As far as both the receiver and the disk let it.
void FileSender::raise_limit(Instant now, MessageId message, Stream& stream) {
  const std::uint64_t read = std::min(file_->available(), stream.base + stream.length);
  const std::uint64_t here = read > stream.base ? read - stream.base + kStreamHeaderSize : 0;
  const std::uint64_t limit = std::min(here, stream.credit);
  if (limit <= stream.limit) return;
  stream.limit = limit;
  endpoint_.extend_send_limit(now, connection_, message, limit);
}

void FileSender::finish(Instant now) {
  const auto hash = file_->hash();
  if (!hash) return;
  if (auto why = file_->change()) return cancel(now, std::move(*why));
  hash_ = *hash;
  if (const Status sent = send_control(now, endpoint_, connection_, FileFinish{.transfer = transfer_, .hash = hash_});
      !sent) {
    return fail(sent.error().message);
  }
  state_ = State::kConfirming;
  deadline_ = now + kConfirmTimeout;
}

void FileSender::cancel(Instant now, std::string why) {
  if (ended()) return;
  if (state_ != State::kPreparing) {
    static_cast<void>(send_control(now, endpoint_, connection_, FileCancel{.transfer = transfer_, .text = why}));
  }
  fail(std::move(why));
  ended_at_ = now;
  // Their bodies read from the file, which may go now.
  const auto streams = std::exchange(streams_, {});
  for (const auto& [message, stream] : streams) endpoint_.cancel(now, connection_, message);
}

void FileSender::fail(std::string why) {
  if (ended()) return;
  state_ = State::kFailed;
  failure_ = std::move(why);
  deadline_.reset();
}

}  // namespace godwit
