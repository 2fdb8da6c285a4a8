#include "udp/socket_backend.h"

#include <utility>

#include "udp/transmitters.h"

namespace godwit {
namespace {

// A coalesced batch is at most the largest UDP payload.
constexpr std::size_t kCoalescedBytes = 65536;

std::unique_ptr<Transmitter> make_transmitter(const Socket& socket, const BackendConfig& config, bool batched,
                                              BackendStatistics& statistics) {
  auto calls = send_calls_or_system(config.send_calls);
  if (batched) return std::make_unique<BatchTransmitter>(socket.descriptor(), std::move(calls), statistics);
  return std::make_unique<SingleCallTransmitter>(socket.descriptor(), std::move(calls), statistics);
}

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
              make_transmitter(socket_, config, parts.batched, statistics_), statistics_, errors_),
      receiver_(receiver_options(config, parts.batched, parts.receive_offload), socket_, config.largest_datagram_bytes,
                statistics_) {}

std::size_t SocketBackend::send(std::span<const DatagramBatch> batches) {
  const auto lock = guard();
  return sender_.send(batches);
}

std::size_t SocketBackend::receive(ReceivedBatches& inbox) {
  if (sender_.blocked()) flush_remainder();
  const std::uint64_t failed_calls = statistics_.failed_receive_calls;
  receiver_.receive(inbox);
  if (statistics_.failed_receive_calls != failed_calls) {
    const auto lock = guard();
    errors_.drain();
  }
  return inbox.batches().size();
}

void SocketBackend::flush_remainder() {
  std::unique_lock<std::mutex> lock;
  if (try_guard(lock) && sender_.has_remainder()) sender_.flush();
}

std::optional<PathReport> SocketBackend::poll_path_report() {
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

}  // namespace godwit
