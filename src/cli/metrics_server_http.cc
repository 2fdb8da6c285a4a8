#include <httplib.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "cli/metrics_server.h"

namespace godwit::cli {
namespace {

constexpr std::chrono::seconds kPatience{2};
constexpr std::size_t kLargestRequest = 4096;
constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

// Requests are handled where they are accepted, one after the other: what waits is in the kernel's bounded queue.
class NoQueue final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> call) override { call(); }
  void shutdown() override {}
};

class HttpMetricsServer final : public MetricsServer {
 public:
  explicit HttpMetricsServer(Source source) {
    server_.new_task_queue = [] { return new NoQueue; };
    server_.set_keep_alive_max_count(1);
    server_.set_read_timeout(kPatience);
    server_.set_write_timeout(kPatience);
    server_.set_payload_max_length(kLargestRequest);
    // Not the library's own options: with SO_REUSEPORT a second process would take half of the requests.
    server_.set_socket_options([](int socket) {
      const int yes = 1;
      static_cast<void>(setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)));
    });
    server_.Get("/metrics", [source = std::move(source)](const httplib::Request&, httplib::Response& response) {
      if (const auto text = source()) return response.set_content(*text, kContentType);
      response.status = 503;
    });
  }
  ~HttpMetricsServer() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] bool start(const SocketAddress& bind) {
    const std::string text = bind.to_string();  // "127.0.0.1:9464", "[::1]:9464"
    std::string host = text.substr(0, text.rfind(':'));
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    int port = bind.port();
    if (port == 0) {
      port = server_.bind_to_any_port(host);
      if (port <= 0) return false;
    } else if (!server_.bind_to_port(host, port)) {
      return false;
    }
    local_address_ = bind.with_port(static_cast<std::uint16_t>(port));
    thread_ = std::thread([this] {
      static_cast<void>(server_.listen_after_bind());
      ended_ = true;
    });
    // stop() has no effect on a server that has not begun.
    while (!server_.is_running() && !ended_) std::this_thread::yield();
    return true;
  }
  [[nodiscard]] const SocketAddress& local_address() const override { return local_address_; }

 private:
  httplib::Server server_;
  SocketAddress local_address_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<MetricsServer>> open_metrics_server(const SocketAddress& bind, MetricsServer::Source source) {
  auto server = std::make_unique<HttpMetricsServer>(std::move(source));
  if (!server->start(bind)) {
    return failure(ErrorCode::kSystem, "cannot serve metrics on " + bind.to_string() + ": the address cannot be bound");
  }
  return server;
}

}  // namespace godwit::cli
