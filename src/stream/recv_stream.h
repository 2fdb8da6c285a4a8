// Reassembly of one inbound stream by fragment number (wire spec 6.4): a contiguous frontier, and fragments above it
// held until their turn. Payload sizes are whatever the peer sent; only numbers order them. Bytes in order pass through
// as a view of the datagram (kChunks) or are appended to one buffer (kWhole). Owned by RecvStreams.
// Invariants: bytes received, in order or held, never exceed the total; a held fragment has at least one byte.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "stream/id_map.h"
#include "stream/reassembly_memory.h"
#include "stream/stream_sink.h"

namespace godwit {

enum class DeliveryMode : std::uint8_t {
  kChunks,  // bytes as they become contiguous: StreamSink::on_chunk
  kWhole,   // complete streams: StreamSink::on_message
};

class RecvStream {
 public:
  enum class Result : std::uint8_t {
    kAccepted,     // in order: its bytes, and those that waited for it, have been delivered or appended
    kHeld,         // accepted, waits for its turn
    kFinished,     // accepted, and all bytes have been delivered
    kDuplicate,    // the number has arrived before; the first copy stays
    kBeyondEnd,    // number 0 or above ⌈total / 1130⌉ + 1, with groups twice as much
    kEmpty,        // no bytes, and not fragment 1
    kBeyondTotal,  // would take the bytes received above the total
    kNoRoom,       // out of order, and the bound on such bytes is reached: nothing was recorded
    kNoMemory,     // the buffer of the whole stream does not fit the bound: the stream cannot go on
  };

  // Stands for a length that is not known yet.
  static constexpr std::uint64_t kOpen = ~std::uint64_t{0};

  RecvStream() = default;  // an empty slot
  // Requires 1 <= total <= wire::kMaxStreamBytes, or kOpen. `hash_key`: see IdMap. `groups`: a payload of more than
  // wire::kFragmentPayload bytes stands for several fragments (docs/extended_sessions.md, section 10).
  RecvStream(Instant now, std::uint32_t id, std::uint64_t total, DeliveryMode mode, std::uint64_t hash_key = 0,
             bool groups = false);

  // Delivers what becomes contiguous. `metadata` of fragment 1 must have been looked at by the caller. Several
  // fragments in one payload only where takes_whole().
  [[nodiscard]] Result on_fragment(Instant now, std::uint32_t number, ByteView payload, ReassemblyMemory& memory,
                                   StreamSink& sink);
  // The case of nearly every fragment, kept short: passes the next chunk through when nothing is held and more is to
  // follow. False, and nothing done, when on_fragment must decide.
  [[nodiscard]] bool pass_through(Instant now, std::uint32_t number, ByteView payload, StreamSink& sink) {
    const bool plain = number == next_ && number <= last_ && held_ == 0 && mode_ == DeliveryMode::kChunks;
    // Strictly below the total, so the stream goes on; 0 - 1 wraps, so an empty payload fails too.
    if (!plain || payload.size() - 1 >= total_ - contiguous_ - 1) return false;
    const std::uint64_t offset = contiguous_;
    next_ += fragments_in(payload);
    contiguous_ += payload.size();
    received_ = contiguous_;
    last_new_bytes_at_ = now;
    sink.on_chunk({.stream_id = id_, .offset = offset, .total = declared_total(), .bytes = payload});
    return true;
  }
  // How many fragments of `bytes` bytes, from `number` on, are next in order and are followed by others; at most
  // `most`. Only of a stream that is delivered in chunks.
  [[nodiscard]] std::uint32_t run_room(std::uint32_t number, std::size_t bytes, std::uint32_t most) const {
    const bool plain = number == next_ && number <= last_ && held_ == 0 && mode_ == DeliveryMode::kChunks &&
                       bytes > 0 && bytes <= wire::kFragmentPayload;
    if (!plain) return 0;
    const std::uint64_t room = (total_ - contiguous_ - 1) / bytes;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>({most, room, std::uint64_t{last_} - number + 1}));
  }
  // Delivers so many. Requires run_room().
  void pass_run(Instant now, ByteView first, std::size_t stride, std::uint32_t count, StreamSink& sink) {
    const InboundRun run{.stream_id = id_,
                         .count = count,
                         .offset = contiguous_,
                         .total = declared_total(),
                         .first = first,
                         .stride = stride};
    next_ += count;
    contiguous_ += run.bytes();
    received_ = contiguous_;
    last_new_bytes_at_ = now;
    sink.on_run(run);
  }
  // All that a payload with this number may carry is new.
  [[nodiscard]] bool takes_whole(std::uint32_t number) const { return number == next_ && held_ == 0; }
  // A fragment has arrived before.
  [[nodiscard]] bool has(std::uint32_t number) const {
    return number < next_ || (held_ != 0 && index_.find(number) != IdMap::kNone);
  }
  // A stream of unknown length has so many bytes. kAccepted when some are missing, kFinished when all have been
  // delivered, kBeyondTotal when more have come or another length was told.
  [[nodiscard]] Result on_end(std::uint64_t total, ReassemblyMemory& memory, StreamSink& sink);
  // Gives all memory back.
  void clear(ReassemblyMemory& memory);

  [[nodiscard]] std::uint32_t id() const { return id_; }
  // kOpen while it is not known.
  [[nodiscard]] std::uint64_t total() const { return total_; }
  // The same as events have it: 0 while it is not known.
  [[nodiscard]] std::uint64_t declared_total() const { return total_ == kOpen ? 0 : total_; }
  // What its fragments say: 0 for a stream that began with an unknown length.
  [[nodiscard]] std::uint64_t total_of_fragments() const { return open_ ? 0 : total_; }
  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] DeliveryMode mode() const { return mode_; }
  // Bytes that arrived, in order or held.
  [[nodiscard]] std::uint64_t received() const { return received_; }
  // Bytes delivered, or in the buffer.
  [[nodiscard]] std::uint64_t contiguous() const { return contiguous_; }
  [[nodiscard]] std::uint32_t next_number() const { return next_; }

  [[nodiscard]] Instant opened_at() const { return opened_at_; }
  [[nodiscard]] Instant last_new_bytes_at() const { return last_new_bytes_at_; }
  // Counts as new bytes for the idle limit.
  void touch(Instant now) { last_new_bytes_at_ = now; }

 private:
  [[nodiscard]] Result accept_in_order(ByteView payload, ReassemblyMemory& memory, StreamSink& sink);
  [[nodiscard]] Result hold(std::uint32_t number, ByteView payload, ReassemblyMemory& memory);
  // Delivers or appends the bytes at the frontier; false when the buffer may not grow.
  [[nodiscard]] bool pass_on(ByteView payload, ReassemblyMemory& memory, StreamSink& sink);
  [[nodiscard]] bool append(ByteView payload, ReassemblyMemory& memory);
  [[nodiscard]] std::uint32_t fragments_in(ByteView payload) const {
    return groups_ ? wire::fragments_in(payload.size()) : 1;
  }
  void drop_index(ReassemblyMemory& memory);
  void deliver_whole(ReassemblyMemory& memory, StreamSink& sink);

  std::uint32_t id_ = 0;
  std::uint32_t next_ = 1;  // the frontier: every fragment below has been delivered or appended
  std::uint32_t last_ = 0;  // highest number accepted
  std::uint32_t held_ = 0;  // fragments above the frontier
  std::uint64_t total_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t contiguous_ = 0;
  Instant opened_at_{};
  Instant last_new_bytes_at_{};
  DeliveryMode mode_ = DeliveryMode::kChunks;
  bool open_ = false;    // it began with an unknown length
  bool groups_ = false;  // a payload may stand for several fragments
  IdMap index_;  // the slots of the fragments held, by number: as large as they are many, however far they lie apart
  std::vector<std::uint8_t> buffer_;  // kWhole
  std::uint64_t buffer_charge_ = 0;
};

}  // namespace godwit
