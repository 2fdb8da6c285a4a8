// A page of text over HTTP, for --metrics: what the source says when somebody asks. One request at a time, on a thread
// of its own; whoever is slow is dropped.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/result.h"

namespace godwit::cli {

class MetricsServer {
 public:
  // Called on the server's thread. Nothing: there is no answer now, and the client gets status 503.
  using Source = std::function<std::optional<std::string>()>;

  virtual ~MetricsServer() = default;
  [[nodiscard]] virtual const SocketAddress& local_address() const = 0;
};

// Serves `source` as /metrics until it is destroyed. Port 0 lets the system choose. Errors: kSystem when the address
// cannot be bound, kUnsupported in a build without an HTTP library.
[[nodiscard]] Result<std::unique_ptr<MetricsServer>> open_metrics_server(const SocketAddress& bind,
                                                                         MetricsServer::Source source);

}  // namespace godwit::cli
