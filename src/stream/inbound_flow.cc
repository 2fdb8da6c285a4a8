#include "stream/inbound_flow.h"

#include <algorithm>
#include <utility>

#include "wire/limits.h"

namespace godwit {

void InboundFlow::open(std::uint32_t slot, std::uint32_t id, std::uint64_t total) {
  if (slot >= streams_.size()) streams_.resize(slot + 1);
  streams_[slot] = {.id = id, .total = total, .credit = InboundCredit(windows_.stream)};
}

void InboundFlow::consume(std::uint32_t slot, std::uint64_t bytes) {
  Stream& stream = streams_[slot];
  // Bytes that are held until their turn have come and have not been delivered.
  const std::uint64_t held = stream.credit.received() - stream.delivered;
  const std::uint64_t read = std::min(bytes, stream.credit.unconsumed() - held);
  stream.credit.consume(read);
  connection_.consume(read);
  note_due(slot);
}

void InboundFlow::note_due(std::uint32_t slot) {
  Stream& stream = streams_[slot];
  // A stream that may be sent to its end needs no more.
  if (stream.due || stream.credit.granted() >= stream.total || !stream.credit.update_due()) return;
  stream.due = true;
  due_.push_back(slot);
}

void InboundFlow::set_paused(std::uint32_t slot, bool paused) {
  Stream& stream = streams_[slot];
  stream.paused = paused;
  if (!paused && !windows_.by_hand) consume(slot, stream.delivered);
}

void InboundFlow::finish(std::uint32_t slot) {
  complete(streams_[slot].credit.unconsumed());
  streams_[slot] = {};
}

void InboundFlow::give_up(std::uint32_t slot, std::uint64_t code, std::uint32_t next) {
  const Stream& stream = streams_[slot];
  connection_.consume(stream.credit.unconsumed());
  remember({.id = stream.id, .total = stream.total, .received = stream.credit.received(), .code = code, .next = next});
  streams_[slot] = {};
}

bool InboundFlow::reset(std::uint32_t slot, std::uint64_t final_bytes) {
  const Stream& stream = streams_[slot];
  const std::uint64_t received = stream.credit.received();
  if (final_bytes < received || final_bytes > stream.total) return false;
  if (!admits(slot, final_bytes - received)) return false;
  connection_.pass(final_bytes - received);
  connection_.consume(stream.credit.unconsumed());
  reset_.insert(stream.id);
  streams_[slot] = {};
  return true;
}

void InboundFlow::receive_whole(std::uint64_t bytes) {
  connection_.receive(bytes);
  complete(bytes);
}

void InboundFlow::complete(std::uint64_t unread) {
  if (windows_.by_hand) {
    unread_of_complete_ += unread;
  } else {
    connection_.consume(unread);
  }
}

bool InboundFlow::refuse(std::uint32_t id, std::uint64_t total, std::uint64_t bytes) {
  if (!admits_whole(bytes)) return false;
  connection_.pass(bytes);
  remember({.id = id, .total = total, .received = bytes, .code = 0});
  return true;
}

void InboundFlow::remember(const Ended& ended) {
  if (ended.received >= ended.total) return;
  // An honest peer has no more streams open than are remembered.
  if (ended_.size() >= remembered_) ended_.erase(ended_.begin());
  ended_.push_back(ended);
  if (stops_.size() < remembered_) {
    stops_.push_back({.kind = FlowUpdate::Kind::kStop, .stream_id = ended.id, .value = ended.code});
  }
}

InboundFlow::Ended* InboundFlow::find_ended(std::uint32_t id) {
  const auto found = std::ranges::find(ended_, id, &Ended::id);
  return found == ended_.end() ? nullptr : &*found;
}

bool InboundFlow::receive_late(std::uint32_t id, std::uint32_t number, std::uint64_t bytes) {
  Ended* const ended = find_ended(id);
  // Of a complete stream nothing is under way any more, and a reset has accounted for what was.
  if (ended == nullptr) return true;
  if (repeats_) {
    // What came before the end has been counted. Of what was held then this is not known: no repeat is a violation.
    const std::uint64_t known = ended->next - std::min(ended->next, number);
    bytes -= std::min(bytes, known * wire::kFragmentPayload);
    bytes = std::min(bytes, ended->total - ended->received);
    if (!connection_.admits(bytes)) return true;
  }
  if (!connection_.admits(bytes) || bytes > ended->total - ended->received) return false;
  connection_.pass(bytes);
  ended->received += bytes;
  if (ended->received == ended->total) ended_.erase(ended_.begin() + (ended - ended_.data()));
  return true;
}

bool InboundFlow::reset_ended(std::uint32_t id, std::uint64_t final_bytes) {
  if (reset_.contains(id)) return true;
  std::uint64_t received = 0;
  if (Ended* const ended = find_ended(id)) {
    if (final_bytes > ended->total) return false;
    received = ended->received;
    ended_.erase(ended_.begin() + (ended - ended_.data()));
  }
  if (final_bytes < received || !connection_.admits(final_bytes - received)) return false;
  connection_.pass(final_bytes - received);
  reset_.insert(id);
  return true;
}

void InboundFlow::consume_ended(std::uint32_t id, std::uint64_t bytes) {
  if (reset_.contains(id) || find_ended(id) != nullptr) return;
  const std::uint64_t read = std::min(bytes, unread_of_complete_);
  unread_of_complete_ -= read;
  connection_.consume(read);
}

std::optional<FlowUpdate> InboundFlow::poll() {
  if (connection_.update_due()) {
    return FlowUpdate{.kind = FlowUpdate::Kind::kConnectionCredit, .stream_id = 0, .value = connection_.grant()};
  }
  while (!due_.empty()) {
    Stream& stream = streams_[due_.back()];
    due_.pop_back();
    // The slot may have passed to another stream.
    if (!std::exchange(stream.due, false)) continue;
    return FlowUpdate{.kind = FlowUpdate::Kind::kStreamCredit, .stream_id = stream.id, .value = stream.credit.grant()};
  }
  if (stops_.empty()) return std::nullopt;
  const FlowUpdate stop = stops_.back();
  stops_.pop_back();
  return stop;
}

std::optional<FlowUpdate> InboundFlow::again(FlowUpdate::Kind kind, std::uint32_t id,
                                             std::optional<std::uint32_t> slot) const {
  switch (kind) {
    case FlowUpdate::Kind::kConnectionCredit: return FlowUpdate{.kind = kind, .value = connection_.granted()};
    case FlowUpdate::Kind::kStreamCredit:
      if (!slot) return std::nullopt;
      return FlowUpdate{.kind = kind, .stream_id = id, .value = streams_[*slot].credit.granted()};
    case FlowUpdate::Kind::kStop: break;
  }
  const auto ended = std::ranges::find(ended_, id, &Ended::id);
  if (ended == ended_.end()) return std::nullopt;
  return FlowUpdate{.kind = kind, .stream_id = id, .value = ended->code};
}

}  // namespace godwit
