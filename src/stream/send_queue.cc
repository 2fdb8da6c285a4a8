// Short messages and streams of one connection in the order in which they are sent (send_queue.h): send() lets them
// in, load_front() chooses, the take functions move on, on_acknowledged() or fail() ends.
#include "stream/send_queue.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/assert.h"

namespace godwit {
namespace {

// Datagram bytes around the payload of a short message.
constexpr std::int64_t kMessageOverhead = wire::kDatagramOverhead + wire::kShortMessageOverhead;

// A MessageId is generation, kind and index, so that it is found without a table and never repeats.
constexpr unsigned kIndexBits = 16;
constexpr MessageId kIndexMask = (MessageId{1} << kIndexBits) - 1;
constexpr MessageId kMessageBit = MessageId{1} << kIndexBits;
constexpr unsigned kGenerationShift = kIndexBits + 1;

}  // namespace

SendQueue::SendQueue(SendQueueConfig config, std::uint32_t first_stream_id)
    : config_(config),
      ids_(first_stream_id),
      // A failed stream may keep its share of the charge but not its slot, so slots never run out before shares.
      streams_(config.max_streams),
      messages_(config.max_messages),
      message_allowance_(kMessageBurst),
      charge_(config.max_streams, config.max_stream_charge) {}

// --- The application's side ---

Result<MessageId> SendQueue::send(Instant now, Body&& body, SendOptions options) {
  has_front_ = false;
  charge_.expire(now);
  if (options.metadata && options.as != SendAs::kOperationsStream) {
    return failure(ErrorCode::kInvalidArgument, "metadata is embedded in operations streams only");
  }
  if (const Status valid = check_urgency(options); !valid) return std::unexpected(valid.error());
  const bool is_short = options.as == SendAs::kMessage && body.size() <= wire::kShortMessageLimit;
  if (options.unreliable && options.as != SendAs::kMessage) {
    return failure(ErrorCode::kInvalidArgument, "no stream is unreliable");
  }
  // It is sent once, so that it may need the path's present size, and more of them do not fit into anything.
  if (options.unreliable && body.size() > max_unreliable_bytes()) {
    return failure(ErrorCode::kTooLarge, "an unreliable message has at most " + std::to_string(max_unreliable_bytes()) +
                                             " bytes on this path");
  }
  if (is_short || options.unreliable) {
    return send_message(std::move(body), options);
  }
  return send_stream(std::move(body), std::move(options));
}

Status SendQueue::check_urgency(const SendOptions& options) {
  if (options.urgency < StreamScheduler::kUrgencies) return {};
  return failure(ErrorCode::kInvalidArgument, "an urgency is from 0, the most urgent, to 7");
}

Result<MessageId> SendQueue::send_message(Body&& body, const SendOptions& options) {
  const std::uint64_t size = body.size();
  if (size > config_.max_message_bytes || config_.max_messages == 0) {
    return failure(ErrorCode::kTooLarge, "the message exceeds the message queue");
  }
  if (messages_.full() || size > config_.max_message_bytes - message_bytes_) {
    messages_refused_ = true;
    ++statistics_.refused;
    return failure(ErrorCode::kWouldBlock, "the message queue is full");
  }
  message_bytes_ += size;
  const Instant deadline = options.deadline.value_or(Instant::max());
  const std::uint32_t index =
      messages_.insert(MessageSlot{.body = std::move(body), .deadline = deadline, .unreliable = options.unreliable});
  append_message(index);
  note_deadline(deadline);
  ++statistics_.messages_accepted;
  return id_of(SendKind::kMessage, index);
}

Result<MessageId> SendQueue::send_stream(Body&& body, SendOptions options) {
  const std::uint64_t size = body.size();
  if (size == 0) return failure(ErrorCode::kInvalidArgument, "a stream has at least one byte");
  if (size > wire::kMaxStreamBytes) return failure(ErrorCode::kTooLarge, "a stream has at most 165,675,008 bytes");
  if (options.metadata && options.metadata->size() > wire::kMaxMetadata) {
    return failure(ErrorCode::kTooLarge, "at most 1120 bytes of metadata can be embedded");
  }
  const std::uint64_t cost = wire::deployed_charge(size);
  if (!charge_.ever_fits(cost))
    return failure(ErrorCode::kTooLarge, "the stream exceeds the limit of all open streams");
  const auto id = take_stream_id(cost, options.as == SendAs::kOperationsStream);
  if (!id) return std::unexpected(id.error());
  const Instant deadline = options.deadline.value_or(Instant::max());
  const std::uint32_t index = streams_.insert(
      StreamSlot{.stream = SendStream{*id, std::move(body), std::move(options.metadata), options.send_limit},
                 .deadline = deadline,
                 .urgency = options.urgency});
  if (credit_) streams_[index].stream.limit_credit(credit_->of_stream);
  if (streams_[index].stream.sendable()) turns_.add(index, options.urgency);
  note_deadline(deadline);
  ++statistics_.streams_accepted;
  return id_of(SendKind::kFragment, index);
}

Result<std::uint32_t> SendQueue::take_stream_id(std::uint64_t cost, bool operations) {
  if (!charge_.fits(cost)) {
    // The cheapest of the refused decides when to try again: the others are refused once more and wait on.
    refused_charge_ = std::min(refused_charge_, cost);
    ++statistics_.refused;
    return failure(ErrorCode::kWouldBlock, "the open streams are at the receiver's limit");
  }
  const std::optional<std::uint32_t> id = ids_.next(operations);
  if (!id) return failure(ErrorCode::kClosed, "the stream ids of this connection are used up");
  charge_.open(cost);
  return *id;
}

std::uint32_t SendQueue::stream_id(MessageId message) const {
  const std::optional<Found> found = find(message);
  return found && found->kind == SendKind::kFragment ? streams_[found->index].stream.id() : 0;
}

bool SendQueue::extend_send_limit(MessageId message, std::uint64_t limit_bytes) {
  const std::optional<Found> found = find(message);
  if (!found || found->kind != SendKind::kFragment) return false;
  streams_[found->index].stream.raise_send_limit(limit_bytes);
  note_sendable(found->index);
  return true;
}

void SendQueue::note_sendable(std::uint32_t index) {
  if (!streams_[index].stream.sendable() || turns_.contains(index)) return;
  has_front_ = false;
  turns_.add(index, streams_[index].urgency);
}

bool SendQueue::cancel(MessageId message, std::uint64_t code) {
  const std::optional<Found> found = find(message);
  if (!found) return false;
  fail(found->kind, found->index, SendFailure::Reason::kCancelled, code);
  return true;
}

void SendQueue::cancel_all() {
  for (std::uint32_t index = 0; index < messages_.capacity(); ++index) {
    if (messages_.used(index)) fail(SendKind::kMessage, index, SendFailure::Reason::kCancelled);
  }
  for (std::uint32_t index = 0; index < streams_.capacity(); ++index) {
    if (streams_.used(index)) fail(SendKind::kFragment, index, SendFailure::Reason::kCancelled);
  }
}

void SendQueue::fail_started() {
  constexpr auto kReason = SendFailure::Reason::kNewSession;
  for (std::uint32_t index = 0; index < messages_.capacity(); ++index) {
    if (messages_.used(index) && messages_[index].sent) fail(SendKind::kMessage, index, kReason);
  }
  for (std::uint32_t index = 0; index < streams_.capacity(); ++index) {
    if (streams_.used(index) && streams_[index].stream.started()) fail(SendKind::kFragment, index, kReason);
  }
}

bool SendQueue::poll_writable() {
  return std::exchange(writable_, false);
}

// --- The send path ---

const SendItem* SendQueue::load_front() {
  for (;;) {
    if (again_ != nullptr) [[unlikely]] {
      has_front_ = load_again();
      if (has_front_) return &front_;
    }
    const bool streams_wait = !turns_.empty() && !blocked_;
    const bool message_first = message_head_ != kNone && (!streams_wait || message_allowance_ > 0);
    if (!message_first && !streams_wait) return nullptr;
    // A body that cannot be read has failed its message: the next one's turn.
    has_front_ = message_first ? load_message() : load_fragment();
    if (has_front_) return &front_;
  }
}

bool SendQueue::load_message() {
  const std::uint32_t index = message_head_;
  Body& body = messages_[index].body;
  // The path has become smaller since it was accepted.
  if (messages_[index].unreliable && body.size() > max_unreliable_bytes()) [[unlikely]] {
    fail(SendKind::kMessage, index, SendFailure::Reason::kLost);
    return false;
  }
  const std::optional<ByteView> payload = body.read(0, static_cast<std::size_t>(body.size()));
  if (!payload) {
    fail(SendKind::kMessage, index, SendFailure::Reason::kBodyUnreadable);
    return false;
  }
  front_ = {.kind = SendKind::kMessage,
            .owner = messages_.handle(index),
            .payload = *payload,
            .payload_stays = body.views_stay()};
  return true;
}

void SendQueue::take_message(std::uint32_t packet_id) {
  const std::uint32_t index = message_head_;
  unlink_message(index);
  messages_[index].sent = true;
  messages_[index].packet_id = packet_id;
  // Nobody waits: the burst is there in full for when somebody does.
  const auto bytes = static_cast<std::int64_t>(front_.payload.size());
  message_allowance_ = turns_.empty() ? kMessageBurst : message_allowance_ - kMessageOverhead - bytes;
}

void SendQueue::change_packet_payload(std::size_t path_bytes, std::size_t now_bytes) {
  // One that is larger than what the receiver lets ahead would never be sent.
  const std::uint64_t window = credit_ ? std::min(credit_->of_stream, credit_->window) / 4 : kUnlimited;
  const auto at_most = static_cast<std::size_t>(std::clamp<std::uint64_t>(window, wire::kFragmentPayload, path_bytes));
  has_front_ = false;
  group_bytes_ = static_cast<std::uint16_t>(at_most);
  most_bytes_ = static_cast<std::uint16_t>(std::min(now_bytes, at_most));
}

void SendQueue::send_again(SlotHandle owner, std::uint32_t first, std::uint8_t count) {
  has_front_ = false;
  if (again_ == nullptr) again_ = std::make_unique<std::deque<Again>>();
  again_->push_back({.owner = owner, .first = first, .count = count});
}

// False when there are none any more. A stream that has ended does not need its own.
bool SendQueue::load_again() {
  while (!again_->empty()) {
    const Again& next = again_->front();
    const auto item = next.count == 0
                          ? std::nullopt
                          : content(SendKind::kFragment, next.owner, next.first, static_cast<std::uint8_t>(next.count));
    if (item) {
      front_ = *item;
      front_.again = true;
      return true;
    }
    again_->pop_front();
  }
  again_.reset();
  return false;
}

void SendQueue::take_again(std::uint32_t packet_id) {
  const std::uint32_t index = streams_.find(front_.owner);
  GODWIT_ASSERT(index != kNone && again_ != nullptr);
  streams_[index].last_packet = packet_id;
  again_->front().first += front_.count;
  again_->front().count -= front_.count;
}

std::optional<SendItem> SendQueue::content(SendKind kind, SlotHandle owner, std::uint32_t fragment,
                                           std::uint8_t count) {
  // A source gives one view at a time: this read may take away the one that peek() gave.
  has_front_ = false;
  if (kind == SendKind::kMessage) {
    const std::uint32_t index = messages_.find(owner);
    if (index == kNone) return std::nullopt;
    if (messages_[index].unreliable) {
      fail(kind, index, SendFailure::Reason::kLost);
      return std::nullopt;
    }
    Body& body = messages_[index].body;
    if (const auto payload = body.read(0, static_cast<std::size_t>(body.size()))) {
      return SendItem{.kind = kind, .owner = owner, .payload = *payload, .payload_stays = body.views_stay()};
    }
    fail(kind, index, SendFailure::Reason::kBodyUnreadable);
    return std::nullopt;
  }
  const std::uint32_t index = streams_.find(owner);
  if (index == kNone) return std::nullopt;
  SendStream& stream = streams_[index].stream;
  GODWIT_ASSERT(fragment >= 1 && fragment < stream.next_fragment());
  const std::uint32_t together = count == 1 ? 1 : stream.run(fragment, fragment + count - 1, most_bytes_);
  if (const auto payload = stream.payload(fragment, together)) {
    return SendItem{.kind = kind,
                    .owner = owner,
                    .fragment = fragment,
                    .count = static_cast<std::uint8_t>(together),
                    .payload = *payload,
                    .stream = &stream,
                    .payload_stays = stream.payload_stays()};
  }
  fail(kind, index, SendFailure::Reason::kBodyUnreadable);
  return std::nullopt;
}

// --- What recovery reports ---

std::optional<MessageId> SendQueue::on_acknowledged(SendKind kind, SlotHandle owner, std::uint32_t first,
                                                    std::uint32_t count) {
  const std::uint32_t index = kind == SendKind::kMessage ? messages_.find(owner) : streams_.find(owner);
  if (index == kNone) {
    ++statistics_.stale_acknowledgements;
    return std::nullopt;
  }
  if (kind == SendKind::kFragment) {
    SendStream& stream = streams_[index].stream;
    stream.on_acknowledged(first, count);
    if (stream.open() != nullptr) update_writable();
    return confirm_if_finished(index);
  }
  const MessageId id = id_of(kind, index);
  GODWIT_ASSERT(messages_[index].sent);
  erase_message(index);
  ++statistics_.confirmed;
  update_writable();
  return id;
}

void SendQueue::on_abandoned(SendKind kind, SlotHandle owner) {
  const std::uint32_t index = kind == SendKind::kMessage ? messages_.find(owner) : streams_.find(owner);
  if (index != kNone) fail(kind, index, SendFailure::Reason::kAbandoned);
}

std::optional<SendFailure> SendQueue::poll_failure(Instant now) {
  if (next_failure_ == failures_.size()) return std::nullopt;
  const UnreportedFailure unreported = failures_[next_failure_++];
  if (next_failure_ == failures_.size()) {
    failures_.clear();
    next_failure_ = 0;
  }
  if (unreported.lingering_charge > 0) charge_.linger(now, unreported.lingering_charge);
  return unreported.failure;
}

std::optional<MessageId> SendQueue::confirm_if_finished(std::uint32_t index) {
  const SendStream& stream = streams_[index].stream;
  if (!stream.finished()) return std::nullopt;
  const MessageId id = id_of(SendKind::kFragment, index);
  charge_.close(charge_of(stream));
  erase_stream(index);
  ++statistics_.confirmed;
  update_writable();
  return id;
}

// --- Time ---

std::optional<Instant> SendQueue::next_timeout() const {
  std::optional<Instant> next;
  if (earliest_deadline_ != Instant::max()) next = earliest_deadline_;
  // The end of a failed stream matters only to somebody who waits for its share.
  const std::optional<Instant> expiry = refused_charge_ != kUnlimited ? charge_.next_expiry() : std::nullopt;
  if (expiry && (!next || *expiry < *next)) next = expiry;
  return next;
}

void SendQueue::handle_timeout(Instant now) {
  charge_.expire(now);
  if (earliest_deadline_ <= now) {
    earliest_deadline_ = Instant::max();
    for (std::uint32_t index = 0; index < messages_.capacity(); ++index) {
      if (messages_.used(index)) check_deadline(now, SendKind::kMessage, index, messages_[index].deadline);
    }
    for (std::uint32_t index = 0; index < streams_.capacity(); ++index) {
      if (streams_.used(index)) check_deadline(now, SendKind::kFragment, index, streams_[index].deadline);
    }
  }
  update_writable();
}

void SendQueue::check_deadline(Instant now, SendKind kind, std::uint32_t index, Instant deadline) {
  if (deadline <= now) {
    fail(kind, index, SendFailure::Reason::kDeadline);
  } else {
    note_deadline(deadline);
  }
}

void SendQueue::note_deadline(Instant deadline) {
  earliest_deadline_ = std::min(earliest_deadline_, deadline);
}

// --- Slots ---

void SendQueue::fail(SendKind kind, std::uint32_t index, SendFailure::Reason reason, std::uint64_t code) {
  has_front_ = false;
  UnreportedFailure unreported{.failure = {.message = id_of(kind, index), .kind = kind, .reason = reason, .code = code},
                               .lingering_charge = 0};
  if (kind == SendKind::kMessage) {
    unreported.failure.owner = messages_.handle(index);
    unreported.failure.may_have_arrived = messages_[index].sent;
    unreported.failure.first_packet = unreported.failure.last_packet = messages_[index].packet_id;
    if (!messages_[index].sent) unlink_message(index);
    erase_message(index);
  } else {
    const SendStream& stream = streams_[index].stream;
    const std::uint64_t cost = charge_of(stream);
    unreported.failure.owner = streams_.handle(index);
    unreported.failure.may_have_arrived = stream.started();
    unreported.failure.first_packet = streams_[index].first_packet;
    unreported.failure.last_packet = streams_[index].last_packet;
    if (stream.started()) {
      unreported.lingering_charge = cost;
      if (credit_) {
        credit_->resets.push_back({.stream_id = stream.id(), .sent_bytes = stream.sent_bytes(), .code = code});
      }
    } else {
      charge_.close(cost);
    }
    turns_.remove(index);
    erase_stream(index);
  }
  failures_.push_back(unreported);
  ++statistics_.failed;
  update_writable();
}

void SendQueue::erase_message(std::uint32_t index) {
  message_bytes_ -= messages_[index].body.size();
  messages_.erase(index);
}

void SendQueue::erase_stream(std::uint32_t index) {
  if (config_.readers != nullptr && streams_[index].last_reader > 0) {
    config_.readers->finish(streams_[index].last_reader);
  }
  streams_.erase(index);
}

void SendQueue::append_message(std::uint32_t index) {
  messages_[index].previous = message_tail_;
  if (message_tail_ == kNone) {
    message_head_ = index;
  } else {
    messages_[message_tail_].next = index;
  }
  message_tail_ = index;
}

void SendQueue::unlink_message(std::uint32_t index) {
  const MessageSlot& slot = messages_[index];
  (slot.previous == kNone ? message_head_ : messages_[slot.previous].next) = slot.next;
  (slot.next == kNone ? message_tail_ : messages_[slot.next].previous) = slot.previous;
}

void SendQueue::update_writable() {
  // Half of the queue, so that a sender that waits is woken for more than one message.
  const bool messages_low =
      messages_.size() <= config_.max_messages / 2 && message_bytes_ <= config_.max_message_bytes / 2;
  if (messages_refused_ && messages_low) {
    messages_refused_ = false;
    writable_ = true;
  }
  if (credit_ && credit_->append_refused && open_stream_has_room()) {
    credit_->append_refused = false;
    writable_ = true;
  }
  if (refused_charge_ != kUnlimited && charge_.fits(refused_charge_)) {
    refused_charge_ = kUnlimited;
    writable_ = true;
  }
}

MessageId SendQueue::id_of(SendKind kind, std::uint32_t index) const {
  const bool is_message = kind == SendKind::kMessage;
  const std::uint64_t generation = is_message ? messages_.generation(index) : streams_.generation(index);
  return generation << kGenerationShift | (is_message ? kMessageBit : 0) | index;
}

std::optional<SendQueue::Found> SendQueue::find(MessageId message) const {
  const SendKind kind = (message & kMessageBit) != 0 ? SendKind::kMessage : SendKind::kFragment;
  const auto index = static_cast<std::uint32_t>(message & kIndexMask);
  const bool used = kind == SendKind::kMessage ? messages_.used(index) : streams_.used(index);
  if (!used || id_of(kind, index) != message) return std::nullopt;
  return Found{kind, index};
}

}  // namespace godwit
