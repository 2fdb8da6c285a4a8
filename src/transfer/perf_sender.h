// The sending half of a performance run (docs/file_transfer.md section 5): logical streams, each a succession of data
// streams back to back from a WorkingSet, within the receiver's credit; when time is up the begun ones are finished.
// Counts what the transport has confirmed and sums the streams' digests. Owned by PerfRun, driven by its connection's
// events.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "trace/cost.h"
#include "transfer/control.h"
#include "transfer/stream_header.h"
#include "transfer/working_set.h"
#include "transport/endpoint.h"

namespace godwit {

struct PerfPlan {
  std::uint64_t session = 0;
  std::uint16_t streams = 1;
  std::uint64_t stream_bytes = kDataStreamBytes;  // of a data stream, at most
  Duration duration = 10s;                        // zero: until cut()
  std::uint64_t target_bytes = 0;                 // instead of the duration, when not 0
  bool digest = true;
};

class PerfSender {
 public:
  // `endpoint` and `cost` outlive it. `window`: what the receiver announced.
  PerfSender(Endpoint& endpoint, const PerfPlan& plan, std::shared_ptr<const WorkingSet> bytes, std::uint64_t window,
             trace::CostSink* cost);
  ~PerfSender();
  PerfSender(const PerfSender&) = delete;
  PerfSender& operator=(const PerfSender&) = delete;

  // Sends on this connection from now on: at the start, and after a renewal once drained() was true.
  void attach(Instant now, ConnectionId connection);
  void on_credit(Instant now, const StreamCredit& credit);
  // False when the message is none of its own.
  bool on_confirmed(Instant now, MessageId message);
  bool on_failed(Instant now, const MessageFailed& failed);
  // Opens streams; once a turn.
  void on_turn(Instant now);
  // When on_turn() has something to do without other events; null while it waits for events alone.
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // Ends now: streams that have not ended are given up, and count as far as the receiver has them (apply_cut).
  void cut(Instant now);
  // Streams were given up.
  [[nodiscard]] bool was_cut() const { return was_cut_; }
  [[nodiscard]] bool awaits_cut() const { return !cut_.empty(); }
  // What the receiver has of the streams that were given up.
  void apply_cut(const std::vector<PerfCutEntry>& entries);

  // The key's share of packets is used up: no new stream until attach().
  [[nodiscard]] bool wants_renewal() const { return wants_renewal_; }
  // The other side wants the connection renewed: as if the key were used up.
  void pause() { wants_renewal_ = !finished(); }
  [[nodiscard]] bool drained() const { return open_.empty(); }
  // Nothing is being sent any more; what was given up may not have been counted yet.
  [[nodiscard]] bool finished() const { return ended_ && open_.empty(); }
  [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }

  // Confirmed bytes, without headers, and those that the receiver has of streams that were given up.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // The same of each logical stream.
  [[nodiscard]] const std::vector<std::uint64_t>& logical_bytes() const { return logical_bytes_; }
  // Bytes handed to the transport for the first time.
  [[nodiscard]] std::uint64_t handed_out() const;
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] Duration elapsed(Instant now) const;

 private:
  struct Outgoing;  // shared with the body that the transport reads
  class Source;
  struct Logical {
    std::uint64_t next_sequence = 0;
    std::uint64_t next_bytes = 0;       // length of its next stream
    std::shared_ptr<Outgoing> current;  // the latest
    std::shared_ptr<Outgoing> former;   // the one before it
  };

  [[nodiscard]] bool open(Instant now, std::uint32_t logical);
  [[nodiscard]] bool may_open(Instant now) const;
  void adapt(Instant now, Logical& logical);
  [[nodiscard]] bool is_over(Instant now) const;
  [[nodiscard]] bool by_time() const { return plan_.target_bytes == 0 && plan_.duration > Duration::zero(); }
  [[nodiscard]] std::uint64_t digest_of(const Outgoing& stream, std::uint64_t bytes) const;

  Endpoint& endpoint_;
  PerfPlan plan_;
  std::shared_ptr<const WorkingSet> bytes_source_;
  std::uint64_t window_;
  trace::CostSink* cost_;
  ConnectionId connection_ = 0;

  std::vector<Logical> logical_;
  std::vector<std::uint64_t> logical_bytes_;  // as bytes_
  std::map<MessageId, std::shared_ptr<Outgoing>> open_;
  std::map<std::uint32_t, MessageId> by_stream_;
  std::uint64_t position_ = 0;      // in the working set, of the next stream
  std::uint64_t planned_ = 0;       // bytes of all streams opened
  std::uint64_t closed_bytes_ = 0;  // of handed_out(): streams that are confirmed
  std::uint64_t bytes_ = 0;
  std::uint64_t digest_ = 0;
  std::optional<Instant> started_;
  std::optional<Instant> last_confirmed_;
  bool ended_ = false;
  std::vector<std::shared_ptr<Outgoing>> cut_;  // given up and not counted yet
  bool was_cut_ = false;
  bool wants_renewal_ = false;
  std::optional<std::string> failure_;
};

}  // namespace godwit
