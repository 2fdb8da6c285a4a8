// A second socket on a back end's port for the peer that most of what arrives comes from: connected to that peer, so
// that the kernel looks up the route once and not with every datagram, and finds the peer's datagrams in a receive
// queue of their own. Owned by a SocketBackend, which counts in the same statistics and waits for both sockets.
// BusyPeer decides whose socket it is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "udp/backend.h"
#include "udp/batch_sender.h"
#include "udp/error_queue.h"
#include "udp/message_receiver.h"

namespace godwit {

// Counts batches as Boyer and Moore's vote does: a peer is busy when what has come from it outweighs what has come from
// all others by kLead batches. Peers that are equally busy never get there, so that sockets do not change for nothing.
class BusyPeer {
 public:
  static constexpr std::uint32_t kLead = 64;

  // A batch has come to the socket of all. True when its peer is busy now; the count then starts anew.
  [[nodiscard]] bool on_batch(const SocketAddress& local, const SocketAddress& remote) {
    if (lead_ == 0) {
      local_ = local;
      remote_ = remote;
    }
    if (remote_ != remote || local_ != local) {
      --lead_;
      return false;
    }
    if (++lead_ < kLead) return false;
    lead_ = 0;
    return true;
  }
  // One has come to the peer's own socket.
  void on_batch_elsewhere() {
    if (lead_ > 0) --lead_;
  }
  [[nodiscard]] const SocketAddress& local() const { return local_; }
  [[nodiscard]] const SocketAddress& remote() const { return remote_; }

 private:
  SocketAddress local_;
  SocketAddress remote_;
  std::uint32_t lead_ = 0;
};

class PeerSocket {
 public:
  struct Options {
    MessageReceiver::Options receiver;
    std::size_t largest_datagram_bytes = 0;
    bool batched = false;
    bool segmentation_offload = false;
    bool receive_offload = false;
    std::uint32_t offload_retry_batches = 0;
    std::shared_ptr<SendCalls> send_calls;
  };

  // `beside` comes from Socket::open_beside(). Whatever has come to it since, from whomever, comes out of receive().
  // Null when the system has no way to the peer.
  [[nodiscard]] static std::unique_ptr<PeerSocket> connect(Socket beside, const SocketAddress& remote,
                                                           const Options& options, BackendStatistics& statistics);
  PeerSocket(const PeerSocket&) = delete;
  PeerSocket& operator=(const PeerSocket&) = delete;

  // Whether the batch may leave here: to the peer, from this socket's address. One that names no address is for the
  // system to send from where it will, which may have lost this one.
  [[nodiscard]] bool serves(const DatagramBatch& batch) const {
    return batch.remote == remote_ && batch.local == local_ && batch.hop_limit == 0;
  }
  [[nodiscard]] const SocketAddress& remote() const { return remote_; }
  [[nodiscard]] int descriptor() const { return socket_.descriptor(); }
  [[nodiscard]] BatchSender& sender() { return sender_; }
  [[nodiscard]] const BatchSender& sender() const { return sender_; }
  [[nodiscard]] ErrorQueue& errors() { return errors_; }
  void receive(ReceivedBatches& inbox);

 private:
  PeerSocket(Socket socket, const SocketAddress& remote, const Options& options, BackendStatistics& statistics);

  Socket socket_;
  SocketAddress local_;
  SocketAddress remote_;
  BackendStatistics& statistics_;
  ErrorQueue errors_;
  BatchSender sender_;
  MessageReceiver receiver_;
  bool peer_alone_ = false;  // nobody else's datagrams can come
};

}  // namespace godwit
