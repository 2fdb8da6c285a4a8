// One datagram a system call, in both directions: the yardstick of every other back end, and the last resort where all
// else is refused.
#include <utility>

#include "udp/backend_factories.h"
#include "udp/socket_backend.h"

namespace godwit {

Result<std::unique_ptr<Backend>> make_sendto_backend(Socket socket, const BackendConfig& config, std::string why) {
  const bool receive_offload = config.receive_offload.value_or(false);
  return SocketBackend::make(std::move(socket), config,
                             {.kind = BackendKind::kSendto,
                              .choice = describe_choice("sendto: one datagram a call", false, receive_offload, why),
                              .batched = false,
                              .segmentation_offload = false,
                              .receive_offload = receive_offload,
                              .connected_peer = {}});
}

}  // namespace godwit
