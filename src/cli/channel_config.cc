#include "cli/channel_config.h"

#include <algorithm>

namespace godwit::cli {
namespace {

constexpr std::uint64_t kLeastWindow = std::uint64_t{64} << 10;
constexpr std::uint64_t kGreatestWindow = std::uint64_t{1} << 30;

}  // namespace

NodeConfig make_channel_config(const NetworkOptions& options, std::uint64_t window_bytes, std::size_t channels) {
  NodeConfig config = make_node_config(options);
  const std::uint64_t window = std::clamp(window_bytes, kLeastWindow, kGreatestWindow);
  config.endpoint.handshake.extended = ExtendedPolicy::kRequire;
  // All windows together, so that channels whose readers do not read leave the others theirs.
  config.endpoint.handshake.flow = {.stream = window, .connection = window * channels + kLeastWindow, .by_hand = true};
  config.endpoint.send_queue.max_open_stream_bytes = window;
  return config;
}

void adapt_network_options(CLI::App& app, const char* window) {
  app.remove_option(app.get_option("--extended"));
  app.get_option("--window")->description(window);
}

}  // namespace godwit::cli
