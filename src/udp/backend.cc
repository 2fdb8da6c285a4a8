#include "udp/backend.h"

#include <utility>

#include "udp/backend_factories.h"
#include "udp/backend_probe.h"

namespace godwit {

std::string_view to_string(BackendKind kind) {
  switch (kind) {
    case BackendKind::kAuto: return "auto";
    case BackendKind::kSendto: return "sendto";
    case BackendKind::kConnected: return "connected";
    case BackendKind::kMmsg: return "mmsg";
    case BackendKind::kGso: return "gso";
    case BackendKind::kUring: return "uring";
  }
  return "unknown";
}

std::optional<BackendKind> parse_backend_kind(std::string_view text) {
  for (const BackendKind kind : kAllBackendKinds) {
    if (to_string(kind) == text) return kind;
  }
  return std::nullopt;
}

std::string describe_choice(std::string_view what, bool segmentation_offload, bool receive_offload,
                            std::string_view why) {
  std::string line(what);
  line += segmentation_offload ? ", segmentation offload on" : ", segmentation offload off";
  line += receive_offload ? ", receive offload on" : ", receive offload off";
  if (!why.empty()) line.append("; ").append(why);
  return line;
}

Result<std::unique_ptr<Backend>> make_backend(BackendKind kind, Socket socket, const BackendConfig& config) {
  if (config.largest_datagram_bytes == 0 || config.receive_datagrams == 0 || config.receive_runs == 0) {
    return failure(ErrorCode::kInvalidArgument, "a back end needs room for at least one datagram");
  }
  switch (kind) {
    case BackendKind::kSendto: return make_sendto_backend(std::move(socket), config, "");
    case BackendKind::kConnected: return make_connected_backend(std::move(socket), config, "");
    case BackendKind::kMmsg: return make_mmsg_backend(std::move(socket), config, "");
    case BackendKind::kGso: return make_gso_backend(std::move(socket), config, "");
    case BackendKind::kUring: return make_uring_backend(std::move(socket), config, "");
    case BackendKind::kAuto: break;
  }
  const BackendProbe probe = probe_backends(config, ProbeScope::kWithoutUring);
  BackendConfig proved = config;
  proved.segmentation_offload = config.segmentation_offload && probe.segmentation_offload.works;
  proved.receive_offload = config.receive_offload.value_or(true) && probe.receive_offload.works;
  switch (probe.chosen) {
    case BackendKind::kGso: return make_gso_backend(std::move(socket), proved, probe.choice);
    case BackendKind::kMmsg: return make_mmsg_backend(std::move(socket), proved, probe.choice);
    default: return make_sendto_backend(std::move(socket), proved, probe.choice);
  }
}

}  // namespace godwit
