// A network that misbehaves, as a decorator: drops, delays, reorders, duplicates and corrupts what this process sends;
// what it receives passes untouched. For tests and for --drop, --delay, --reorder, --duplicate, --corrupt.
// Batches are cut only where a fault strikes, so that segmentation offload goes on behind it. What is held back is
// copied to a bounded queue; equal seeds strike equal datagrams. Refusals by errno are injected below (send_calls.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/time.h"
#include "udp/backend.h"

namespace godwit {

// Probabilities are a datagram's, in [0, 1].
struct FaultPlan {
  double drop = 0;
  double duplicate = 0;  // sent twice in a row
  double reorder = 0;    // held back until 1 to `reorder_distance` later datagrams have left, or `reorder_hold` is over
  double corrupt = 0;    // one bit flipped
  Duration delay{0};     // everything leaves this much later
  Duration jitter{0};    // and a uniform share of this, drawn for each uncut stretch of a batch
  std::uint32_t reorder_distance = 8;
  Duration reorder_hold = std::chrono::milliseconds{1};
  std::size_t queue_bytes = std::size_t{64} << 20;  // most held back; beyond it, datagrams are dropped and counted
  std::uint64_t seed = 1;

  [[nodiscard]] bool any() const {
    return drop > 0 || duplicate > 0 || reorder > 0 || corrupt > 0 || delay > Duration::zero() ||
           jitter > Duration::zero();
  }
};

struct FaultStatistics {
  std::uint64_t dropped = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t delayed = 0;         // datagrams that went through the delay queue
  std::uint64_t queue_overflow = 0;  // datagrams dropped because the queue was full
};

class FaultNetwork;

class FaultyBackend final : public Backend {
 public:
  // Reads a monotonic clock; tests pass their own.
  using Clock = std::function<Duration()>;

  FaultyBackend(std::unique_ptr<Backend> inner, const FaultPlan& plan, Clock clock = nullptr);
  // What is still held back is lost.
  ~FaultyBackend() override;

  [[nodiscard]] std::size_t send(std::span<const DatagramBatch> batches) override;
  void connect_busy_peers(bool allowed) override { inner_->connect_busy_peers(allowed); }
  [[nodiscard]] std::optional<SocketAddress> connected_peer() const override { return inner_->connected_peer(); }
  [[nodiscard]] bool send_blocked() const override;
  std::size_t receive(ReceivedBatches& inbox) override;
  WaitOutcome wait(std::optional<Duration> timeout) override;
  void wake() noexcept override;
  [[nodiscard]] std::optional<PathReport> poll_path_report() override;
  [[nodiscard]] int descriptor() const override;
  [[nodiscard]] int further_descriptor() const override { return inner_->further_descriptor(); }
  [[nodiscard]] const Socket& socket() const override;
  // Of what really left: dropped datagrams are not in it.
  [[nodiscard]] const BackendStatistics& statistics() const override;
  [[nodiscard]] BackendKind kind() const override;
  [[nodiscard]] const std::string& choice() const override;

  [[nodiscard]] const FaultStatistics& faults() const;

 private:
  std::unique_ptr<Backend> inner_;
  std::unique_ptr<FaultNetwork> network_;
  Clock clock_;
};

}  // namespace godwit
