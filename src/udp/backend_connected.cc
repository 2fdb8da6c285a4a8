// As sendto, on a connected socket: the kernel looks the route up once. Connecting makes the kernel drop what any other
// address sends, so it suits only the socket of a client with one peer, never one that others dial.
#include <utility>

#include "udp/backend_factories.h"
#include "udp/socket_backend.h"

namespace godwit {

Result<std::unique_ptr<Backend>> make_connected_backend(Socket socket, const BackendConfig& config, std::string why) {
  if (!config.peer.is_specified()) {
    return failure(ErrorCode::kInvalidArgument, "the connected back end serves one peer, and none was named");
  }
  const bool receive_offload = config.receive_offload.value_or(false);
  return SocketBackend::make(std::move(socket), config,
                             {.kind = BackendKind::kConnected,
                              .choice = describe_choice("connected: one datagram a call to " + config.peer.to_string(),
                                                        false, receive_offload, why),
                              .batched = false,
                              .segmentation_offload = false,
                              .receive_offload = receive_offload,
                              .connected_peer = config.peer});
}

}  // namespace godwit
