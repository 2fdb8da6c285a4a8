#include "benches/node_pair.h"

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <future>

#include "base/random.h"
#include "runtime/clock.h"

namespace godwit::bench {
namespace {

using namespace std::chrono_literals;

void pin_thread(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(core), &cores);
  sched_setaffinity(0, sizeof cores, &cores);  // a machine with one core is measured on one core
}

// The address that connection `index` goes to as the endpoint sees it; the same number names its source address.
SocketAddress virtual_remote(std::size_t index, std::uint16_t port) {
  return SocketAddress::ipv4({10, static_cast<std::uint8_t>(index >> 16U), static_cast<std::uint8_t>(index >> 8U),
                              static_cast<std::uint8_t>(index)},
                             port);
}

SocketAddress source_of(const SocketAddress& remote) {
  const auto& octets = remote.octets();
  return SocketAddress::ipv4({127, static_cast<std::uint8_t>(octets[1] + 1), octets[2], octets[3]}, 0);
}

}  // namespace

double thread_cpu_seconds() {
  timespec reading{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &reading);
  return static_cast<double>(reading.tv_sec) + static_cast<double>(reading.tv_nsec) * 1e-9;
}

ByteView pattern() {
  static const std::vector<std::uint8_t> kBytes = [] {
    std::vector<std::uint8_t> bytes(kPatternBytes);
    DeterministicRandom(17).fill(bytes);
    return bytes;
  }();
  return kBytes;
}

NodeConfig loopback_config(BackendKind backend) {
  NodeConfig config;
  config.backend = backend;
  config.endpoint.streams.delivery = DeliveryMode::kChunks;
  config.endpoint.streams.runs = true;
  AdmissionConfig& admission = config.endpoint.admission;
  admission.prefix_rate = admission.prefix_burst = 1'000'000;
  admission.stranger_rate = admission.stranger_burst = 1'000'000;
  admission.known_rate = admission.known_burst = 1'000'000;
  return config;
}

// --- Server ---

std::unique_ptr<BenchServer> BenchServer::start(const NodeConfig& config, const Options& options) {
  NodeConfig bound = config;
  bound.socket.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  SystemRandom random;
  auto keys = KeyPair::generate(random);
  if (!keys) return nullptr;
  const PublicKey key = keys->public_key();
  static_cast<void>(pattern());
  auto node = Node::open(bound, std::move(*keys));
  if (!node) return nullptr;
  return std::unique_ptr<BenchServer>(new BenchServer(std::move(*node), key, options));
}

BenchServer::BenchServer(std::unique_ptr<Node> node, PublicKey key, const Options& options)
    : node_(std::move(node)), key_(key), options_(options), address_(node_->local_address()) {
  thread_ = std::thread([this] {
    pin_thread(options_.core);
    node_->run(*this);
  });
}

BenchServer::~BenchServer() {
  node_->stop();
  thread_.join();
}

ServerTotals BenchServer::totals() {
  std::promise<ServerTotals> promise;
  auto result = promise.get_future();
  const bool posted = node_->post([this, &promise](Node& node) {
    ServerTotals totals = totals_;
    totals.open = node.endpoint().connection_count();
    totals.cpu_seconds = thread_cpu_seconds();
    totals.kernel_drops = node.backend().statistics().kernel_drops;
    totals.dropped = node.endpoint().statistics().drops.total();
    promise.set_value(std::move(totals));
  });
  if (!posted || result.wait_for(10s) != std::future_status::ready) return {};
  return result.get();
}

void BenchServer::on_chunk(ConnectionId connection, const StreamChunk& chunk) {
  if (chunk.total == kSlowStreamBytes) {
    slow_received_.fetch_add(chunk.bytes.size(), std::memory_order_relaxed);
    return;
  }
  if (chunk.offset + chunk.bytes.size() > kPatternBytes ||
      std::memcmp(chunk.bytes.data(), pattern().data() + chunk.offset, chunk.bytes.size()) != 0)
    ++totals_.differences;
  totals_.stream_bytes += chunk.bytes.size();
  if (chunk.finished()) ++totals_.streams_finished;
  totals_.stream_bytes_of[connection] += chunk.bytes.size();
}

void BenchServer::on_event(Node& node, ConnectionId connection, Event& event) {
  if (const auto* chunks = std::get_if<StreamChunks>(&event)) {
    for (std::uint32_t i = 0; i < chunks->count; ++i) on_chunk(connection, chunks->chunk(i));
    stream_bytes_.store(totals_.stream_bytes, std::memory_order_relaxed);
  } else if (const auto* chunk = std::get_if<StreamChunk>(&event)) {
    on_chunk(connection, *chunk);
    stream_bytes_.store(totals_.stream_bytes, std::memory_order_relaxed);
  } else if (const auto* message = std::get_if<MessageReceived>(&event)) {
    const ByteView payload = message->payload;
    if (payload.size() < 8 || std::memcmp(payload.data() + 8, pattern().data() + 8, payload.size() - 8) != 0) {
      ++totals_.differences;
    } else {
      totals_.message_sum += load_le<std::uint64_t>(payload.data());
    }
    ++totals_.messages;
    totals_.message_bytes += payload.size();
    messages_.store(totals_.messages, std::memory_order_relaxed);
  } else if (std::holds_alternative<Connected>(event)) {
    ++totals_.connected;
    slow_connection_ = connection;
    if (options_.slow_bytes > 0) next_grant_ = node.now();
  } else if (std::holds_alternative<Closed>(event)) {
    ++totals_.closed;
    totals_.stream_bytes_of.erase(connection);
  }
}

// The slow reader takes a little now and then, and says so.
void BenchServer::on_turn(Node& node) {
  if (!next_grant_) return;
  if (node.now() >= *next_grant_) {
    const std::uint64_t granted = slow_granted_.load(std::memory_order_relaxed) + options_.slow_bytes;
    std::vector<std::uint8_t> credit(8);
    store_le<std::uint64_t>(credit.data(), granted);
    if (node.send(slow_connection_, Body::owned(std::move(credit)))) {
      slow_granted_.store(granted, std::memory_order_relaxed);
    }
    next_grant_ = node.now() + options_.slow_interval;
  }
  node.wake_at(*next_grant_);
}

// --- Client ---

std::unique_ptr<BenchClient> BenchClient::open(const NodeConfig& config, const BenchServer& server, std::size_t batch) {
  SocketOptions options = config.socket;
  options.bind = SocketAddress::ipv4({0, 0, 0, 0}, 0);
  auto socket = Socket::open(options);
  if (!socket) return nullptr;
  auto backend = make_backend(config.backend, std::move(*socket), config.backend_config);
  if (!backend) return nullptr;
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  return std::unique_ptr<BenchClient>(new BenchClient(std::move(*backend), config.endpoint, server, batch));
}

BenchClient::BenchClient(std::unique_ptr<Backend> backend, const Config& config, const BenchServer& server,
                         std::size_t batch)
    : backend_(std::move(backend)),
      server_(server.address()),
      key_(server.key()),
      endpoint_(std::make_unique<Endpoint>(config, *KeyPair::generate(random_), random_)),
      batch_(batch),
      now_(boot_time_now()) {}

std::optional<std::size_t> BenchClient::initiate() {
  const std::size_t index = ids_.size();
  const auto id = endpoint_->connect(now_, virtual_remote(index, server_.port()), key_);
  if (!id) return std::nullopt;
  ids_.push_back(*id);
  index_of_.emplace(*id, index);
  return index;
}

bool BenchClient::connect(std::size_t count, Duration patience) {
  constexpr std::uint64_t kAtOnce = 64;  // half-open handshakes are bounded at the server
  now_ = boot_time_now();
  const Instant end = now_ + patience;
  const std::uint64_t before = connected;
  std::size_t begun = 0;
  while (connected - before < count) {
    if (now_ >= end) return false;
    while (begun < count && begun - (connected - before) < kAtOnce) {
      if (!initiate()) return false;
      ++begun;
    }
    turn(1ms);
  }
  return true;
}

bool BenchClient::receive() {
  bool any = false;
  for (int round = 0; round < 4; ++round) {
    if (backend_->receive(inbox_) == 0) break;
    any = true;
    for (DatagramBatch& batch : inbox_.batches()) {
      const auto& octets = batch.local.octets();
      const std::size_t index =
          (static_cast<std::size_t>(octets[1] - 1) << 16U) | (static_cast<std::size_t>(octets[2]) << 8U) | octets[3];
      batch.remote = virtual_remote(index, server_.port());
      endpoint_->receive(now_, batch);
      deliver_events();
    }
    if (!inbox_.stopped_at_bound()) break;
  }
  return any;
}

void BenchClient::deliver_events() {
  while (EndpointEvent* event = endpoint_->poll_event()) {
    if (std::holds_alternative<MessageConfirmed>(event->event)) {
      ++confirmed;
    } else if (std::holds_alternative<MessageFailed>(event->event)) {
      ++failed;
    } else if (std::holds_alternative<Connected>(event->event)) {
      ++connected;
    } else if (std::holds_alternative<Closed>(event->event)) {
      ++closed;
    }
    if (on_event) {
      if (const auto found = index_of_.find(event->connection); found != index_of_.end())
        on_event(found->second, event->event);
    }
  }
}

bool BenchClient::transmit() {
  for (int round = 0; round < 8; ++round) {
    if (unsent_begin_ == unsent_.size()) {
      unsent_.clear();
      unsent_begin_ = 0;
      buffer_.reset();
      while (auto batch = endpoint_->poll_transmit(now_, buffer_)) {
        batch->local = source_of(batch->remote);
        batch->remote = server_;
        // As it is shipped, or cut into shorter batches.
        const std::size_t most = batch_ * batch->segment_size;
        for (std::size_t at = 0; at < batch->bytes.size(); at += most) {
          DatagramBatch piece = *batch;
          piece.bytes = batch->bytes.subspan(at, std::min(most, batch->bytes.size() - at));
          unsent_.push_back(piece);
        }
      }
      if (unsent_.empty()) return round > 0;
    }
    unsent_begin_ += backend_->send(std::span<const DatagramBatch>(unsent_).subspan(unsent_begin_));
    if (unsent_begin_ < unsent_.size() || backend_->send_blocked()) return false;
  }
  return true;
}

void BenchClient::turn(Duration longest_wait) {
  now_ = boot_time_now();
  bool busy = receive();
  if (const auto timeout = endpoint_->next_timeout(); timeout && *timeout <= now_) {
    endpoint_->handle_timeout(now_);
    deliver_events();
    busy = true;
  }
  busy = transmit() || busy;
  deliver_events();
  if (busy || longest_wait == Duration::zero()) return;
  Duration wait = longest_wait;
  if (const auto timeout = endpoint_->next_timeout()) wait = std::min(wait, *timeout - now_);
  if (wait > Duration::zero()) static_cast<void>(backend_->wait(wait));
}

void BenchClient::run_for(Duration time, const std::function<void()>& work) {
  const Instant end = boot_time_now() + time;
  do {
    if (work) work();
    turn(100us);
  } while (now_ < end);
}

bool BenchClient::run_until(const std::function<bool()>& done, Duration patience) {
  const Instant end = boot_time_now() + patience;
  while (!done()) {
    if (now_ >= end) return false;
    turn(100us);
  }
  return true;
}

bool BenchClient::send_stream(std::size_t index) {
  if (!endpoint_->send(now_, ids_[index], Body::borrowed(pattern()), {.as = SendAs::kStream})) return false;
  ++sent_streams;
  return true;
}

bool BenchClient::send_message(std::size_t index, std::size_t bytes) {
  std::vector<std::uint8_t> payload(pattern().begin(), pattern().begin() + static_cast<std::ptrdiff_t>(bytes));
  const std::uint64_t number = sent_messages + 1;
  store_le<std::uint64_t>(payload.data(), number);
  if (!endpoint_->send(now_, ids_[index], Body::owned(std::move(payload)))) return false;
  ++sent_messages;
  sent_sum += number;
  return true;
}

}  // namespace godwit::bench
