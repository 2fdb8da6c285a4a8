// The workers of a simulated host: batches are sealed at times and in an order that a seed draws, and leave in the
// order in which they were put together. What runtime/transmit_workers.h does on threads, in virtual time. Owned by
// Host.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/datagram_batch.h"
#include "base/random.h"
#include "base/time.h"
#include "crypto/seal_job.h"
#include "stream/body_readers.h"
#include "transport/transmit_buffer.h"

namespace godwit::sim {

struct DelayedSealingStatistics {
  std::uint64_t jobs = 0;
  std::uint64_t overtaken = 0;  // jobs that ran after one that was put off later
  std::uint64_t hurried = 0;    // that ran because a body was to be released
  std::uint64_t refusals = 0;   // batches that waited for one on its way
};

class DelayedSealing final : public BodyReaders {
 public:
  // Batches that may be on their way at once.
  static constexpr std::size_t kMost = 6;

  DelayedSealing(Duration longest, std::uint64_t seed) : longest_(longest), random_(seed) {}

  // Memory for the next batch, with a job; null while kMost are on their way.
  [[nodiscard]] TransmitBuffer* begin();
  // The batch that the memory of begin() got. Returns when it will have been sealed.
  [[nodiscard]] Instant submit(Instant now, const DatagramBatch& batch);
  void run_due(Instant now);
  // The oldest batch, if it may leave; null otherwise. pop() gives its memory back.
  [[nodiscard]] const DatagramBatch* front() const;
  void pop();
  // Nothing on its way leaves any more.
  void clear();

  void finish(std::uint64_t ticket) override;

  [[nodiscard]] bool full() const { return on_their_way_.size() >= kMost; }
  // Whether a job that has not run reads any of these bytes.
  [[nodiscard]] bool reads(ByteView bytes) const;
  [[nodiscard]] const DelayedSealingStatistics& statistics() const { return statistics_; }

 private:
  struct Outgoing {
    TransmitBuffer buffer{66 * 1024};
    SealJob job;
    DatagramBatch batch;
    Instant due{};
  };
  void run(Outgoing& outgoing);

  Duration longest_;
  DeterministicRandom random_;
  std::deque<std::unique_ptr<Outgoing>> on_their_way_;  // in the order of their tickets
  std::vector<std::unique_ptr<Outgoing>> free_;
  std::unique_ptr<Outgoing> next_;  // that begin() has given out
  std::uint64_t next_ticket_ = 1;
  std::uint64_t latest_run_ = 0;  // the highest ticket of a job that has run
  DelayedSealingStatistics statistics_;
};

}  // namespace godwit::sim
