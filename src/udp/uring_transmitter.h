// Queues prepared messages on an io_uring of its own and enters the kernel once for all of them. The requests are
// linked, so the kernel handles them in order and cancels what follows a refused one: the outcome is that of sendmmsg.
#pragma once

#include <array>
#include <memory>

#include "udp/batch_sender.h"
#include "udp/transmitters.h"
#include "udp/uring_ring.h"

namespace godwit {

class UringTransmitter final : public Transmitter {
 public:
  UringTransmitter(int descriptor, std::shared_ptr<SendCalls> calls, BackendStatistics& statistics);

  // To be called before anything else. Errors as UringRing::open.
  [[nodiscard]] Status open();
  // Uses system calls from then on when its ring fails (counted as a batch fall-back).
  [[nodiscard]] TransmitOutcome transmit(std::span<KernelMessage> messages) override;

 private:
  // Queues and waits for all answers. 0, or the errno that makes the ring useless.
  [[nodiscard]] int enter(std::span<KernelMessage> messages);
  std::size_t collect();

  int descriptor_;
  std::shared_ptr<SendCalls> calls_;
  BackendStatistics& statistics_;
  SingleCallTransmitter single_;
  UringRing ring_;
  std::array<int, kMaxMessagesPerCall> answers_{};
  bool failed_ = false;
};

}  // namespace godwit
