#include "udp/message_receiver.h"

#include <algorithm>
#include <cerrno>

#include "base/assert.h"

namespace godwit {
namespace {

// Errors that ICMP left on the socket are cleared by reporting them; so many are skipped before a call gives up.
constexpr int kMaxErrorsPerCall = 8;
// Buffers begin on cache lines of their own.
constexpr std::size_t kAlignment = 64;
// When messages are this large, a call asks for few of them: a quarter of a megabyte stays in the core's own cache
// until it is decrypted, a whole one does not, and the call is long paid for.
constexpr std::size_t kLargeMessageBytes = 16384;
constexpr std::size_t kFewMessages = 4;
// After so many calls in a row that found nothing the caller polls, and what it waits for comes alone: a call for many
// would look for a second one in vain before it hands over the first.
constexpr std::uint32_t kPollingCalls = 2;

std::size_t stride_of(std::size_t buffer_bytes) {
  return (buffer_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

MessageReceiver::MessageReceiver(const Options& options, const Socket& socket, std::size_t largest_datagram_bytes,
                                 BackendStatistics& statistics)
    : options_(options),
      descriptor_(socket.descriptor()),
      statistics_(statistics),
      intake_(socket, largest_datagram_bytes, statistics),
      // Not cleared: pages that no datagram reaches are never touched.
      pool_(std::make_unique_for_overwrite<std::uint8_t[]>(options.buffers * stride_of(options.buffer_bytes) +
                                                           kAlignment)),
      slots_(options.buffers),
      headers_(options.buffers),
      asked_(options.buffers) {
  GODWIT_ASSERT(options.buffers > 0 && options.buffer_bytes > 0);
  const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(pool_.get()) % kAlignment;
  std::uint8_t* at = pool_.get() + (misaligned == 0 ? 0 : kAlignment - misaligned);
  for (std::size_t i = 0; i < slots_.size(); ++i, at += stride_of(options.buffer_bytes)) {
    slots_[i].vector = iovec{at, options.buffer_bytes};
    arm(i);
  }
}

void MessageReceiver::arm(std::size_t slot) {
  msghdr& header = headers_[slot].msg_hdr;
  header.msg_name = named_ ? &slots_[slot].name.generic : nullptr;
  header.msg_namelen = named_ ? sizeof slots_[slot].name.ipv6 : 0;
  header.msg_iov = &slots_[slot].vector;
  header.msg_iovlen = 1;
  header.msg_control = slots_[slot].control.data();
  header.msg_controllen = slots_[slot].control.size();
  header.msg_flags = 0;
}

void MessageReceiver::set_peer(const SocketAddress& peer) {
  intake_.set_peer(peer);
  named_ = false;
  for (std::size_t i = 0; i < slots_.size(); ++i) arm(i);
}

int MessageReceiver::call(std::size_t first) {
  ++statistics_.receive_calls;
  if (options_.one_call_each || asked_ == 1) {
    const auto bytes = ::recvmsg(descriptor_, &headers_[first].msg_hdr, MSG_DONTWAIT);
    if (bytes < 0) return -errno;
    headers_[first].msg_len = static_cast<unsigned>(bytes);
    return 1;
  }
  return platform::receive_messages(descriptor_, headers_.data(), static_cast<unsigned>(asked_));
}

void MessageReceiver::receive(ReceivedBatches& inbox) {
  inbox.clear();
  std::size_t filled = 0;
  std::size_t bytes = 0;
  int errors = 0;
  while (filled < asked_) {
    const int received = call(filled);
    if (received <= 0) statistics_.receive_occupancy.add(0);
    if (received == 0 || received == -EAGAIN || received == -EWOULDBLOCK) break;
    if (received < 0) {
      if (received == -EINTR) continue;
      ++statistics_.failed_receive_calls;
      statistics_.receive_errors.add(-received);
      if (++errors == kMaxErrorsPerCall) break;
      continue;
    }
    const std::uint64_t datagrams_before = statistics_.datagrams_received;
    for (const std::size_t end = filled + static_cast<std::size_t>(received); filled < end; ++filled) {
      // Nothing is written to the slots before the next receive(), so they may be armed again at once.
      KernelMessage& message = headers_[filled];
      bytes += message.msg_len;
      intake_.take(message.msg_hdr, {static_cast<std::uint8_t*>(slots_[filled].vector.iov_base), message.msg_len},
                   inbox);
      arm(filled);
    }
    statistics_.receive_occupancy.add(statistics_.datagrams_received - datagrams_before);
    if (!options_.one_call_each) break;
  }
  const bool polled = empty_calls_ >= kPollingCalls;
  if (filled == asked_ && !polled) inbox.set_stopped_at_bound();
  empty_calls_ = filled == 0 ? empty_calls_ + 1 : 0;
  if (empty_calls_ >= kPollingCalls) {
    asked_ = 1;
  } else if (filled > 0) {
    asked_ = bytes >= filled * kLargeMessageBytes ? std::min(kFewMessages, options_.buffers) : options_.buffers;
  }
}

}  // namespace godwit
