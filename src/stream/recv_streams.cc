#include "stream/recv_streams.h"

#include <algorithm>

#include "base/assert.h"

namespace godwit {

using Outcome = FragmentOutcome::Result;

RecvStreams::RecvStreams(RecvStreamsConfig config, ReassemblyShared shared)
    : config_(config),
      memory_(config.memory, shared),
      streams_(config.max_streams),
      by_id_(shared.hash_key),
      completed_(config.completed_remembered, shared.hash_key),
      refused_(config.refused_remembered, shared.hash_key) {
  GODWIT_ASSERT(config.max_stream_bytes <= wire::kMaxStreamBytes && config.slowest_rate > 0);
}

FragmentOutcome RecvStreams::on_fragment(Instant now, const wire::StreamFragment& fragment, StreamSink& sink) {
  const std::uint32_t index = find(fragment.stream_id);
  if (index == kNone) return admit(now, fragment, sink);
  const RecvStream& stream = streams_[index];
  if (fragment.total_length != stream.total_of_fragments()) [[unlikely]] {
    ++statistics_.contradictory;
    if (config_.consistent) return broken();
  }
  // A second copy of fragment 1 lies below the frontier: its metadata has been surfaced.
  const bool first_copy = fragment.number == wire::kFirstFragment && stream.next_number() == wire::kFirstFragment;
  if (first_copy && fragment.payload.size() <= stream.total() - stream.received()) surface_metadata(fragment, sink);
  return apply(now, index, fragment.number, fragment.payload, sink);
}

FragmentOutcome RecvStreams::admit(Instant now, const wire::StreamFragment& fragment, StreamSink& sink) {
  const std::uint32_t id = fragment.stream_id;
  const std::uint64_t total = fragment.total_length;
  if (completed_.contains(id) || refused_.contains(id)) {
    ++statistics_.after_end;
    if (flow_ && !flow_->receive_late(id, fragment.number, fragment.payload.size()))
      return {.result = Outcome::kBeyondCredit};
    return {.result = Outcome::kIgnored};
  }
  const bool open = total == 0 && flow_ && flow_->open_streams();
  const std::uint64_t length = open ? RecvStream::kOpen : total;
  const std::uint64_t bytes = fragment.payload.size();
  if (!open && (total == 0 || total > config_.max_stream_bytes)) return refuse_new(id, length, bytes);

  // Complete at once: no state, and no place among the open streams.
  if (!open && fragment.number == wire::kFirstFragment && fragment.payload.size() == total) {
    if (flow_) {
      if (!flow_->admits_whole(total)) return {.result = Outcome::kBeyondCredit};
      flow_->receive_whole(total);
    }
    ++statistics_.opened;
    ++statistics_.finished;
    completed_.insert(id);
    account_tables();
    surface_metadata(fragment, sink);
    if (config_.delivery == DeliveryMode::kChunks) {
      sink.on_chunk({.stream_id = id, .offset = 0, .total = total, .bytes = fragment.payload});
    } else {
      sink.on_message({.stream_id = id, .payload = {fragment.payload.begin(), fragment.payload.end()}});
    }
    return {.result = Outcome::kAccepted, .opened = true, .finished = true};
  }

  if (streams_.full()) return refuse_new(id, length, bytes);
  const std::uint32_t index = insert(now, id, length);
  if (fragment.number == wire::kFirstFragment && fragment.payload.size() <= total) surface_metadata(fragment, sink);
  FragmentOutcome outcome = apply(now, index, fragment.number, fragment.payload, sink);
  const bool turned_away = outcome.result == Outcome::kNoRoom || outcome.result == Outcome::kIgnored ||
                           outcome.result == Outcome::kBeyondCredit || outcome.result == Outcome::kContradicts;
  // Some of a group may have found room.
  if (turned_away && streams_[index].received() == 0) {
    // A fragment that leaves nothing behind does not open a stream.
    if (flow_) flow_->forget(index);
    streams_[index].clear(memory_);
    erase(index);
    --statistics_.opened;
    return outcome;
  }
  outcome.opened = true;
  return outcome;
}

FragmentOutcome RecvStreams::apply(Instant now, std::uint32_t index, std::uint32_t number, ByteView payload,
                                   StreamSink& sink) {
  RecvStream& stream = streams_[index];
  if (config_.groups) {
    if (payload.size() > wire::kFragmentPayload && !stream.takes_whole(number)) {
      return apply_group(now, index, number, payload, sink);
    }
    // It is counted once, under whatever packet id it comes.
    if (stream.has(number)) {
      ++statistics_.duplicates;
      return {.result = Outcome::kDuplicate};
    }
  }
  if (flow_ && !flow_->admits(index, payload.size())) return {.result = Outcome::kBeyondCredit};
  const std::uint64_t delivered = stream.contiguous();
  const RecvStream::Result result = stream.on_fragment(now, number, payload, memory_, sink);
  const bool counts = result == RecvStream::Result::kAccepted || result == RecvStream::Result::kHeld ||
                      result == RecvStream::Result::kFinished || result == RecvStream::Result::kNoMemory;
  if (flow_ && counts) {
    flow_->receive(index, payload.size());
    flow_->deliver(index, stream.contiguous() - delivered);
  }
  switch (result) {
    case RecvStream::Result::kAccepted: return {.result = Outcome::kAccepted};
    case RecvStream::Result::kHeld: ++statistics_.reordered; return {.result = Outcome::kAccepted};
    case RecvStream::Result::kFinished: finish(index); return {.result = Outcome::kAccepted, .finished = true};
    case RecvStream::Result::kDuplicate: ++statistics_.duplicates; return {.result = Outcome::kDuplicate};
    case RecvStream::Result::kBeyondEnd: ++statistics_.beyond_end; return broken();
    case RecvStream::Result::kEmpty: ++statistics_.empty; return broken();
    case RecvStream::Result::kBeyondTotal: ++statistics_.beyond_total; return broken();
    case RecvStream::Result::kNoRoom: ++statistics_.no_room; return {.result = Outcome::kNoRoom};
    case RecvStream::Result::kNoMemory:
      ++statistics_.refused;
      fail(index, InboundFailure::Reason::kNoMemory, sink);
      return {.result = Outcome::kRefused};
  }
  return {};
}

// Out of order, or where some of them may have come in packets of their own: one by one. What finds no room makes the
// packet come again, and then the others have been there.
FragmentOutcome RecvStreams::apply_group(Instant now, std::uint32_t index, std::uint32_t number, ByteView payload,
                                         StreamSink& sink) {
  FragmentOutcome all{.result = Outcome::kDuplicate};
  while (!payload.empty()) {
    const std::size_t size = std::min(payload.size(), wire::kFragmentPayload);
    const FragmentOutcome one = apply(now, index, number++, payload.first(size), sink);
    payload = payload.subspan(size);
    if (one.finished || one.result == Outcome::kRefused || !one.must_ack()) return one;
    if (one.result != Outcome::kDuplicate) all.result = one.result;
  }
  return all;
}

FragmentOutcome RecvStreams::refuse_new(std::uint32_t id, std::uint64_t length, std::uint64_t bytes) {
  if (flow_ && !flow_->refuse(id, length, bytes)) return {.result = Outcome::kBeyondCredit};
  ++statistics_.refused;
  refused_.insert(id);
  account_tables();
  return {.result = Outcome::kRefused};
}

bool RecvStreams::on_reset(std::uint32_t stream_id, std::uint64_t final_bytes, std::uint64_t code, StreamSink& sink) {
  if (flow_ == nullptr) return false;
  const std::uint32_t index = find(stream_id);
  if (index == kNone) {
    if (completed_.contains(stream_id)) return true;
    if (!flow_->reset_ended(stream_id, final_bytes)) return false;
    refused_.insert(stream_id);
    account_tables();
    return true;
  }
  if (!flow_->reset(index, final_bytes)) return false;
  fail(index, InboundFailure::Reason::kReset, sink, code);
  return true;
}

bool RecvStreams::on_end(Instant now, std::uint32_t stream_id, std::uint64_t total, StreamSink& sink) {
  if (!flow_ || !flow_->open_streams() || total == RecvStream::kOpen) return false;
  std::uint32_t index = find(stream_id);
  if (index == kNone) {
    if (completed_.contains(stream_id) || refused_.contains(stream_id)) return true;
    if (streams_.full()) return refuse_new(stream_id, total, 0).result == Outcome::kRefused;
    index = insert(now, stream_id, RecvStream::kOpen);
  }
  if (!streams_[index].open()) return false;
  const RecvStream::Result result = streams_[index].on_end(total, memory_, sink);
  if (result == RecvStream::Result::kFinished) finish(index);
  return result != RecvStream::Result::kBeyondTotal;
}

std::uint32_t RecvStreams::insert(Instant now, std::uint32_t id, std::uint64_t total) {
  const std::uint32_t index =
      streams_.insert(RecvStream{now, id, total, config_.delivery, memory_.hash_key(), config_.groups});
  by_id_.insert(id, index);
  if (id == last_id_) last_index_ = index;
  if (flow_) flow_->open(index, id, total);
  account_tables();
  ++statistics_.opened;
  if (!next_check_) next_check_ = now + config_.check_interval;
  return index;
}

void RecvStreams::finish(std::uint32_t index) {
  ++statistics_.finished;
  if (flow_) flow_->finish(index);
  completed_.insert(streams_[index].id());
  account_tables();
  streams_[index].clear(memory_);
  erase(index);
}

void RecvStreams::consume(std::uint32_t stream_id, std::uint64_t bytes) {
  if (flow_ == nullptr) return;
  const std::uint32_t index = find(stream_id);
  if (index == kNone) {
    flow_->consume_ended(stream_id, bytes);
  } else {
    flow_->consume(index, bytes);
  }
}

bool RecvStreams::set_paused(std::uint32_t stream_id, bool paused) {
  const std::uint32_t index = find(stream_id);
  if (flow_ == nullptr || index == kNone) return false;
  flow_->set_paused(index, paused);
  return true;
}

std::optional<FlowUpdate> RecvStreams::flow_again(FlowUpdate::Kind kind, std::uint32_t stream_id) {
  if (flow_ == nullptr) return std::nullopt;
  const std::uint32_t index = find(stream_id);
  return flow_->again(kind, stream_id, index == kNone ? std::nullopt : std::optional(index));
}

void RecvStreams::surface_metadata(const wire::StreamFragment& fragment, StreamSink& sink) {
  // A transport stream's metadata is ignored (wire spec 6.4).
  if (fragment.metadata && wire::is_operations_stream(fragment.stream_id)) {
    sink.on_metadata(fragment.stream_id, *fragment.metadata);
  }
}

std::uint32_t RecvStreams::find(std::uint32_t stream_id) {
  if (stream_id == last_id_ && last_index_ != kNone) [[likely]]
    return last_index_;
  const std::uint32_t index = by_id_.find(stream_id);
  static_assert(IdMap::kNone == kNone);
  last_id_ = stream_id;
  last_index_ = index;
  return index;
}

bool RecvStreams::refuse(std::uint32_t stream_id, std::uint64_t code) {
  const std::uint32_t index = find(stream_id);
  if (index == kNone) return false;
  if (flow_) flow_->give_up(index, code, streams_[index].next_number());
  streams_[index].clear(memory_);
  refused_.insert(stream_id);
  account_tables();
  erase(index);
  ++statistics_.refused;
  return true;
}

bool RecvStreams::touch(Instant now, std::uint32_t stream_id) {
  const std::uint32_t index = find(stream_id);
  if (index == kNone) return false;
  streams_[index].touch(now);
  return true;
}

void RecvStreams::fail(std::uint32_t index, InboundFailure::Reason reason, StreamSink& sink, std::uint64_t code) {
  RecvStream& stream = streams_[index];
  const InboundFailure failure{
      .stream_id = stream.id(), .reason = reason, .received = stream.received(), .total = stream.total(), .code = code};
  if (flow_ && reason != InboundFailure::Reason::kReset) flow_->give_up(index, 0, stream.next_number());
  stream.clear(memory_);
  // Its late fragments could only open a stream that never completes: what came before has been acknowledged.
  refused_.insert(failure.stream_id);
  account_tables();
  erase(index);
  ++statistics_.failed;
  sink.on_failure(failure);
}

void RecvStreams::erase(std::uint32_t index) {
  if (index == last_index_) last_index_ = kNone;
  by_id_.erase(streams_[index].id());
  streams_.erase(index);
}

void RecvStreams::fail_all(StreamSink& sink) {
  for (std::uint32_t index = 0; index < streams_.capacity(); ++index) {
    if (streams_.used(index)) fail(index, InboundFailure::Reason::kClosed, sink);
  }
}

std::optional<Instant> RecvStreams::next_timeout() const {
  return next_check_;
}

void RecvStreams::handle_timeout(Instant now, StreamSink& sink) {
  if (!next_check_ || now < *next_check_) return;
  for (std::uint32_t index = 0; index < streams_.capacity(); ++index) {
    if (!streams_.used(index)) continue;
    const RecvStream& stream = streams_[index];
    // Its sender waits for credit, and the connection's own idle limit watches over the two.
    if (stream.open() || (flow_ && flow_->holds_back(index))) continue;
    if (now - stream.last_new_bytes_at() > config_.idle_limit) {
      fail(index, InboundFailure::Reason::kIdle, sink);
    } else if (now - stream.opened_at() > age_limit(stream.total())) {
      fail(index, InboundFailure::Reason::kAge, sink);
    }
  }
  memory_.trim();
  next_check_.reset();
  if (streams_.size() > 0 || memory_.holds_memory()) next_check_ = now + config_.check_interval;
}

void RecvStreams::account_tables() {
  memory_.set_table_bytes(streams_.bytes() + by_id_.bytes() + completed_.bytes() + refused_.bytes() +
                          (flow_ ? flow_->bytes() : 0));
}

Duration RecvStreams::age_limit(std::uint64_t total) const {
  return std::max(config_.age_limit, Duration{std::chrono::seconds{total / config_.slowest_rate}});
}

}  // namespace godwit
