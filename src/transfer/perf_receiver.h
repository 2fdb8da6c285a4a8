// The receiving half of a performance run: digests what arrives on the spot, grants credit at once, counts the
// delivered bytes. Owned by PerfRun, fed by the StreamInbox of its connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.h"
#include "trace/cost.h"
#include "transfer/digest.h"
#include "transfer/stream_inbox.h"

namespace godwit {

class PerfReceiver {
 public:
  struct Options {
    std::uint64_t session = 0;
    std::uint16_t streams = 1;
    std::uint64_t window = 0;
    bool digest = true;
  };
  // `cost` outlives it.
  PerfReceiver(const Options& options, trace::CostSink* cost);

  // As StreamConsumer, for streams whose header names the session.
  [[nodiscard]] std::optional<std::uint64_t> on_stream_begin(Instant now, InboundStream& stream);
  [[nodiscard]] bool on_stream_bytes(Instant now, StreamInbox& inbox, InboundStream& stream, ByteView bytes) {
    auto* const slot = static_cast<Slot*>(stream.tag);
    if (options_.digest) {
      GODWIT_MARK(cost_, kDigest);
      slot->digest.update(bytes);
      GODWIT_MARK(cost_, kApplication);
    }
    bytes_ += bytes.size();
    last_at_ = now;
    inbox.consume(now, stream, bytes.size());
    return true;
  }
  void on_stream_end(InboundStream& stream);
  void on_stream_aborted(InboundStream& stream);

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] std::uint64_t streams_finished() const { return streams_finished_; }
  [[nodiscard]] std::uint64_t streams_aborted() const { return streams_aborted_; }
  // Of each logical stream.
  [[nodiscard]] const std::vector<std::uint64_t>& finished_bytes() const { return finished_bytes_; }
  // From the first byte to the last.
  [[nodiscard]] Duration elapsed() const { return first_at_ ? last_at_ - *first_at_ : Duration::zero(); }

 private:
  struct Slot {
    StreamDigest digest;
  };
  void release(InboundStream& stream);

  Options options_;
  trace::CostSink* cost_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> spare_;
  std::uint64_t bytes_ = 0;
  std::uint64_t digest_ = 0;
  std::uint64_t streams_finished_ = 0;
  std::uint64_t streams_aborted_ = 0;
  std::vector<std::uint64_t> finished_bytes_;
  std::optional<Instant> first_at_;
  Instant last_at_{};
};

}  // namespace godwit
