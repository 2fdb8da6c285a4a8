// One side of one performance run (docs/file_transfer.md section 5): sends, receives or both, exchanges the results
// with the other side and compares them. Survives its connection being renewed when a key has protected its share of
// packets (decisions 3). Owned by PerfClient or PerfServer, which feed it the events of its connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bandwidth.h"
#include "base/time.h"
#include "trace/cost.h"
#include "transfer/control.h"
#include "transfer/peer_watch.h"
#include "transfer/perf_receiver.h"
#include "transfer/perf_sender.h"
#include "transfer/stream_inbox.h"
#include "transport/endpoint.h"

namespace godwit {

class PerfRun;

// What the program around a run adds to it.
class PerfObserver {
 public:
  virtual ~PerfObserver() = default;
  // Data may flow from now on: the place to note what processor time and counters stand at.
  virtual void on_perf_running(Instant now, PerfRun& run) = 0;
  // All data of this side has been sent and received: its own figures, as JSON text, for the other side.
  [[nodiscard]] virtual std::string perf_details(Instant now, PerfRun& run) = 0;
};

// The other side's word, owned.
struct PerfPeerResult {
  std::uint64_t sent_bytes = 0;
  std::uint64_t sent_digest = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t received_digest = 0;
  std::string details;  // JSON text, hostile
};

class PerfRun final : public StreamConsumer {
 public:
  enum class Role : std::uint8_t { kClient, kServer };
  enum class State : std::uint8_t {
    kStarting,  // client: the server has not answered yet
    kRunning,
    kReporting,  // all data is through; results are being exchanged
    kDone,
    kFailed,
  };
  struct Options {
    Role role = Role::kClient;
    PerfPlan plan;
    bool sends = true;
    bool receives = false;
    std::uint64_t window = 0;                  // of streams to this side, where the transport has no flow control
    std::uint64_t peer_window = 0;             // of streams to the other side; a client learns it from the server
    std::optional<Bandwidth> rate;             // of either direction
    std::optional<CongestionKind> congestion;  // of the server; none: its own choice
    Duration progress_interval{};              // of PerfProgress to the client; zero: none
    std::shared_ptr<const WorkingSet> bytes;   // when it sends
  };

  // `endpoint`, `observer` and `cost` outlive it.
  PerfRun(Endpoint& endpoint, const Options& options, PerfObserver& observer, trace::CostSink* cost);
  ~PerfRun() override;

  // The run goes on over this established connection: at its start and after each renewal.
  void attach(Instant now, ConnectionId connection);
  void on_control(Instant now, const ControlMessage& message);
  void on_chunk(Instant now, const StreamChunk& chunk) {
    if (inbox_) inbox_->on_chunk(now, chunk);
  }
  void on_aborted(Instant now, std::uint32_t stream_id);
  void on_confirmed(Instant now, MessageId message);
  void on_failed(const MessageFailed& failed);
  void on_closed(Instant now, const Closed& closed);
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  // A client ends the run before its time: both sides give up what they are sending and exchange results all the same.
  void stop(Instant now);
  void fail(std::string why);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool ended() const { return state_ == State::kDone || state_ == State::kFailed; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  // A client is to connect to the server again and to attach() the new connection.
  [[nodiscard]] bool wants_reconnect() const { return wants_reconnect_; }
  [[nodiscard]] std::uint32_t renewals() const { return renewals_; }

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] std::uint64_t session() const { return options_.plan.session; }
  [[nodiscard]] ConnectionId connection() const { return connection_; }
  [[nodiscard]] const PerfSender* sender() const { return sender_.get(); }
  [[nodiscard]] const PerfReceiver* receiver() const { return receiver_.get(); }
  // Set in kDone.
  [[nodiscard]] const std::optional<PerfPeerResult>& peer_result() const { return peer_result_; }
  // What the server has received so far: its last word on the way, and at the end its result.
  struct Delivered {
    std::uint64_t bytes = 0;
    Duration elapsed{};  // since its first byte; not known from the result alone
    std::vector<std::uint64_t> logical_bytes;
  };
  [[nodiscard]] const Delivered& delivered_to_server() const { return delivered_; }
  // Of all connections of the run; the state of the path is the last one's.
  [[nodiscard]] ConnectionStatistics statistics() const;
  // What a failed comparison of the results says; nothing when all agrees. Requires peer_result().
  [[nodiscard]] std::optional<std::string> disagreement() const;

  // StreamConsumer.
  [[nodiscard]] std::optional<std::uint64_t> on_stream_begin(Instant now, InboundStream& stream) override;
  [[nodiscard]] bool on_stream_bytes(Instant now, InboundStream& stream, ByteView bytes) override;
  void on_stream_end(Instant now, InboundStream& stream) override;
  void on_stream_aborted(Instant now, InboundStream& stream) override;
  void on_control_stream(Instant now, ByteView message) override;

 private:
  void begin(Instant now);
  void send_start(Instant now);
  [[nodiscard]] std::uint64_t told_window() const;
  void on_cut(const PerfCut& cut);
  void on_progress(const PerfProgress& progress);
  void send_cut(Instant now);
  void send_progress(Instant now);
  void renew(Instant now);
  // With what is known of the peer, or else these words.
  void fail_silent(std::string_view otherwise);
  void send_or_fail(Instant now, const ControlMessage& message);
  void apply_failure(Instant now, const MessageFailed& failed);
  void report(Instant now);
  void send_result(Instant now, const ControlMessage& message);
  void on_details(const PerfDetails& details);
  void finish_if_settled();

  Endpoint& endpoint_;
  Options options_;
  PerfObserver& observer_;
  trace::CostSink* cost_;
  ConnectionId connection_ = 0;
  State state_;
  std::string failure_;

  std::unique_ptr<StreamInbox> inbox_;
  std::unique_ptr<PerfSender> sender_;
  std::unique_ptr<PerfReceiver> receiver_;
  MessageId start_message_ = 0;
  std::optional<Instant> answer_deadline_;  // client: of the answer to the start; both: of the results
  std::vector<MessageFailed> failed_;       // since the last turn
  bool end_sent_ = false;
  bool stop_wanted_ = false;                                   // and not said yet
  std::optional<Instant> cut_deadline_;                        // of PerfCut
  std::vector<std::optional<std::vector<PerfCutEntry>>> cut_;  // its pieces, by index
  std::optional<Instant> next_progress_;
  Delivered delivered_;
  bool peer_ended_ = false;
  std::vector<MessageId> unconfirmed_;  // of the result and its details
  std::optional<PerfPeerResult> peer_result_;
  std::size_t details_expected_ = 0;
  std::vector<std::string> peer_details_;  // by index; empty: not there yet

  bool renewing_ = false;
  bool renew_sent_ = false;
  bool peer_renewed_ = false;
  bool wants_reconnect_ = false;
  std::uint32_t renewals_ = 0;
  PeerWatch watch_;
  ConnectionStatistics past_;    // of connections that this run has left
  ConnectionStatistics latest_;  // of the present one, as last seen
};

}  // namespace godwit
