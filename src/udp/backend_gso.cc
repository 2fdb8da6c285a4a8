// A run walks through the network stack once and is cut at its end (UDP_SEGMENT, given with each message, so that one
// sendmmsg carries runs of several peers), and what the stack coalesced arrives as one run (UDP_GRO).
#include <netinet/udp.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "udp/backend_factories.h"
#include "udp/socket_backend.h"

namespace godwit {

Status check_segmentation_offload(const Socket& socket, const BackendConfig& config) {
  const KernelVersion kernel = config.kernel.value_or(KernelVersion::running());
  if (has_segmentation_defect(kernel) && !config.allow_defective_kernel) {
    return failure(ErrorCode::kUnsupported, "Linux " + kernel.to_string() +
                                                " may damage segmentation offload behind some network drivers"
                                                " (fixed in 7.1.5)");
  }
  int segment_size = 0;
  socklen_t size = sizeof segment_size;
  if (::getsockopt(socket.descriptor(), IPPROTO_UDP, UDP_SEGMENT, &segment_size, &size) != 0) {
    return failure(ErrorCode::kUnsupported, std::string("this kernel has no UDP_SEGMENT: ") + std::strerror(errno));
  }
  return {};
}

Result<std::unique_ptr<Backend>> make_gso_backend(Socket socket, const BackendConfig& config, std::string why) {
  if (config.segmentation_offload) {
    if (auto status = check_segmentation_offload(socket, config); !status) return std::unexpected(status.error());
  }
  const bool receive_offload = config.receive_offload.value_or(true);
  return SocketBackend::make(
      std::move(socket), config,
      {.kind = BackendKind::kGso,
       .choice = describe_choice("gso: a run a send", config.segmentation_offload, receive_offload, why),
       .batched = true,
       .segmentation_offload = config.segmentation_offload,
       .receive_offload = receive_offload,
       .connected_peer = {}});
}

}  // namespace godwit
