// The back ends that drive their socket through system calls: sendto, connected, mmsg, gso and posix are one class with
// different halves. backend.cc says which halves each joins, and why.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "udp/backend.h"
#include "udp/batch_sender.h"
#include "udp/error_queue.h"
#include "udp/message_receiver.h"
#include "udp/peer_socket.h"
#include "udp/waker.h"

namespace godwit {

class SocketBackend final : public Backend {
 public:
  struct Parts {
    BackendKind kind = BackendKind::kSendto;
    std::string choice;
    bool batched = false;  // sendmmsg and recvmmsg, else one call a message
    bool segmentation_offload = false;
    bool receive_offload = false;  // asked; without effect where the kernel has none
    bool portable = false;         // without what only Linux has: no reports of the kernel, and waiting with poll(2)
    SocketAddress connected_peer = {};
  };

  // Errors: kSystem (no descriptors left).
  [[nodiscard]] static Result<std::unique_ptr<Backend>> make(Socket socket, const BackendConfig& config, Parts parts);

  [[nodiscard]] std::size_t send(std::span<const DatagramBatch> batches) override;
  [[nodiscard]] bool share_sending() override {
    connect_busy_peers(false);
    shared_ = true;
    return true;
  }
  void connect_busy_peers(bool allowed) override;
  [[nodiscard]] std::optional<SocketAddress> connected_peer() const override;
  [[nodiscard]] bool send_blocked() const override {
    return sender_.blocked() || (peer_ != nullptr && peer_->sender().blocked());
  }
  std::size_t receive(ReceivedBatches& inbox) override;
  WaitOutcome wait(std::optional<Duration> timeout) override;
  void wake() noexcept override { waker_.wake(); }
  [[nodiscard]] std::optional<PathReport> poll_path_report() override;
  [[nodiscard]] int descriptor() const override { return socket_.descriptor(); }
  [[nodiscard]] const Socket& socket() const override { return socket_; }
  [[nodiscard]] const BackendStatistics& statistics() const override;
  [[nodiscard]] BackendKind kind() const override { return kind_; }
  [[nodiscard]] const std::string& choice() const override { return choice_; }

  SocketBackend(const SocketBackend&) = delete;
  SocketBackend& operator=(const SocketBackend&) = delete;

 private:
  SocketBackend(Socket socket, const BackendConfig& config, Parts parts, Waker waker);

  void flush_remainder();
  void receive_from_all(ReceivedBatches& inbox);
  // Both sockets in turn, the peer's first.
  void receive_beside_peer(ReceivedBatches& inbox);
  [[nodiscard]] WaitOutcome wait_beside_peer(std::optional<Duration> timeout);
  void connect_peer();
  // When nothing of the peer is left in its socket.
  void disconnect_peer() { peer_.reset(); }
  // Of the sending half and of the error queue, where several threads send; else without effect.
  [[nodiscard]] std::unique_lock<std::mutex> guard() const {
    return shared_ ? std::unique_lock(sending_) : std::unique_lock(sending_, std::defer_lock);
  }
  // The same without waiting. False when another thread is in a send call.
  [[nodiscard]] bool try_guard(std::unique_lock<std::mutex>& lock) const {
    if (!shared_) return true;
    lock = std::unique_lock(sending_, std::try_to_lock);
    return lock.owns_lock();
  }

  Socket socket_;
  Waker waker_;
  BackendKind kind_;
  std::string choice_;
  bool shared_ = false;
  mutable std::mutex sending_;
  mutable BackendStatistics seen_;  // what statistics() has shown, where several threads write them
  BackendStatistics statistics_;
  ErrorQueue errors_;
  BatchSender sender_;
  MessageReceiver receiver_;
  // Of the peer that has a socket of its own.
  bool may_connect_ = false;
  PeerSocket::Options peer_options_;
  BusyPeer busy_;
  std::unique_ptr<PeerSocket> peer_;
  ReceivedBatches of_all_;           // what came to the other socket in the same call
  std::uint32_t turns_of_peer_ = 0;  // calls of receive() since one has looked at the socket of all
  std::uint32_t silent_waits_ = 0;   // in a row, in which nothing came to the peer's socket
};

}  // namespace godwit
