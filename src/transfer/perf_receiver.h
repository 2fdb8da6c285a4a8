// The receiving half of a performance run: digests what arrives on the spot, grants credit at once, counts the
// delivered bytes. Owned by PerfRun, fed by the StreamInbox of its connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/time.h"
#include "trace/cost.h"
#include "transfer/control.h"
#include "transfer/digest.h"
#include "transfer/stream_inbox.h"

namespace godwit {

class PerfReceiver {
 public:
  struct Options {
    std::uint64_t session = 0;
    std::uint16_t streams = 1;
    bool digest = true;
  };
  // `cost` outlives it.
  PerfReceiver(const Options& options, trace::CostSink* cost);

  // As StreamConsumer, for streams whose header names the session. False refuses the stream.
  [[nodiscard]] bool on_stream_begin(Instant now, InboundStream& stream);
  [[nodiscard]] bool on_stream_bytes(Instant now, StreamInbox& inbox, InboundStream& stream, ByteView bytes) {
    auto* const slot = static_cast<Slot*>(stream.tag);
    if (frozen_) [[unlikely]]
      return false;
    if (options_.digest) {
      GODWIT_COST_PROBE(cost_, kDigest);
      slot->digest.update(bytes);
      GODWIT_COST_PROBE(cost_, kApplication);
    }
    bytes_ += bytes.size();
    slot->bytes += bytes.size();
    logical_bytes_[slot->logical] += bytes.size();
    last_at_ = now;
    inbox.consume(now, stream, bytes.size());
    return true;
  }
  void on_stream_end(InboundStream& stream);
  void on_stream_aborted(InboundStream& stream);

  // The sender has given up the streams that have not ended: nothing more counts, and what is there of them does, with
  // its digest. Returns what there is, for the sender to count the same (PerfCut).
  [[nodiscard]] std::vector<PerfCutEntry> freeze();

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] std::uint64_t streams_finished() const { return streams_finished_; }
  // Of each logical stream.
  [[nodiscard]] const std::vector<std::uint64_t>& logical_bytes() const { return logical_bytes_; }
  // From the first byte to the last.
  [[nodiscard]] Duration elapsed() const { return first_at_ ? last_at_ - *first_at_ : Duration::zero(); }

 private:
  struct Slot {
    StreamDigest digest;
    std::uint16_t logical = 0;
    std::uint64_t sequence = 0;
    std::uint64_t bytes = 0;
    bool used = false;
  };
  // The streams of a logical stream that have ended: all below `first`, and some beyond.
  struct Finished {
    std::uint64_t first = 0;
    std::set<std::uint64_t> beyond;
  };
  void note_finished(Finished& finished, std::uint64_t sequence);
  void count_unfinished(const Slot& slot);
  void release(InboundStream& stream);

  Options options_;
  trace::CostSink* cost_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> spare_;
  std::uint64_t bytes_ = 0;
  std::uint64_t digest_ = 0;
  std::uint64_t streams_finished_ = 0;
  std::vector<std::uint64_t> logical_bytes_;
  std::vector<Finished> finished_;
  bool frozen_ = false;
  std::vector<PerfCutEntry> unfinished_;  // what came of streams that have not ended, and will not
  std::optional<Instant> first_at_;
  Instant last_at_{};
};

}  // namespace godwit
