// io_uring: sends queued and linked with the offloads of gso, a multishot receive into provided buffers, and a wait
// that submits and reaps in the same entry. Often forbidden in containers, so it is never needed and says why it is
// missing; compiled without liburing, this file is the sentence that says so.
#include <utility>

#include "udp/backend_factories.h"

#if GODWIT_WITH_URING

#include "udp/batch_sender.h"
#include "udp/error_queue.h"
#include "udp/uring_receiver.h"
#include "udp/uring_transmitter.h"
#include "udp/waker.h"

namespace godwit {
namespace {

constexpr std::size_t kCoalescedBytes = 65536;

class UringBackend final : public Backend {
 public:
  UringBackend(Socket socket, const BackendConfig& config, bool segmentation_offload, bool receive_offload,
               std::string choice, Waker waker)
      : socket_(std::move(socket)),
        waker_(std::move(waker)),
        choice_(std::move(choice)),
        receiver_({.buffers = receive_offload ? config.receive_batches : config.receive_datagrams,
                   .payload_bytes = receive_offload ? kCoalescedBytes : config.largest_datagram_bytes},
                  socket_, waker_, config.largest_datagram_bytes, statistics_),
        errors_(socket_, statistics_) {
    auto transmitter =
        std::make_unique<UringTransmitter>(socket_.descriptor(), send_calls_or_system(config.send_calls), statistics_);
    transmitter_ = transmitter.get();
    sender_ = std::make_unique<BatchSender>(BatchSender::Options{.descriptor = socket_.descriptor(),
                                                                 .family = socket_.family(),
                                                                 .is_wildcard = socket_.is_wildcard(),
                                                                 .segmentation_offload = segmentation_offload,
                                                                 .offload_retry_batches = config.offload_retry_batches,
                                                                 .connected_peer = {}},
                                            std::move(transmitter), statistics_, errors_);
  }

  [[nodiscard]] Status open() {
    if (auto status = transmitter_->open(); !status) return status;
    return receiver_.open();
  }

  [[nodiscard]] std::size_t send(std::span<const DatagramBatch> batches) override { return sender_->send(batches); }
  [[nodiscard]] bool send_blocked() const override { return sender_->blocked(); }
  std::size_t receive(ReceivedBatches& inbox) override {
    if (sender_->has_remainder()) sender_->flush();
    const std::uint64_t failed_calls = statistics_.failed_receive_calls;
    receiver_.receive(inbox);
    if (statistics_.failed_receive_calls != failed_calls) errors_.drain();
    return inbox.batches().size();
  }
  WaitOutcome wait(std::optional<Duration> timeout) override {
    ++statistics_.wait_calls;
    // The ring does not say that an error waits, and with one waiting a receive that finds nothing does not sleep.
    errors_.drain();
    WaitOutcome outcome = receiver_.wait(sender_->blocked(), timeout);
    if (outcome.writable) outcome.writable = sender_->flush();
    outcome.woken = outcome.woken && waker_.drain();
    return outcome;
  }
  void wake() noexcept override { waker_.wake(); }
  [[nodiscard]] std::optional<PathReport> poll_path_report() override { return errors_.poll(); }
  [[nodiscard]] int descriptor() const override { return receiver_.descriptor(); }
  [[nodiscard]] const Socket& socket() const override { return socket_; }
  [[nodiscard]] const BackendStatistics& statistics() const override { return statistics_; }
  [[nodiscard]] BackendKind kind() const override { return BackendKind::kUring; }
  [[nodiscard]] const std::string& choice() const override { return choice_; }

 private:
  Socket socket_;
  Waker waker_;
  std::string choice_;
  BackendStatistics statistics_;
  UringReceiver receiver_;
  ErrorQueue errors_;
  std::unique_ptr<BatchSender> sender_;
  UringTransmitter* transmitter_ = nullptr;  // owned by sender_
};

}  // namespace

Result<std::unique_ptr<Backend>> make_uring_backend(Socket socket, const BackendConfig& config,
                                                    const std::string& why) {
  auto waker = Waker::open();
  if (!waker) return std::unexpected(waker.error());
  std::string reason = why;
  bool segmentation_offload = config.segmentation_offload;
  if (segmentation_offload) {
    if (auto status = check_segmentation_offload(socket, config); !status) {
      segmentation_offload = false;
      reason += (why.empty() ? "" : "; ") + status.error().message;
    }
  }
  const bool receive_offload = config.receive_offload.value_or(true) && socket.enable_receive_offload();
  auto backend = std::make_unique<UringBackend>(
      std::move(socket), config, segmentation_offload, receive_offload,
      describe_choice("uring: queued sends, multishot receive", segmentation_offload, receive_offload, reason),
      *std::move(waker));
  if (auto status = backend->open(); !status) return std::unexpected(status.error());
  return backend;
}

}  // namespace godwit

#else

namespace godwit {

Result<std::unique_ptr<Backend>> make_uring_backend(Socket /*socket*/, const BackendConfig& /*config*/,
                                                    const std::string& /*why*/) {
  return failure(ErrorCode::kUnsupported, "this build has no io_uring back end (liburing 2.3 was missing)");
}

}  // namespace godwit

#endif
