#include "cli/observation.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "cli/console.h"
#include "cli/control_socket.h"
#include "cli/metrics_server.h"
#include "runtime/clock.h"
#include "runtime/counters.h"
#include "runtime/metrics_text.h"
#include "runtime/resolve.h"
#include "support/json.h"

namespace godwit::cli {
namespace {

using measure::Json;

constexpr std::chrono::seconds kPatience{1};
constexpr const char* kGroup = "Observation";

// What one thread asks of another, which may never answer.
template <typename T>
class Question {
 public:
  void answer(T value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    answered_.notify_one();
  }
  [[nodiscard]] std::optional<T> wait() {
    std::unique_lock lock(mutex_);
    answered_.wait_for(lock, kPatience, [this] { return value_.has_value(); });
    return std::move(value_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable answered_;
  std::optional<T> value_;
};

// `post` hands a call to the thread that drives a node.
template <typename T>
std::optional<T> ask(const std::function<bool(std::function<void(Node&)>)>& post, T (*read)(const Node&)) {
  const auto question = std::make_shared<Question<T>>();
  if (!post([question, read](Node& node) { question->answer(read(node)); })) return std::nullopt;
  return question->wait();
}

Result<SocketAddress> parse_metrics_address(const std::string& text) {
  const bool port_alone = text.find(':') == std::string::npos;
  auto address = parse_bind(port_alone ? "127.0.0.1:" + text : text);
  if (!address)
    return failure(ErrorCode::kInvalidArgument, "'" + text + "' is no address for metrics (ADDR:PORT or PORT)");
  if (text.starts_with(':')) return SocketAddress::ipv4({127, 0, 0, 1}, address->port());
  return address;
}

class OpenObservation final : public Observation {
 public:
  // Each is called on a thread of its own.
  struct Sources {
    MetricsServer::Source metrics;
    ControlSocket::Source live;
  };
  [[nodiscard]] Status open(const ObservationOptions& options, Sources sources) {
    if (!options.metrics.empty()) {
      const auto address = parse_metrics_address(options.metrics);
      if (!address) return std::unexpected(address.error());
      auto server = open_metrics_server(*address, std::move(sources.metrics));
      if (!server) return std::unexpected(server.error());
      metrics_ = std::move(*server);
      print_note("metrics on http://" + metrics_->local_address().to_string() + "/metrics");
    }
    if (!options.control.empty()) {
      auto socket = ControlSocket::open(options.control, std::move(sources.live));
      if (!socket) return std::unexpected(socket.error());
      control_ = std::move(*socket);
    }
    return {};
  }

 private:
  std::unique_ptr<MetricsServer> metrics_;
  std::unique_ptr<ControlSocket> control_;
};

Result<std::unique_ptr<Observation>> open_observation(const ObservationOptions& options,
                                                      OpenObservation::Sources sources) {
  if (options.metrics.empty() && options.control.empty()) return std::unique_ptr<Observation>();
  auto opened = std::make_unique<OpenObservation>();
  if (const Status fine = opened->open(options, std::move(sources)); !fine) return std::unexpected(fine.error());
  return opened;
}

Json describe_connection(const Endpoint& endpoint, ConnectionId id, const ConnectionStatistics& of) {
  Json counters = Json::object();
  for (const ConnectionCounter& each : connection_counters()) counters[std::string(each.name)] = of.*each.member;
  counters["drops"] = of.drops.total();
  return {{"connection", id},
          {"remote", endpoint.remote_address(id).value_or(SocketAddress()).to_string()},
          {"form", of.form},
          {"cipher", of.cipher},
          {"congestion", of.congestion},
          {"state", of.congestion_state},
          {"latest_round_trip_seconds", to_seconds(of.latest_round_trip)},
          {"smoothed_round_trip_seconds", to_seconds(of.smoothed_round_trip)},
          {"minimum_round_trip_seconds", to_seconds(of.minimum_round_trip)},
          {"round_trip_variance_seconds", to_seconds(of.round_trip_variance)},
          {"bytes_in_flight", of.bytes_in_flight},
          {"window_bytes", of.window_bytes},
          {"pacing_bits_per_second", of.pacing_rate.is_unlimited() ? Json() : Json(of.pacing_rate.bits_per_second())},
          {"counters", std::move(counters)}};
}

}  // namespace

measure::Json describe_live(const Node& node) {
  const Endpoint& endpoint = node.endpoint();
  Json connections = Json::array();
  std::uint64_t unlisted = 0;
  for (const ConnectionId id : endpoint.connections()) {
    const auto statistics = endpoint.statistics(id);
    if (!statistics) continue;
    if (connections.size() == kListedConnections) {
      ++unlisted;
    } else {
      connections.push_back(describe_connection(endpoint, id, *statistics));
    }
  }
  return {{"local_address", node.local_address().to_string()},
          {"public_key", endpoint.public_key().to_hex()},
          {"pending_handshakes", endpoint.pending_handshakes()},
          {"unlisted", unlisted},
          {"connections", std::move(connections)}};
}

namespace {

// The objects of several shards become one.
std::string live_text(std::vector<Json> shards) {
  Json all = {{"schema", "godwit-live"},
              {"schema_version", 1},
              {"process", ::getpid()},
              {"clock_seconds", to_seconds(boot_time_now().time_since_epoch())}};
  for (Json& shard : shards) {
    if (!all.contains("connections")) {
      all.update(shard);
      continue;
    }
    all["pending_handshakes"] =
        all["pending_handshakes"].get<std::uint64_t>() + shard["pending_handshakes"].get<std::uint64_t>();
    all["unlisted"] = all["unlisted"].get<std::uint64_t>() + shard["unlisted"].get<std::uint64_t>();
    for (Json& each : shard["connections"]) all["connections"].push_back(std::move(each));
  }
  return measure::print_json(all);
}

}  // namespace

void add_observation_options(CLI::App& app, ObservationOptions& options) {
  app.add_option("--metrics", options.metrics,
                 "serve counters to Prometheus at http://ADDR:PORT/metrics; a PORT alone: to this machine")
      ->type_name("ADDR:PORT")
      ->group(kGroup);
  app.add_option("--control", options.control, "a socket at which `godwit top` reads what this process does")
      ->type_name("FILE")
      ->group(kGroup);
}

Result<std::unique_ptr<Observation>> observe(const ObservationOptions& options, Node& node) {
  const auto post = [&node](std::function<void(Node&)> call) { return node.post(std::move(call)); };
  return open_observation(options, {.metrics = [post] { return ask<std::string>(post, metrics_text); },
                                    .live = [post]() -> std::optional<std::string> {
                                      auto live = ask<Json>(post, describe_live);
                                      if (!live) return std::nullopt;
                                      return live_text({std::move(*live)});
                                    }});
}

Result<std::unique_ptr<Observation>> observe(const ObservationOptions& options, Shards& shards) {
  // Asked on a shard's thread: while no shard runs, sums are read on the thread that asks for them.
  const auto metrics = [&shards]() -> std::optional<std::string> {
    const auto question = std::make_shared<Question<std::string>>();
    bool asked = false;
    for (std::size_t i = 0; !asked && i < shards.size(); ++i) {
      asked = shards.post(i, [question, &shards](Node&) {
        shards.collect([question](const ShardsStatistics& sum) { question->answer(metrics_text(sum)); });
      });
    }
    if (!asked) return std::nullopt;
    return question->wait();
  };
  const auto live = [&shards]() -> std::optional<std::string> {
    std::vector<Json> all;
    for (std::size_t i = 0; i < shards.size(); ++i) {
      auto one = ask<Json>([&shards, i](std::function<void(Node&)> call) { return shards.post(i, std::move(call)); },
                           describe_live);
      if (one) all.push_back(std::move(*one));
    }
    if (all.empty()) return std::nullopt;
    return live_text(std::move(all));
  };
  return open_observation(options, {.metrics = metrics, .live = live});
}

}  // namespace godwit::cli
