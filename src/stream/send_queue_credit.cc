// Towards a receiver that gives credit: streams of unknown length, limits, resets and ends (send_queue.h;
// docs/extended_sessions.md, sections 5.1 and 9).

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "stream/send_queue.h"

namespace godwit {

// --- Streams of unknown length ---

Result<MessageId> SendQueue::open_stream(Instant now, const SendOptions& options) {
  charge_.expire(now);
  if (!credit_ || !credit_->open_streams)
    return failure(ErrorCode::kUnsupported, "the peer has no streams of unknown length");
  if (const Status valid = check_urgency(options); !valid) return std::unexpected(valid.error());
  const auto id = take_stream_id(charge_of_open_stream(), false);
  if (!id) return std::unexpected(id.error());
  const Instant deadline = options.deadline.value_or(Instant::max());
  const std::uint32_t index = streams_.insert(StreamSlot{
      .stream = SendStream{*id, std::make_unique<OpenPieces>()}, .deadline = deadline, .urgency = options.urgency});
  streams_[index].stream.limit_credit(credit_->of_stream);
  note_deadline(deadline);
  ++statistics_.streams_accepted;
  return id_of(SendKind::kFragment, index);
}

Status SendQueue::append(MessageId stream, ByteView bytes) {
  const std::optional<Found> found = find(stream);
  const OpenPieces* pieces =
      found && found->kind == SendKind::kFragment ? streams_[found->index].stream.open() : nullptr;
  if (pieces == nullptr || pieces->ended()) return failure(ErrorCode::kNotFound, "the stream has ended");
  if (bytes.size() > config_.max_open_stream_bytes) {
    return failure(ErrorCode::kTooLarge, "more bytes than a stream of unknown length holds");
  }
  if (bytes.size() > config_.max_open_stream_bytes - pieces->held_bytes()) {
    credit_->append_refused = true;
    ++statistics_.refused;
    return failure(ErrorCode::kWouldBlock, "the stream holds as many bytes as it may");
  }
  has_front_ = false;
  streams_[found->index].stream.append(bytes);
  note_sendable(found->index);
  return {};
}

bool SendQueue::finish(MessageId stream) {
  const std::optional<Found> found = find(stream);
  if (!found || found->kind != SendKind::kFragment) return false;
  SendStream& ended = streams_[found->index].stream;
  if (ended.open() == nullptr || ended.open()->ended()) return false;
  ended.finish();
  credit_->ends.push_back(ended.id());
  return true;
}

void SendQueue::allow_open_streams() {
  GODWIT_ASSERT(credit_ != nullptr);
  credit_->open_streams = true;
}

// Half of one that holds bytes, so that a writer that waits is woken for more than one fragment.
bool SendQueue::open_stream_has_room() const {
  for (std::uint32_t index = 0; index < streams_.capacity(); ++index) {
    const OpenPieces* pieces = streams_.used(index) ? streams_[index].stream.open() : nullptr;
    if (pieces != nullptr && !pieces->ended() && pieces->held_bytes() <= config_.max_open_stream_bytes / 2) return true;
  }
  return false;
}

// --- The receiver's credit ---

void SendQueue::limit_streams(std::uint64_t stream_bytes, std::uint64_t all_bytes) {
  has_front_ = false;
  blocked_ = false;
  credit_left_ = all_bytes;
  const bool limited = stream_bytes != kUnlimited || all_bytes != kUnlimited;
  credit_ = limited ? std::make_unique<Credit>(Credit{.of_stream = stream_bytes, .all = all_bytes, .window = all_bytes})
                    : nullptr;
  for (std::uint32_t index = 0; index < streams_.capacity(); ++index) {
    if (!streams_.used(index)) continue;
    if (streams_[index].stream.open() != nullptr) {
      fail(SendKind::kFragment, index, SendFailure::Reason::kNewSession);
      continue;
    }
    streams_[index].stream.limit_credit(stream_bytes);
    if (!streams_[index].stream.sendable()) turns_.remove(index);
    note_sendable(index);
  }
}

void SendQueue::raise_credit(std::uint64_t all_bytes) {
  if (!credit_ || all_bytes <= credit_->all) return;
  credit_left_ += all_bytes - std::exchange(credit_->all, all_bytes);
  blocked_ = false;
}

void SendQueue::raise_stream_credit(std::uint32_t stream_id, std::uint64_t bytes) {
  const std::uint32_t index = find_stream(stream_id);
  if (index == kNone) return;
  streams_[index].stream.raise_credit(bytes);
  note_sendable(index);
}

void SendQueue::stop(std::uint32_t stream_id, std::uint64_t code) {
  const std::uint32_t index = find_stream(stream_id);
  if (index != kNone) fail(SendKind::kFragment, index, SendFailure::Reason::kStopped, code);
}

std::uint32_t SendQueue::find_stream(std::uint32_t stream_id) const {
  for (std::uint32_t index = 0; index < streams_.capacity(); ++index) {
    if (streams_.used(index) && streams_[index].stream.id() == stream_id) return index;
  }
  return kNone;
}

std::optional<StreamReset> SendQueue::poll_reset() {
  if (!credit_ || credit_->resets_sent == credit_->resets.size()) return std::nullopt;
  return credit_->resets[credit_->resets_sent++];
}

std::optional<StreamReset> SendQueue::reset_again(std::uint32_t stream_id) const {
  if (!credit_) return std::nullopt;
  const auto found = std::ranges::find(credit_->resets, stream_id, &StreamReset::stream_id);
  return found == credit_->resets.end() ? std::nullopt : std::optional(*found);
}

void SendQueue::on_reset_acknowledged(std::uint32_t stream_id) {
  if (!credit_) return;
  const auto found = std::ranges::find(credit_->resets, stream_id, &StreamReset::stream_id);
  // One that has not been sent cannot have arrived.
  const auto sent_end = credit_->resets.begin() + static_cast<std::ptrdiff_t>(credit_->resets_sent);
  if (found >= sent_end) return;
  credit_->resets.erase(found);
  --credit_->resets_sent;
}

std::optional<StreamEnd> SendQueue::poll_end() {
  while (credit_ && !credit_->ends.empty()) {
    const std::uint32_t id = credit_->ends.back();
    credit_->ends.pop_back();
    if (const auto end = end_again(id)) return end;
  }
  return std::nullopt;
}

std::optional<StreamEnd> SendQueue::end_again(std::uint32_t stream_id) const {
  const std::uint32_t index = find_stream(stream_id);
  const OpenPieces* pieces = index == kNone ? nullptr : streams_[index].stream.open();
  if (pieces == nullptr || !pieces->ended()) return std::nullopt;
  return StreamEnd{.stream_id = stream_id, .total = pieces->total()};
}

std::optional<MessageId> SendQueue::on_end_acknowledged(std::uint32_t stream_id) {
  const std::uint32_t index = find_stream(stream_id);
  if (index == kNone || streams_[index].stream.open() == nullptr) return std::nullopt;
  streams_[index].stream.on_end_acknowledged();
  return confirm_if_finished(index);
}

}  // namespace godwit
