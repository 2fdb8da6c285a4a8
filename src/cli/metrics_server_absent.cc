#include "cli/metrics_server.h"

namespace godwit::cli {

Result<std::unique_ptr<MetricsServer>> open_metrics_server(const SocketAddress&, MetricsServer::Source) {
  return failure(ErrorCode::kUnsupported, "--metrics needs a build with the library cpp-httplib");
}

}  // namespace godwit::cli
