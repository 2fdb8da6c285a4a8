// Many datagrams to many peers a system call. It saves the entry into the kernel, not the walk of each datagram through
// the network stack, so it gains little where segmentation offload is refused for all, and reaches many peers at once.
#include <utility>

#include "udp/backend_factories.h"
#include "udp/socket_backend.h"

namespace godwit {

Result<std::unique_ptr<Backend>> make_mmsg_backend(Socket socket, const BackendConfig& config, std::string why) {
  const bool receive_offload = config.receive_offload.value_or(false);
  return SocketBackend::make(std::move(socket), config,
                             {.kind = BackendKind::kMmsg,
                              .choice = describe_choice("mmsg: many datagrams a call", false, receive_offload, why),
                              .batched = true,
                              .segmentation_offload = false,
                              .receive_offload = receive_offload,
                              .connected_peer = {}});
}

}  // namespace godwit
