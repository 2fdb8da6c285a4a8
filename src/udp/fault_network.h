// The misbehaving network behind FaultyBackend: decides each datagram's fate, holds back what is late, and passes the
// rest on in as few batches as the faults allow. Stages in order of travel: fate, reordering, delay, the inner back
// end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "udp/faulty_backend.h"

namespace godwit {

class FaultNetwork {
 public:
  FaultNetwork(Backend& inner, const FaultPlan& plan);

  // As Backend::send.
  [[nodiscard]] std::size_t send(Duration now, std::span<const DatagramBatch> batches);
  // Passes on what is due. False while the inner back end blocks; its wait() ends that.
  bool release(Duration now);
  // When something that is held back wants to leave; nothing while the inner back end blocks.
  [[nodiscard]] std::optional<Duration> next_release() const;
  [[nodiscard]] const FaultStatistics& statistics() const { return statistics_; }

 private:
  // A batch with bytes of its own, which waits for a time.
  struct Late {
    Duration due{};
    std::uint64_t order = 0;  // among those due at the same time
    DatagramBatch batch;
    std::vector<std::uint8_t> bytes;
  };
  // A datagram that waits for others to overtake it.
  struct Overtaken {
    std::uint64_t leave_after = 0;  // datagrams passed since the start
    Duration due{};
    DatagramBatch batch;
    std::vector<std::uint8_t> bytes;
  };

  void send_batch(Duration now, const DatagramBatch& batch);
  void strike(Duration now, const DatagramBatch& datagram, bool corrupt, bool duplicate, bool reorder);
  // Segments [first, end) of `batch`, untouched by faults.
  void pass_stretch(Duration now, const DatagramBatch& batch, std::size_t first, std::size_t end);
  void pass(Duration now, const DatagramBatch& batch);
  // As pass, for bytes that nobody else keeps.
  void pass_owned(Duration now, const DatagramBatch& batch, std::vector<std::uint8_t> bytes);
  void release_overtaken(Duration now, bool by_count);
  void hold_late(Duration due, const DatagramBatch& batch);
  void send_late(Duration now);
  void send_outgoing(Duration now);

  [[nodiscard]] bool hits(double probability) { return probability > 0 && random_.unit() < probability; }
  [[nodiscard]] bool has_room(std::size_t bytes, std::size_t datagrams);
  [[nodiscard]] std::vector<std::uint8_t> copy(ByteView bytes);
  void recycle(std::vector<std::uint8_t> bytes);

  Backend& inner_;
  FaultPlan plan_;
  DeterministicRandom random_;
  FaultStatistics statistics_;
  std::uint64_t passed_ = 0;  // datagrams, past the stage of reordering
  std::uint64_t next_order_ = 0;
  std::size_t held_bytes_ = 0;
  std::vector<Late> late_;     // a heap, the earliest first
  std::vector<Late> leaving_;  // out of the heap for one call of the inner back end
  std::vector<Overtaken> overtaken_;
  std::vector<DatagramBatch> outgoing_;                    // views for one call of the inner back end
  std::vector<std::vector<std::uint8_t>> outgoing_bytes_;  // those views' own bytes
  std::vector<std::vector<std::uint8_t>> spare_;           // buffers to use again
};

}  // namespace godwit
