// The caller's memory for outgoing datagrams: batches are carved from it one after another and live until reset(),
// which the driver calls once the back end has taken them. A driver that lets other threads seal offers a job with it.
#pragma once

#include <cstddef>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "crypto/seal_job.h"

namespace godwit {

class TransmitBuffer {
 public:
  // 64 KiB hold the longest batch of one segmentation-offload call (54 datagrams of 1200 bytes).
  explicit TransmitBuffer(std::size_t capacity_bytes = 256 * 1024) : memory_(capacity_bytes) {}

  [[nodiscard]] MutableBytes space() { return MutableBytes(memory_).subspan(used_); }
  // Claims the first `bytes` of space() for a batch.
  MutableBytes commit(std::size_t bytes) {
    GODWIT_ASSERT(bytes <= memory_.size() - used_);
    const MutableBytes taken = MutableBytes(memory_).subspan(used_, bytes);
    used_ += bytes;
    return taken;
  }
  void reset() { used_ = 0; }

  // The next batch may be put off: poll_transmit() then returns it as plaintext, with the job pending, and it must not
  // leave before that has run. A batch that is small is sealed nevertheless. Null, the default: none is put off.
  void offer(SealJob* job) { job_ = job; }
  [[nodiscard]] SealJob* job() const { return job_; }

 private:
  std::vector<std::uint8_t> memory_;
  std::size_t used_ = 0;
  SealJob* job_ = nullptr;
};

}  // namespace godwit
