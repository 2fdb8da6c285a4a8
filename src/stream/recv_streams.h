// The inbound streams of one connection: who is admitted, what is remembered, what expires (wire spec 6.4 as a
// receiver, W27, W33). The connection's receive path passes every fragment that the duplicate filter let through; bytes
// come out through StreamSink. Owned by Connection. Nothing a peer declares costs memory: bytes are charged when they
// arrive, every table has a bound, and no fragment closes the connection. Operations streams (bit 31) share limits with
// transport streams but are told apart by id.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/time.h"
#include "stream/id_map.h"
#include "stream/inbound_flow.h"
#include "stream/reassembly_memory.h"
#include "stream/recent_ids.h"
#include "stream/recv_stream.h"
#include "stream/slot_table.h"
#include "stream/stream_sink.h"
#include "wire/fragment.h"
#include "wire/limits.h"
#include "wire/message.h"

namespace godwit {

struct RecvStreamsConfig {
  DeliveryMode delivery = DeliveryMode::kChunks;
  bool runs = false;                                       // chunks that come together are told together
  bool groups = false;                                     // RecvStreams::allow_groups()
  bool consistent = false;                                 // RecvStreams::expect_consistency()
  std::uint32_t max_streams = wire::kDeployedMaxStreams;   // incomplete at a time; at most 65,536
  std::uint64_t max_stream_bytes = wire::kMaxStreamBytes;  // declared; at most wire::kMaxStreamBytes
  ReassemblyLimits memory;
  Duration idle_limit = wire::kDeployedStreamIdle;  // without new bytes
  // A stream must be complete within max(age_limit, total / slowest_rate).
  Duration age_limit = wire::kDeployedStreamAge;
  std::uint64_t slowest_rate = wire::kDeployedStreamRate;  // bytes per second
  Duration check_interval = 5s;
  std::uint32_t completed_remembered = wire::kDeployedCompletedStreams;
  std::uint32_t refused_remembered = wire::kDeployedRefusedStreams;
};

struct FragmentOutcome {
  enum class Result : std::uint8_t {
    kAccepted,      // new bytes
    kDuplicate,     // the fragment has arrived before under another packet id
    kIgnored,       // breaks a rule of the stream, or belongs to a completed, refused or failed one
    kRefused,       // this fragment made its stream refused: from now on it is ignored
    kBeyondCredit,  // more than the peer was granted: a violation of flow control
    kContradicts,   // breaks a rule of the stream, after expect_consistency()
    kNoRoom,  // valid, but not kept: the packet must be neither acknowledged nor recorded, so that the peer sends it
              // again
  };
  Result result = Result::kIgnored;
  bool opened = false;    // first fragment of its stream
  bool finished = false;  // last missing fragment of its stream

  [[nodiscard]] bool must_ack() const {
    return result != Result::kNoRoom && result != Result::kBeyondCredit && result != Result::kContradicts;
  }
};

struct RecvStreamsStatistics {
  std::uint64_t opened = 0;
  std::uint64_t finished = 0;
  std::uint64_t refused = 0;     // streams: length, number or memory
  std::uint64_t failed = 0;      // streams evicted or refused half received
  std::uint64_t duplicates = 0;  // fragments, as the ones below
  std::uint64_t reordered = 0;   // held until their turn
  std::uint64_t beyond_end = 0;  // number out of range
  std::uint64_t beyond_total = 0;
  std::uint64_t empty = 0;
  std::uint64_t contradictory = 0;  // a total other than the stream's first; used nevertheless
  std::uint64_t after_end = 0;      // for a completed, refused or failed stream
  std::uint64_t no_room = 0;
};

class RecvStreams {
 public:
  // `shared`: what it has in common with the other connections of an endpoint.
  explicit RecvStreams(RecvStreamsConfig config = {}, ReassemblyShared shared = {});

  // How many fragments that follow one another from this one on, equal but for their numbers, can be taken by
  // take_run(); at most `most`. 0 where on_fragment() has to see each.
  [[nodiscard]] std::uint32_t run_room(const wire::StreamFragmentHeader& fragment, std::uint32_t most) {
    if (fragment.stream_id != last_id_ || last_index_ == kNone) return 0;
    const RecvStream& stream = streams_[last_index_];
    const std::size_t bytes = fragment.payload.size();
    if (fragment.total_length != stream.total_of_fragments() || bytes == 0) return 0;
    const std::uint64_t credit = flow_ == nullptr ? most : flow_->room(last_index_) / bytes;
    return stream.run_room(fragment.number, bytes, static_cast<std::uint32_t>(std::min<std::uint64_t>(most, credit)));
  }
  // `stride`: bytes from one payload to the next.
  void take_run(Instant now, const wire::StreamFragmentHeader& fragment, std::size_t stride, std::uint32_t count,
                StreamSink& sink) {
    streams_[last_index_].pass_run(now, fragment.payload, stride, count, sink);
    if (flow_ == nullptr) return;
    const std::uint64_t bytes = std::uint64_t{count} * fragment.payload.size();
    flow_->receive(last_index_, bytes);
    flow_->deliver(last_index_, bytes);
  }
  // One fragment of a packet that is no duplicate. Nothing in it has been checked.
  FragmentOutcome on_fragment(Instant now, const wire::StreamFragment& fragment, StreamSink& sink);
  FragmentOutcome on_fragment(Instant now, const wire::StreamFragmentHeader& fragment, StreamSink& sink) {
    if (fragment.stream_id == last_id_ && last_index_ != kNone) [[likely]] {
      RecvStream& stream = streams_[last_index_];
      const std::uint64_t bytes = fragment.payload.size();
      const bool plain = fragment.total_length == stream.total_of_fragments() &&
                         (flow_ == nullptr || flow_->admits(last_index_, bytes));
      if (plain && stream.pass_through(now, fragment.number, fragment.payload, sink)) [[likely]] {
        if (flow_ != nullptr) {
          flow_->receive(last_index_, bytes);
          flow_->deliver(last_index_, bytes);
        }
        return {.result = FragmentOutcome::Result::kAccepted};
      }
    }
    return on_fragment(now,
                       wire::StreamFragment{.stream_id = fragment.stream_id,
                                            .total_length = fragment.total_length,
                                            .number = fragment.number,
                                            .payload = fragment.payload},
                       sink);
  }

  // --- Flow control (docs/extended_sessions.md, section 9); before the first fragment, or never ---
  // By hand only for streams that are delivered in chunks: nobody can have read what is not there yet.
  void use_credit(FlowWindows windows) {
    windows.by_hand = windows.by_hand && config_.delivery == DeliveryMode::kChunks;
    flow_ = std::make_unique<InboundFlow>(windows, config_.refused_remembered, memory_.hash_key());
  }
  // Its sender gives the stream up after `final_bytes`. False when that contradicts what has come, or the credit.
  [[nodiscard]] bool on_reset(std::uint32_t stream_id, std::uint64_t final_bytes, std::uint64_t code, StreamSink& sink);
  // What breaks a rule of its stream is told from now on, and not ignored.
  void expect_consistency() { config_.consistent = true; }
  // From now on streams may begin with an unknown length (a fragment's total 0). Requires use_credit().
  void allow_open_streams() { flow_->allow_open_streams(); }
  // From now on a payload of more than wire::kFragmentPayload bytes stands for several fragments
  // (docs/extended_sessions.md, section 10), and fragments may come again under other packet ids.
  void allow_groups() {
    config_.groups = true;
    if (flow_) flow_->allow_repeats();
  }
  // The length of a stream that began without one. False when that contradicts what has come.
  [[nodiscard]] bool on_end(Instant now, std::uint32_t stream_id, std::uint64_t total, StreamSink& sink);
  // The application has read so many of the bytes that it was given; for FlowWindows::by_hand. Ids of complete streams
  // count too. No effect without flow control.
  void consume(std::uint32_t stream_id, std::uint64_t bytes);
  // While a stream is paused its bytes count as unread. False when no such stream is open, or there is no flow control.
  bool set_paused(std::uint32_t stream_id, bool paused);
  // What the peer is to be told next, and the same again after a loss.
  [[nodiscard]] std::optional<FlowUpdate> poll_flow() { return flow_ ? flow_->poll() : std::nullopt; }
  [[nodiscard]] std::optional<FlowUpdate> flow_again(FlowUpdate::Kind kind, std::uint32_t stream_id);
  [[nodiscard]] const InboundFlow* flow() const { return flow_.get(); }

  // Views handed out by on_chunk are no longer used. For an owner without a DeliveredMemory.
  void release_delivered() { memory_.release_retired(); }

  // Streams admitted from now on are delivered this way; those begun keep theirs.
  void set_delivery(DeliveryMode mode) { config_.delivery = mode; }
  // Drops a stream and ignores the rest of it; with flow control its sender is told, with the application's code. Not
  // reported to a sink. False when no such stream is open.
  bool refuse(std::uint32_t stream_id, std::uint64_t code = 0);
  // Keeps a stream from idling while its sender waits for credit. False when no such stream is open.
  bool touch(Instant now, std::uint32_t stream_id);
  // The session has ended: reports every stream that is half received.
  void fail_all(StreamSink& sink);

  // Eviction, and return of memory that is no longer used. Nothing when no stream is open and no memory is held.
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  void handle_timeout(Instant now, StreamSink& sink);

  [[nodiscard]] std::size_t open_streams() const { return streams_.size(); }
  [[nodiscard]] const ReassemblyMemory& memory() const { return memory_; }
  // All memory that is held for the peer: fragments, indices, buffers, and the tables of streams and recent ids.
  [[nodiscard]] std::uint64_t held_bytes() const { return memory_.held_bytes(); }
  [[nodiscard]] const RecvStreamsStatistics& statistics() const { return statistics_; }

 private:
  [[nodiscard]] FragmentOutcome broken() const {
    return {.result = config_.consistent ? FragmentOutcome::Result::kContradicts : FragmentOutcome::Result::kIgnored};
  }
  static constexpr std::uint32_t kNone = 0xffffffff;

  [[nodiscard]] FragmentOutcome admit(Instant now, const wire::StreamFragment& fragment, StreamSink& sink);
  [[nodiscard]] FragmentOutcome apply(Instant now, std::uint32_t index, std::uint32_t number, ByteView payload,
                                      StreamSink& sink);
  [[nodiscard]] FragmentOutcome apply_group(Instant now, std::uint32_t index, std::uint32_t number, ByteView payload,
                                            StreamSink& sink);
  // A stream of `length` bytes, RecvStream::kOpen where that is not known, of which `bytes` have come.
  [[nodiscard]] FragmentOutcome refuse_new(std::uint32_t id, std::uint64_t length, std::uint64_t bytes);
  static void surface_metadata(const wire::StreamFragment& fragment, StreamSink& sink);
  [[nodiscard]] std::uint32_t find(std::uint32_t stream_id);
  [[nodiscard]] std::uint32_t insert(Instant now, std::uint32_t id, std::uint64_t total);
  void finish(std::uint32_t index);
  void fail(std::uint32_t index, InboundFailure::Reason reason, StreamSink& sink, std::uint64_t code = 0);
  // Frees the slot; its memory must have been cleared.
  void erase(std::uint32_t index);
  [[nodiscard]] Duration age_limit(std::uint64_t total) const;
  // After anything that may have made a table grow.
  void account_tables();

  RecvStreamsConfig config_;
  ReassemblyMemory memory_;
  SlotTable<RecvStream> streams_;
  IdMap by_id_;
  RecentIds completed_;
  RecentIds refused_;
  std::uint32_t last_id_ = 0;         // of the stream of the last fragment: batches come from one stream
  std::uint32_t last_index_ = kNone;  // kNone: no such stream
  std::optional<Instant> next_check_;
  std::unique_ptr<InboundFlow> flow_;  // null without flow control
  RecvStreamsStatistics statistics_;
};

}  // namespace godwit
