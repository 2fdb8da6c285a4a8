#include "udp/transmitters.h"

#include <cerrno>
#include <utility>

namespace godwit {
namespace {

constexpr int kProofsThatForbidden = 3;

}  // namespace

SingleCallTransmitter::SingleCallTransmitter(int descriptor, std::shared_ptr<SendCalls> calls,
                                             BackendStatistics& statistics)
    : descriptor_(descriptor), calls_(std::move(calls)), statistics_(statistics) {}

TransmitOutcome SingleCallTransmitter::transmit(std::span<KernelMessage> messages) {
  TransmitOutcome outcome;
  while (outcome.taken < messages.size()) {
    ++statistics_.send_calls;
    const int result = calls_->send_message(descriptor_, messages[outcome.taken].msg_hdr);
    if (result == -EINTR) continue;
    if (result < 0) {
      outcome.error = -result;
      break;
    }
    ++outcome.taken;
  }
  return outcome;
}

BatchTransmitter::BatchTransmitter(int descriptor, std::shared_ptr<SendCalls> calls, BackendStatistics& statistics)
    : descriptor_(descriptor),
      calls_(calls),
      statistics_(statistics),
      single_(descriptor, std::move(calls), statistics) {}

TransmitOutcome BatchTransmitter::transmit(std::span<KernelMessage> messages) {
  if (messages.size() == 1 || forbidden_) return single_.transmit(messages);
  for (;;) {
    ++statistics_.send_calls;
    const int result = calls_->send_messages(descriptor_, messages.data(), static_cast<unsigned>(messages.size()));
    if (result > 0) {
      proofs_ = 0;
      return TransmitOutcome{.taken = static_cast<std::size_t>(result)};
    }
    if (result == -EINTR) continue;
    if (result == 0) return TransmitOutcome{.error = EAGAIN};
    if (result != -EPERM && result != -ENOSYS && result != -EACCES) return TransmitOutcome{.error = -result};
    // Either the call is forbidden, or this one message is: the other call tells. A firewall's passing refusal looks
    // the same once, but not several times in a row.
    const TransmitOutcome outcome = single_.transmit(messages.first(1));
    if (outcome.taken == 1) {
      statistics_.send_refusals.add(-result);
      forbidden_ = ++proofs_ == kProofsThatForbidden;
      if (forbidden_) ++statistics_.batch_fallbacks;
    }
    return outcome;
  }
}

std::unique_ptr<Transmitter> make_transmitter(int descriptor, bool batched, std::shared_ptr<SendCalls> calls,
                                              BackendStatistics& statistics) {
  calls = send_calls_or_system(std::move(calls));
  if (batched) return std::make_unique<BatchTransmitter>(descriptor, std::move(calls), statistics);
  return std::make_unique<SingleCallTransmitter>(descriptor, std::move(calls), statistics);
}

std::shared_ptr<SendCalls> send_calls_or_system(std::shared_ptr<SendCalls> calls) {
  return calls != nullptr ? std::move(calls) : std::make_shared<SendCalls>();
}

}  // namespace godwit
