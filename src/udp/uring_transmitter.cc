#if GODWIT_WITH_URING

#include "udp/uring_transmitter.h"

#include <cerrno>
#include <utility>

namespace godwit {
namespace {

// Entering may be interrupted, or asked to wait for memory; more often than this means that the ring is stuck.
constexpr int kMaxEntries = 64;

}  // namespace

UringTransmitter::UringTransmitter(int descriptor, std::shared_ptr<SendCalls> calls, BackendStatistics& statistics)
    : descriptor_(descriptor),
      calls_(calls),
      statistics_(statistics),
      single_(descriptor, std::move(calls), statistics) {}

Status UringTransmitter::open() {
  return ring_.open(kMaxMessagesPerCall, 2 * kMaxMessagesPerCall);
}

TransmitOutcome UringTransmitter::transmit(std::span<KernelMessage> messages) {
  if (failed_) return single_.transmit(messages);
  int refusal = 0;
  std::size_t admitted = 0;
  while (admitted < messages.size() && (refusal = calls_->refuse_queued(messages[admitted].msg_hdr)) == 0) ++admitted;
  if (admitted == 0) return TransmitOutcome{.error = refusal};

  int error = enter(messages.first(admitted));
  // The ring belongs to another thread, and took nothing: this thread is the owner of a new one.
  if (error == EEXIST && open()) error = enter(messages.first(admitted));
  if (error != 0) {
    // Some of them may have been sent. Nothing goes out twice, so all count as taken.
    statistics_.send_refusals.add(error);
    ++statistics_.batch_fallbacks;
    failed_ = true;
    return TransmitOutcome{.taken = admitted};
  }
  for (std::size_t i = 0; i < admitted; ++i) {
    if (answers_[i] < 0) return TransmitOutcome{.taken = i, .error = -answers_[i]};
  }
  return TransmitOutcome{.taken = admitted, .error = refusal};
}

int UringTransmitter::enter(std::span<KernelMessage> messages) {
  if (!ring_.enable()) return ENXIO;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_.raw());
    if (entry == nullptr) return EBUSY;
    io_uring_prep_sendmsg(entry, descriptor_, &messages[i].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
    entry->user_data = i;
    if (i + 1 < messages.size()) entry->flags |= IOSQE_IO_LINK;
  }
  std::size_t answered = 0;
  for (int entries = 0; answered < messages.size(); ++entries) {
    if (entries == kMaxEntries) return EBUSY;
    ++statistics_.send_calls;
    const int result = io_uring_submit_and_wait(&ring_.raw(), static_cast<unsigned>(messages.size() - answered));
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) return -result;
    answered += collect();
  }
  return 0;
}

std::size_t UringTransmitter::collect() {
  io_uring_cqe* completion = nullptr;
  unsigned head = 0;
  unsigned seen = 0;
  io_uring_for_each_cqe(&ring_.raw(), head, completion) {
    answers_[completion->user_data] = completion->res;
    ++seen;
  }
  io_uring_cq_advance(&ring_.raw(), seen);
  return seen;
}

}  // namespace godwit

#endif
