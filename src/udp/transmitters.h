// Two ways of passing prepared messages through system calls: one call a message, and one call for many. The third,
// io_uring's, is in backend_uring.cc. Owned by a BatchSender.
#pragma once

#include <memory>

#include "udp/backend_statistics.h"
#include "udp/batch_sender.h"
#include "udp/send_calls.h"

namespace godwit {

class SingleCallTransmitter final : public Transmitter {
 public:
  SingleCallTransmitter(int descriptor, std::shared_ptr<SendCalls> calls, BackendStatistics& statistics);
  [[nodiscard]] TransmitOutcome transmit(std::span<KernelMessage> messages) override;

 private:
  int descriptor_;
  std::shared_ptr<SendCalls> calls_;
  BackendStatistics& statistics_;
};

// Where sendmmsg is forbidden but sendmsg is not (seccomp), it goes on with one call a message.
class BatchTransmitter final : public Transmitter {
 public:
  BatchTransmitter(int descriptor, std::shared_ptr<SendCalls> calls, BackendStatistics& statistics);
  [[nodiscard]] TransmitOutcome transmit(std::span<KernelMessage> messages) override;

 private:
  int descriptor_;
  std::shared_ptr<SendCalls> calls_;
  BackendStatistics& statistics_;
  SingleCallTransmitter single_;
  int proofs_ = 0;  // in a row that sendmmsg is refused where sendmsg is not
  bool forbidden_ = false;
};

// The one that makes one call for many messages if `batched`, else the other; `calls` as below.
[[nodiscard]] std::unique_ptr<Transmitter> make_transmitter(int descriptor, bool batched,
                                                            std::shared_ptr<SendCalls> calls,
                                                            BackendStatistics& statistics);

// `calls`, or the real ones for null.
[[nodiscard]] std::shared_ptr<SendCalls> send_calls_or_system(std::shared_ptr<SendCalls> calls);

}  // namespace godwit
