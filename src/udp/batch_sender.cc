#include "udp/batch_sender.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace godwit {
namespace {

constexpr std::size_t kControlBytes =
    CMSG_SPACE(sizeof(in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(std::uint16_t));

// Pending errors of other datagrams that one message gets past. More of them means that they come as fast as they are
// read, and then this message is lost, as a datagram may be.
constexpr std::uint32_t kMaxRetries = 8;

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

// No first link carries less, with headers (RFC 791).
constexpr std::size_t kFitsEveryLink = 540;

// Errors that concern the route or the peer, whatever the shape of the message.
bool is_about_the_peer(int error) {
  return error == ECONNREFUSED || error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN ||
         error == EADDRNOTAVAIL;
}

template <typename T>
cmsghdr* append(cmsghdr* at, int level, int type, const T& value) {
  at->cmsg_level = level;
  at->cmsg_type = type;
  at->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(at), &value, sizeof value);
  return reinterpret_cast<cmsghdr*>(reinterpret_cast<std::uint8_t*>(at) + CMSG_SPACE(sizeof value));
}

}  // namespace

// Names and control bytes stand once a batch and are shared by its messages; a batch may need two sets of control
// bytes, one for messages that the kernel cuts and one for a single datagram.
struct BatchSender::Storage {
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, kControlBytes> bytes;
  };
  std::array<KernelMessage, kMaxMessagesPerCall> messages;
  std::array<iovec, kMaxMessagesPerCall> vectors;
  std::array<Piece, kMaxMessagesPerCall> pieces;
  std::array<KernelAddress, kMaxMessagesPerCall> names;
  std::array<Control, 2 * kMaxMessagesPerCall> controls;
};

BatchSender::BatchSender(const Options& options, std::unique_ptr<Transmitter> transmitter,
                         BackendStatistics& statistics, ErrorQueue& errors)
    : options_(options),
      transmitter_(std::move(transmitter)),
      statistics_(statistics),
      errors_(errors),
      paths_(options.offload_retry_batches),
      storage_(std::make_unique<Storage>()) {}

BatchSender::~BatchSender() = default;

// A mark stands in the same byte as the socket's class of service, which is asked for once.
int BatchSender::service_class(bool ipv4) {
  std::optional<int>& known = service_class_[ipv4 ? 0 : 1];
  if (!known) {
    int value = 0;
    socklen_t size = sizeof value;
    const int level = ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    if (::getsockopt(options_.descriptor, level, ipv4 ? IP_TOS : IPV6_TCLASS, &value, &size) != 0) value = 0;
    known = value & 0xfc;
  }
  return *known;
}

std::size_t BatchSender::send(std::span<const DatagramBatch> batches) {
  if (!flush()) return 0;
  Position at;
  if (advance(batches, at)) return batches.size();
  if (at.offset == 0) return at.batch;
  keep_remainder(batches[at.batch], at.offset);
  return at.batch + 1;
}

bool BatchSender::flush() {
  blocked_.store(false, std::memory_order_relaxed);
  if (!remainder_) return true;
  Position at;
  if (!advance({&*remainder_, 1}, at)) {
    remainder_->bytes = remainder_->bytes.subspan(at.offset);
    return false;
  }
  remainder_.reset();
  return true;
}

bool BatchSender::advance(std::span<const DatagramBatch> batches, Position& at) {
  while (at.batch < batches.size()) {
    if (const int error = refusal_of(batches[at.batch]); error != 0) {
      statistics_.send_refusals.add(error);
      discard_rest(batches[at.batch], at, error);
      continue;
    }
    if (!set_for(batches[at.batch])) {
      statistics_.send_refusals.add(EMSGSIZE);
      discard_rest(batches[at.batch], at, EMSGSIZE);
      continue;
    }
    const std::size_t prepared = prepare(batches, at);
    const std::uint64_t calls_before = statistics_.send_calls;
    const TransmitOutcome outcome = transmitter_->transmit({storage_->messages.data(), prepared});
    account_calls({storage_->pieces.data(), outcome.taken}, statistics_.send_calls - calls_before);
    account({storage_->pieces.data(), outcome.taken}, at);
    if (outcome.error == 0) {
      GODWIT_ASSERT(outcome.taken > 0);
      // A call that sent some messages has lost the error that stopped it, and the error queue must not stay full: a
      // wait would not sleep.
      if (outcome.taken < prepared) errors_.drain();
      continue;
    }
    if (would_block(outcome.error)) {
      ++statistics_.blocked_sends;
      blocked_.store(true, std::memory_order_relaxed);
      return false;
    }
    const bool was_cut = storage_->pieces[outcome.taken].datagrams > 1;
    on_refusal(batches[at.batch], at, outcome.error, was_cut);
  }
  return true;
}

int BatchSender::refusal_of(const DatagramBatch& batch) const {
  if (options_.connected_peer.is_specified()) return batch.remote == options_.connected_peer ? 0 : EISCONN;
  if (!batch.remote.is_specified()) return EDESTADDRREQ;
  return options_.family == SocketFamily::kIpv4 && batch.remote.is_ipv6() ? EAFNOSUPPORT : 0;
}

bool BatchSender::is_set_for(const DatagramBatch& batch) const {
  return batch.segment_size <= kFitsEveryLink ||
         kept_whole_[goes_by_ipv6(batch) ? 1 : 0] == (batch.segment_size > kLargestFragmented);
}

bool BatchSender::set_for(const DatagramBatch& batch) {
  if (is_set_for(batch)) [[likely]]
    return true;
  const bool ipv6 = goes_by_ipv6(batch);
  const bool whole = batch.segment_size > kLargestFragmented;
  if (!platform::keep_whole(options_.descriptor, ipv6 ? AF_INET6 : AF_INET, whole)) return !whole;
  kept_whole_[ipv6 ? 1 : 0] = whole;
  return true;
}

std::size_t BatchSender::prepare(std::span<const DatagramBatch> batches, Position at) {
  std::size_t count = 0;
  for (; at.batch < batches.size(); ++at.batch, at.offset = 0) {
    if (refusal_of(batches[at.batch]) != 0 || !is_set_for(batches[at.batch])) break;  // it is the first next time
    if (!prepare_batch(batches[at.batch], at.batch, at.offset, count)) break;
  }
  return count;
}

bool BatchSender::prepare_batch(const DatagramBatch& batch, std::size_t index, std::size_t offset, std::size_t& count) {
  if (count == kMaxMessagesPerCall) return false;
  GODWIT_ASSERT(batch.bytes.empty() || batch.segment_size > 0);
  const std::size_t first = count;
  const bool named = !options_.connected_peer.is_specified();
  const bool known = first == 0 && header_.fits(batch);
  if (named && !known) storage_->names[first] = to_kernel(batch.remote, options_.family);

  std::size_t step = batch.segment_size;
  if (options_.segmentation_offload && batch.bytes.size() - offset > batch.segment_size &&
      (offset == 0 ? paths_.admits(batch.remote) : paths_.admits_rest(batch.remote))) {
    step *= std::clamp<std::size_t>(kMaxMessageBytes / batch.segment_size, 1, kMaxSegmentsPerMessage);
  }
  const std::size_t plain_control = known ? header_.control_bytes : write_control(batch, 2 * first, 0);
  if (first == 0 && !known) {
    header_ = {.remote = batch.remote,
               .local = batch.local,
               .ecn = batch.ecn,
               .hop_limit = batch.hop_limit,
               .control_bytes = plain_control};
  }
  const std::size_t cut_control =
      step > batch.segment_size ? write_control(batch, 2 * first + 1, batch.segment_size) : 0;

  do {
    if (count == kMaxMessagesPerCall) return false;
    const std::size_t bytes = std::min(step, batch.bytes.size() - offset);
    const bool cut = bytes > batch.segment_size;
    storage_->vectors[count] = iovec{batch.bytes.data() + offset, bytes};
    offset += bytes;
    msghdr header{};
    header.msg_name = named ? &storage_->names[first].generic : nullptr;
    header.msg_namelen = named ? storage_->names[first].size : 0;
    header.msg_iov = &storage_->vectors[count];
    header.msg_iovlen = 1;
    header.msg_controllen = cut ? cut_control : plain_control;
    header.msg_control =
        header.msg_controllen == 0 ? nullptr : storage_->controls[2 * first + (cut ? 1 : 0)].bytes.data();
    storage_->messages[count] = KernelMessage{header, 0};
    const bool ends_batch = offset == batch.bytes.size();
    storage_->pieces[count] = Piece{
        .end = ends_batch ? Position{index + 1, 0} : Position{index, offset},
        .datagrams = cut ? (bytes + batch.segment_size - 1) / batch.segment_size : 1,
        .bytes = bytes,
    };
    ++count;
  } while (offset < batch.bytes.size());
  return true;
}

std::size_t BatchSender::write_control(const DatagramBatch& batch, std::size_t slot, std::size_t segment_size) {
  std::uint8_t* const begin = storage_->controls[slot].bytes.data();
  cmsghdr* at = reinterpret_cast<cmsghdr*>(begin);
  if (options_.is_wildcard && batch.local.is_specified()) {
    if (options_.family == SocketFamily::kIpv6) {
      at = append(at, IPPROTO_IPV6, IPV6_PKTINFO, in6_pktinfo{to_in6_addr(batch.local), batch.local.scope_id()});
    } else if (batch.local.is_ipv4()) {
      in_pktinfo info{};
      info.ipi_spec_dst = to_in_addr(batch.local);
      at = append(at, IPPROTO_IP, IP_PKTINFO, info);
    }
  }
  if (batch.hop_limit > 0) {
    // To an IPv4 address an IPv6 socket sends IPv4, with IPv4's options.
    const int hops = batch.hop_limit;
    at = batch.remote.is_ipv4() ? append(at, IPPROTO_IP, IP_TTL, hops) : append(at, IPPROTO_IPV6, IPV6_HOPLIMIT, hops);
  }
  if (batch.ecn != Ecn::kNone) {
    const bool ipv4 = batch.remote.is_ipv4();
    const int field = service_class(ipv4) | static_cast<int>(batch.ecn);
    at = ipv4 ? append(at, IPPROTO_IP, IP_TOS, field) : append(at, IPPROTO_IPV6, IPV6_TCLASS, field);
  }
  if (segment_size > 0)
    at = append(at, IPPROTO_UDP, platform::kSegmentationOption, static_cast<std::uint16_t>(segment_size));
  return static_cast<std::size_t>(reinterpret_cast<std::uint8_t*>(at) - begin);
}

void BatchSender::account(std::span<const Piece> pieces, Position& at) {
  if (pieces.empty()) return;
  retries_ = 0;
  if (suspect_) {
    ++statistics_.offload_fallbacks;
    suspect_.reset();
  }
  for (const Piece& piece : pieces) {
    statistics_.datagrams_sent += piece.datagrams;
    statistics_.bytes_sent += piece.bytes;
    if (piece.datagrams > 1) statistics_.offloaded_datagrams += piece.datagrams;
    statistics_.batches_sent += piece.end.batch - at.batch;
    at = piece.end;
  }
}

void BatchSender::account_calls(std::span<const Piece> taken, std::uint64_t calls) {
  if (calls == 0) return;
  // A call for all of them, or one a message; what is more of them moved nothing.
  if (calls >= taken.size() && taken.size() > 1) {
    for (const Piece& piece : taken) statistics_.send_occupancy.add(piece.datagrams);
    calls -= taken.size();
  } else {
    std::uint64_t datagrams = 0;
    for (const Piece& piece : taken) datagrams += piece.datagrams;
    statistics_.send_occupancy.add(datagrams);
    --calls;
  }
  if (calls > 0) statistics_.send_occupancy.add(0, calls);
}

void BatchSender::on_refusal(const DatagramBatch& batch, Position& at, int error, bool was_cut) {
  statistics_.send_refusals.add(error);
  // What ICMP said about an earlier datagram, perhaps of another peer, fails the next call, and the kernel clears it by
  // reporting it: this message has not been tried. On a kernel that keeps no queue, ECONNREFUSED can be nothing else.
  const bool about_earlier_one = errors_.drain() > 0 || (error == ECONNREFUSED && retries_ == 0);
  if (about_earlier_one && retries_ < kMaxRetries) {
    ++retries_;
    return;
  }
  if (was_cut && !is_about_the_peer(error)) {
    paths_.refuse(batch.remote, error);
    suspect_ = batch.remote;
    ++statistics_.offload_resent_batches;
    return;
  }
  // The same place fails without offload too: offload is not to blame.
  if (suspect_) paths_.forgive(*suspect_);
  discard_rest(batch, at, error);
}

void BatchSender::discard_rest(const DatagramBatch& batch, Position& at, int error) {
  // A probe that the first link is too small for is answered by nobody, which says enough.
  if (error != EMSGSIZE || batch.segment_size <= kLargestFragmented) errors_.add(batch.remote, error);
  const std::size_t sent = batch.segment_size == 0 ? 0 : at.offset / batch.segment_size;
  statistics_.datagrams_discarded += batch.datagram_count() - sent;
  ++statistics_.batches_sent;
  suspect_.reset();
  retries_ = 0;
  at = Position{at.batch + 1, 0};
}

void BatchSender::keep_remainder(const DatagramBatch& batch, std::size_t offset) {
  const MutableBytes rest = batch.bytes.subspan(offset);
  remainder_bytes_.assign(rest.begin(), rest.end());
  remainder_ = batch;
  remainder_->bytes = remainder_bytes_;
}

}  // namespace godwit
