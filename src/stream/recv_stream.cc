#include "stream/recv_stream.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace godwit {
namespace {

constexpr std::uint64_t kFirstBuffer = 2 * wire::kFragmentPayload;  // bytes
// Entries of the first index, 1 KiB: a stream is allowed a page, and one that loses a packet now and then needs no
// more.
constexpr std::uint32_t kFirstIndex = 128;
constexpr std::size_t kKeptIndex = 4096;  // bytes, while nothing is held
constexpr std::uint32_t kLastOpenFragment = 0xffff'fffe;

}  // namespace

RecvStream::RecvStream(Instant now, std::uint32_t id, std::uint64_t total, DeliveryMode mode, std::uint64_t hash_key,
                       bool groups)
    : id_(id),
      // One more than the fragments of a stream without metadata (wire spec 6.4). In groups the last one of each may be
      // short.
      last_(total == kOpen ? kLastOpenFragment
                           : static_cast<std::uint32_t>((wire::fragment_count(total) + 1) * (groups ? 2 : 1))),
      total_(total),
      opened_at_(now),
      last_new_bytes_at_(now),
      mode_(mode),
      open_(total == kOpen),
      groups_(groups),
      index_(hash_key, kFirstIndex) {
  GODWIT_ASSERT(total == kOpen || (total >= 1 && total <= wire::kMaxStreamBytes));
}

RecvStream::Result RecvStream::on_end(std::uint64_t total, ReassemblyMemory& memory, StreamSink& sink) {
  if (total == kOpen || total < received_ || (total_ != kOpen && total != total_)) return Result::kBeyondTotal;
  const bool known = std::exchange(total_, total) != kOpen;
  if (contiguous_ != total_) return Result::kAccepted;
  if (mode_ == DeliveryMode::kWhole) {
    deliver_whole(memory, sink);
  } else if (!known) {
    // Its last bytes were delivered before anybody knew that they were the last.
    sink.on_chunk({.stream_id = id_, .offset = total_, .total = total_, .bytes = {}});
  }
  return Result::kFinished;
}

RecvStream::Result RecvStream::on_fragment(Instant now, std::uint32_t number, ByteView payload,
                                           ReassemblyMemory& memory, StreamSink& sink) {
  if (number - 1 >= last_) [[unlikely]]
    return Result::kBeyondEnd;  // 0 wraps to the largest number
  if (number < next_) [[unlikely]]
    return Result::kDuplicate;
  if (payload.empty() && number != wire::kFirstFragment) [[unlikely]]
    return Result::kEmpty;
  if (number != next_) [[unlikely]] {
    const Result result = hold(number, payload, memory);
    if (result == Result::kHeld) last_new_bytes_at_ = now;
    return result;
  }
  if (payload.size() > total_ - received_) [[unlikely]]
    return Result::kBeyondTotal;
  last_new_bytes_at_ = now;
  return accept_in_order(payload, memory, sink);
}

RecvStream::Result RecvStream::accept_in_order(ByteView payload, ReassemblyMemory& memory, StreamSink& sink) {
  received_ += payload.size();
  if (!pass_on(payload, memory, sink)) return Result::kNoMemory;
  while (held_ != 0) {
    const std::uint32_t slot = index_.take(next_);
    if (slot == IdMap::kNone) break;
    --held_;
    if (!pass_on(memory.view(slot), memory, sink)) {
      memory.release(slot);
      return Result::kNoMemory;
    }
    // A chunk's view is in the application's hands until the next input.
    if (mode_ == DeliveryMode::kChunks) {
      memory.retire(slot);
    } else {
      memory.release(slot);
    }
  }
  if (held_ == 0 && index_.bytes() > kKeptIndex) drop_index(memory);
  if (contiguous_ != total_) return Result::kAccepted;
  GODWIT_ASSERT(held_ == 0);
  if (mode_ == DeliveryMode::kWhole) deliver_whole(memory, sink);
  return Result::kFinished;
}

bool RecvStream::pass_on(ByteView payload, ReassemblyMemory& memory, StreamSink& sink) {
  const std::uint64_t offset = contiguous_;
  if (mode_ == DeliveryMode::kWhole && !append(payload, memory)) return false;
  next_ += fragments_in(payload);
  contiguous_ += payload.size();
  if (mode_ == DeliveryMode::kChunks && !payload.empty()) {
    sink.on_chunk({.stream_id = id_, .offset = offset, .total = declared_total(), .bytes = payload});
  }
  return true;
}

RecvStream::Result RecvStream::hold(std::uint32_t number, ByteView payload, ReassemblyMemory& memory) {
  if (held_ != 0 && index_.find(number) != IdMap::kNone) return Result::kDuplicate;
  if (payload.size() > total_ - received_) return Result::kBeyondTotal;
  const std::optional<std::uint32_t> slot = memory.store(payload);
  if (!slot) return Result::kNoRoom;
  const std::size_t growth = index_.growth();
  if (growth != 0 && !memory.charge_index(growth)) {
    memory.release(*slot);
    return Result::kNoRoom;
  }
  index_.insert(number, *slot);
  ++held_;
  received_ += payload.size();
  return Result::kHeld;
}

void RecvStream::drop_index(ReassemblyMemory& memory) {
  memory.refund_index(index_.bytes());
  index_.clear();
}

bool RecvStream::append(ByteView payload, ReassemblyMemory& memory) {
  const std::uint64_t needed = buffer_.size() + payload.size();
  if (needed > buffer_charge_) {
    // Doubling keeps the copies of growth below one a byte; the total caps it, so that a finished buffer has no slack.
    const std::uint64_t wanted = std::min(total_, std::max({needed, 2 * buffer_charge_, kFirstBuffer}));
    const std::uint64_t granted = std::min(wanted, buffer_charge_ + memory.buffer_room());
    if (granted < needed) {
      memory.note_buffer_refused();
      return false;
    }
    memory.charge_buffer(granted - buffer_charge_);
    buffer_charge_ = granted;
    buffer_.reserve(static_cast<std::size_t>(granted));
  }
  buffer_.insert(buffer_.end(), payload.begin(), payload.end());
  return true;
}

void RecvStream::deliver_whole(ReassemblyMemory& memory, StreamSink& sink) {
  memory.retire_buffer(std::exchange(buffer_charge_, 0));
  sink.on_message({.stream_id = id_, .payload = std::move(buffer_)});
}

void RecvStream::clear(ReassemblyMemory& memory) {
  index_.for_each([&memory](std::uint32_t, std::uint32_t slot) { memory.release(slot); });
  held_ = 0;
  drop_index(memory);
  memory.refund_buffer(std::exchange(buffer_charge_, 0));
  buffer_ = std::vector<std::uint8_t>();
}

}  // namespace godwit
