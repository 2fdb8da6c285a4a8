#include "udp/socket_backend.h"

#include <utility>

#include "udp/transmitters.h"

namespace godwit {
namespace {

// So many calls of receive() in a row may look at the peer's socket alone.
constexpr std::uint32_t kMostTurnsOfPeer = 8;
// A peer that has been silent through so many sleeps has its socket no longer.
constexpr std::uint32_t kMostSilentWaits = 64;
// A coalesced batch is at most the largest UDP payload.
constexpr std::size_t kCoalescedBytes = 65536;

MessageReceiver::Options receiver_options(const BackendConfig& config, bool batched, bool receive_offload) {
  return {
      .buffers = receive_offload ? config.receive_batches : config.receive_datagrams,
      .buffer_bytes = receive_offload ? kCoalescedBytes : config.largest_datagram_bytes,
      .one_call_each = !batched,
  };
}

}  // namespace

Result<std::unique_ptr<Backend>> SocketBackend::make(Socket socket, const BackendConfig& config, Parts parts) {
  auto waker = Waker::open(parts.portable ? Waker::Kind::kPipe : Waker::Kind::kBest);
  if (!waker) return std::unexpected(waker.error());
  if (parts.connected_peer.is_specified()) {
    if (auto status = socket.connect(parts.connected_peer); !status) return std::unexpected(status.error());
  }
  if (parts.portable) socket.disable_kernel_reports();
  if (parts.receive_offload && !socket.enable_receive_offload()) {
    parts.receive_offload = false;
    parts.choice += "; but this kernel has no UDP_GRO";
  }
  return std::unique_ptr<Backend>(new SocketBackend(std::move(socket), config, std::move(parts), *std::move(waker)));
}

SocketBackend::SocketBackend(Socket socket, const BackendConfig& config, Parts parts, Waker waker)
    : socket_(std::move(socket)),
      waker_(std::move(waker)),
      kind_(parts.kind),
      choice_(std::move(parts.choice)),
      errors_(socket_, statistics_),
      sender_({.descriptor = socket_.descriptor(),
               .family = socket_.family(),
               .is_wildcard = socket_.is_wildcard(),
               .segmentation_offload = parts.segmentation_offload,
               .offload_retry_batches = config.offload_retry_batches,
               .connected_peer = parts.connected_peer},
              make_transmitter(socket_.descriptor(), parts.batched, config.send_calls, statistics_), statistics_,
              errors_),
      receiver_(receiver_options(config, parts.batched, parts.receive_offload), socket_, config.largest_datagram_bytes,
                statistics_),
      peer_options_({.receiver = receiver_options(config, parts.batched, parts.receive_offload),
                     .largest_datagram_bytes = config.largest_datagram_bytes,
                     .batched = parts.batched,
                     .segmentation_offload = parts.segmentation_offload,
                     .receive_offload = parts.receive_offload,
                     .offload_retry_batches = config.offload_retry_batches,
                     .send_calls = config.send_calls}) {}

// Stretches of one socket; the first that blocks ends the call.
std::size_t SocketBackend::send(std::span<const DatagramBatch> batches) {
  if (peer_ == nullptr) [[likely]] {
    const auto lock = guard();
    return sender_.send(batches);
  }
  std::size_t taken = 0;
  while (taken < batches.size()) {
    const bool of_peer = peer_->serves(batches[taken]);
    std::size_t end = taken + 1;
    while (end < batches.size() && peer_->serves(batches[end]) == of_peer) ++end;
    const auto stretch = batches.subspan(taken, end - taken);
    const std::size_t sent = (of_peer ? peer_->sender() : sender_).send(stretch);
    taken += sent;
    if (sent < stretch.size()) break;
  }
  return taken;
}

std::size_t SocketBackend::receive(ReceivedBatches& inbox) {
  if (send_blocked()) flush_remainder();
  if (peer_ != nullptr) {
    receive_beside_peer(inbox);
    return inbox.batches().size();
  }
  receive_from_all(inbox);
  if (may_connect_) {
    bool busy = false;
    for (const DatagramBatch& batch : inbox.batches()) busy = busy_.on_batch(batch.local, batch.remote) || busy;
    if (busy) connect_peer();
  }
  return inbox.batches().size();
}

void SocketBackend::receive_from_all(ReceivedBatches& inbox) {
  const std::uint64_t failed_calls = statistics_.failed_receive_calls;
  receiver_.receive(inbox);
  if (statistics_.failed_receive_calls != failed_calls) {
    const auto lock = guard();
    errors_.drain();
  }
}

void SocketBackend::receive_beside_peer(ReceivedBatches& inbox) {
  peer_->receive(inbox);
  const bool peer_is_silent = inbox.empty();
  for (const DatagramBatch& batch : inbox.batches()) {
    // Others may have got in before the socket was connected.
    if (batch.remote == peer_->remote()) busy_.on_batch_elsewhere();
  }
  if (!peer_is_silent) silent_waits_ = 0;
  // An owner that waits elsewhere from now on has to come again until this socket is empty.
  if (!may_connect_ && !peer_is_silent) inbox.set_stopped_at_bound();
  const bool is_idle = silent_waits_ >= kMostSilentWaits && !peer_->sender().blocked();
  const bool leaves = peer_is_silent && (is_idle || !may_connect_);
  if (++turns_of_peer_ < kMostTurnsOfPeer && !leaves) return;
  turns_of_peer_ = 0;
  receive_from_all(of_all_);
  bool busy = false;
  for (const DatagramBatch& batch : of_all_.batches()) {
    inbox.add(batch);
    if (batch.remote != peer_->remote()) busy = busy_.on_batch(batch.local, batch.remote) || busy;
  }
  if (of_all_.stopped_at_bound()) inbox.set_stopped_at_bound();
  if (leaves) {
    disconnect_peer();
  } else if (busy && peer_is_silent && !peer_->sender().blocked()) {
    connect_peer();
  }
}

// In place of another peer's: a back end has one at most.
void SocketBackend::connect_peer() {
  disconnect_peer();
  turns_of_peer_ = kMostTurnsOfPeer;  // the next call looks at both
  silent_waits_ = 0;
  if (busy_.local().is_wildcard() || !busy_.local().is_specified()) return;
  auto beside = socket_.open_beside(busy_.local());
  if (beside) peer_ = PeerSocket::connect(*std::move(beside), busy_.remote(), peer_options_, statistics_);
  // It would not succeed the next time.
  if (peer_ == nullptr) may_connect_ = false;
}

void SocketBackend::connect_busy_peers(bool allowed) {
  may_connect_ = allowed && !shared_ && kind_ != BackendKind::kConnected && kind_ != BackendKind::kPosix;
}

std::optional<SocketAddress> SocketBackend::connected_peer() const {
  return peer_ == nullptr ? std::nullopt : std::optional(peer_->remote());
}

void SocketBackend::flush_remainder() {
  if (peer_ != nullptr && peer_->sender().has_remainder()) peer_->sender().flush();
  std::unique_lock<std::mutex> lock;
  if (try_guard(lock) && sender_.has_remainder()) sender_.flush();
}

std::optional<PathReport> SocketBackend::poll_path_report() {
  if (peer_ != nullptr) {
    if (auto report = peer_->errors().poll()) return report;
  }
  std::unique_lock<std::mutex> lock;
  return try_guard(lock) ? errors_.poll() : std::nullopt;
}

const BackendStatistics& SocketBackend::statistics() const {
  if (!shared_) return statistics_;
  const auto lock = guard();
  seen_ = statistics_;
  return seen_;
}

WaitOutcome SocketBackend::wait(std::optional<Duration> timeout) {
  ++statistics_.wait_calls;
  if (peer_ != nullptr) return wait_beside_peer(timeout);
  WaitOutcome outcome = waker_.wait(socket_.descriptor(), sender_.blocked(), timeout);
  if (outcome.failed) {
    const auto lock = guard();
    errors_.drain();
  }
  if (outcome.writable) {
    const auto lock = guard();
    outcome.writable = sender_.flush();
  }
  return outcome;
}

WaitOutcome SocketBackend::wait_beside_peer(std::optional<Duration> timeout) {
  const bool blocked = peer_->sender().blocked();
  pollfd of_peer{peer_->descriptor(), static_cast<short>(POLLIN | (blocked ? POLLOUT : 0)), 0};
  WaitOutcome outcome = waker_.wait(socket_.descriptor(), sender_.blocked(), timeout, &of_peer);
  if (outcome.failed) errors_.drain();
  bool writable = outcome.writable && sender_.flush();
  // What has come to the socket of all is looked at first, and a peer that is silent is not asked for nothing.
  if (outcome.readable) turns_of_peer_ = kMostTurnsOfPeer;
  if ((of_peer.revents & POLLERR) != 0) peer_->errors().drain();
  if ((of_peer.revents & POLLOUT) != 0) writable = peer_->sender().flush() || writable;
  if ((of_peer.revents & (POLLIN | POLLERR | POLLHUP)) != 0) {
    outcome.readable = true;
  } else {
    ++silent_waits_;
  }
  outcome.writable = writable;
  return outcome;
}

}  // namespace godwit
