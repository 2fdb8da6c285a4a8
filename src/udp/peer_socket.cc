#include "udp/peer_socket.h"

#include <utility>

#include "udp/transmitters.h"

namespace godwit {

std::unique_ptr<PeerSocket> PeerSocket::connect(Socket beside, const SocketAddress& remote, const Options& options,
                                                BackendStatistics& statistics) {
  if (!beside.connect(remote)) return nullptr;
  if (options.receive_offload && !beside.enable_receive_offload()) return nullptr;
  return std::unique_ptr<PeerSocket>(new PeerSocket(std::move(beside), remote, options, statistics));
}

PeerSocket::PeerSocket(Socket socket, const SocketAddress& remote, const Options& options,
                       BackendStatistics& statistics)
    : socket_(std::move(socket)),
      local_(socket_.local_address()),
      remote_(remote),
      statistics_(statistics),
      errors_(socket_, statistics),
      sender_({.descriptor = socket_.descriptor(),
               .family = socket_.family(),
               .segmentation_offload = options.segmentation_offload,
               .offload_retry_batches = options.offload_retry_batches,
               .connected_peer = remote},
              make_transmitter(socket_.descriptor(), options.batched, options.send_calls, statistics), statistics,
              errors_),
      receiver_(options.receiver, socket_, options.largest_datagram_bytes, statistics) {}

void PeerSocket::receive(ReceivedBatches& inbox) {
  const std::uint64_t failed_calls = statistics_.failed_receive_calls;
  receiver_.receive(inbox);
  if (statistics_.failed_receive_calls != failed_calls) errors_.drain();
  // What others have sent before the socket was connected has been taken.
  if (inbox.empty() && !std::exchange(peer_alone_, true)) receiver_.set_peer(remote_);
}

}  // namespace godwit
