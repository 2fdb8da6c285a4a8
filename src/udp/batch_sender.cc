#include "udp/batch_sender.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace godwit {
namespace {

constexpr std::size_t kControlBytes =
    CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(std::uint16_t));

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

// Names and control bytes stand once a run and are shared by its messages; a run may need two sets of control bytes,
// one for messages that the kernel cuts and one for a single datagram.
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
      paths_(options.offload_retry_runs),
      storage_(std::make_unique<Storage>()) {}

BatchSender::~BatchSender() = default;

std::size_t BatchSender::send(std::span<const DatagramBatch> runs) {
  if (!flush()) return 0;
  Position at;
  if (advance(runs, at)) return runs.size();
  if (at.offset == 0) return at.run;
  keep_remainder(runs[at.run], at.offset);
  return at.run + 1;
}

bool BatchSender::flush() {
  blocked_ = false;
  if (!remainder_) return true;
  Position at;
  if (!advance({&*remainder_, 1}, at)) {
    remainder_->bytes = remainder_->bytes.subspan(at.offset);
    return false;
  }
  remainder_.reset();
  return true;
}

bool BatchSender::advance(std::span<const DatagramBatch> runs, Position& at) {
  while (at.run < runs.size()) {
    if (const int error = refusal_of(runs[at.run]); error != 0) {
      statistics_.send_refusals.add(error);
      discard_rest(runs[at.run], at, error);
      continue;
    }
    if (!set_for(runs[at.run])) {
      statistics_.send_refusals.add(EMSGSIZE);
      discard_rest(runs[at.run], at, EMSGSIZE);
      continue;
    }
    const std::size_t prepared = prepare(runs, at);
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
      blocked_ = true;
      return false;
    }
    const bool was_cut = storage_->pieces[outcome.taken].datagrams > 1;
    on_refusal(runs[at.run], at, outcome.error, was_cut);
  }
  return true;
}

int BatchSender::refusal_of(const DatagramBatch& run) const {
  if (options_.connected_peer.is_specified()) return run.remote == options_.connected_peer ? 0 : EISCONN;
  if (!run.remote.is_specified()) return EDESTADDRREQ;
  return options_.family == SocketFamily::kIpv4 && run.remote.is_ipv6() ? EAFNOSUPPORT : 0;
}

bool BatchSender::is_set_for(const DatagramBatch& run) const {
  return run.segment_size <= kFitsEveryLink ||
         kept_whole_[goes_by_ipv6(run) ? 1 : 0] == (run.segment_size > kLargestFragmented);
}

bool BatchSender::set_for(const DatagramBatch& run) {
  if (is_set_for(run)) [[likely]]
    return true;
  const bool ipv6 = goes_by_ipv6(run);
  const bool whole = run.segment_size > kLargestFragmented;
  if (!platform::keep_whole(options_.descriptor, ipv6 ? AF_INET6 : AF_INET, whole)) return !whole;
  kept_whole_[ipv6 ? 1 : 0] = whole;
  return true;
}

std::size_t BatchSender::prepare(std::span<const DatagramBatch> runs, Position at) {
  std::size_t count = 0;
  for (; at.run < runs.size(); ++at.run, at.offset = 0) {
    if (refusal_of(runs[at.run]) != 0 || !is_set_for(runs[at.run])) break;  // it is the first next time
    if (!prepare_run(runs[at.run], at.run, at.offset, count)) break;
  }
  return count;
}

bool BatchSender::prepare_run(const DatagramBatch& run, std::size_t index, std::size_t offset, std::size_t& count) {
  if (count == kMaxMessagesPerCall) return false;
  GODWIT_ASSERT(run.bytes.empty() || run.segment_size > 0);
  const std::size_t first = count;
  const bool named = !options_.connected_peer.is_specified();
  if (named) storage_->names[first] = to_kernel(run.remote, options_.family);

  std::size_t step = run.segment_size;
  if (options_.segmentation_offload && run.bytes.size() - offset > run.segment_size &&
      (offset == 0 ? paths_.admits(run.remote) : paths_.admits_rest(run.remote))) {
    step *= std::clamp<std::size_t>(kMaxMessageBytes / run.segment_size, 1, kMaxSegmentsPerMessage);
  }
  const std::size_t plain_control = write_control(run, 2 * first, 0);
  const std::size_t cut_control = step > run.segment_size ? write_control(run, 2 * first + 1, run.segment_size) : 0;

  do {
    if (count == kMaxMessagesPerCall) return false;
    const std::size_t bytes = std::min(step, run.bytes.size() - offset);
    const bool cut = bytes > run.segment_size;
    storage_->vectors[count] = iovec{run.bytes.data() + offset, bytes};
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
    const bool ends_run = offset == run.bytes.size();
    storage_->pieces[count] = Piece{
        .end = ends_run ? Position{index + 1, 0} : Position{index, offset},
        .datagrams = cut ? (bytes + run.segment_size - 1) / run.segment_size : 1,
        .bytes = bytes,
    };
    ++count;
  } while (offset < run.bytes.size());
  return true;
}

std::size_t BatchSender::write_control(const DatagramBatch& run, std::size_t slot, std::size_t segment_size) {
  std::uint8_t* const begin = storage_->controls[slot].bytes.data();
  cmsghdr* at = reinterpret_cast<cmsghdr*>(begin);
  if (options_.is_wildcard && run.local.is_specified()) {
    if (options_.family == SocketFamily::kIpv6) {
      at = append(at, IPPROTO_IPV6, IPV6_PKTINFO, in6_pktinfo{to_in6_addr(run.local), run.local.scope_id()});
    } else if (run.local.is_ipv4()) {
      in_pktinfo info{};
      info.ipi_spec_dst = to_in_addr(run.local);
      at = append(at, IPPROTO_IP, IP_PKTINFO, info);
    }
  }
  if (run.hop_limit > 0) {
    // To an IPv4 address an IPv6 socket sends IPv4, with IPv4's options.
    const int hops = run.hop_limit;
    at = run.remote.is_ipv4() ? append(at, IPPROTO_IP, IP_TTL, hops) : append(at, IPPROTO_IPV6, IPV6_HOPLIMIT, hops);
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
    statistics_.runs_sent += piece.end.run - at.run;
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

void BatchSender::on_refusal(const DatagramBatch& run, Position& at, int error, bool was_cut) {
  statistics_.send_refusals.add(error);
  // What ICMP said about an earlier datagram, perhaps of another peer, fails the next call, and the kernel clears it by
  // reporting it: this message has not been tried. On a kernel that keeps no queue, ECONNREFUSED can be nothing else.
  const bool about_earlier_one = errors_.drain() > 0 || (error == ECONNREFUSED && retries_ == 0);
  if (about_earlier_one && retries_ < kMaxRetries) {
    ++retries_;
    return;
  }
  if (was_cut && !is_about_the_peer(error)) {
    paths_.refuse(run.remote, error);
    suspect_ = run.remote;
    ++statistics_.offload_resent_runs;
    return;
  }
  // The same place fails without offload too: offload is not to blame.
  if (suspect_) paths_.forgive(*suspect_);
  discard_rest(run, at, error);
}

void BatchSender::discard_rest(const DatagramBatch& run, Position& at, int error) {
  // A probe that the first link is too small for is answered by nobody, which says enough.
  if (error != EMSGSIZE || run.segment_size <= kLargestFragmented) errors_.add(run.remote, error);
  const std::size_t sent = run.segment_size == 0 ? 0 : at.offset / run.segment_size;
  statistics_.datagrams_discarded += run.datagram_count() - sent;
  ++statistics_.runs_sent;
  suspect_.reset();
  retries_ = 0;
  at = Position{at.run + 1, 0};
}

void BatchSender::keep_remainder(const DatagramBatch& run, std::size_t offset) {
  const MutableBytes rest = run.bytes.subspan(offset);
  remainder_bytes_.assign(rest.begin(), rest.end());
  remainder_ = DatagramBatch{run.local, run.remote, remainder_bytes_, run.segment_size, run.hop_limit};
}

}  // namespace godwit
