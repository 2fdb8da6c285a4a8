#include "runtime/shards.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/clock.h"
#include "runtime/platform.h"
#include "runtime/statistics_sum.h"

namespace godwit {
namespace {

// For a retired shard's last words, and how often it looks whether they have left.
constexpr Duration kClosePacketTime = 1s;
constexpr Duration kClosePacketCheck = 10ms;

}  // namespace

struct Shards::Shard final : ShardLink {
  Shard(Shards& all, std::size_t own_index) : group(all), index(own_index) {}

  [[nodiscard]] bool owns(const SocketAddress& remote) const override { return group.map_.owner(remote) == index; }
  void forward(const DatagramBatch& batch) override { group.forward(*this, batch); }
  [[nodiscard]] ShardMailbox& mailbox() override { return inbox; }

  Shards& group;
  std::size_t index;
  ShardMailbox inbox;
  std::unique_ptr<Node> node;
  bool retired = false;              // of the group's mutex
  std::optional<Instant> ends_by{};  // of the shard's thread: its connections are being closed
};

// Goes around the shards in posted calls; the last reference that goes hands the sum over, also when a shard ends
// before its turn came.
struct Shards::Collection {
  ~Collection() { then(sum); }
  std::mutex mutex;
  ShardsStatistics sum;
  std::function<void(const ShardsStatistics&)> then;
};

Result<std::unique_ptr<Shards>> Shards::open(const NodeConfig& config, const KeyPair& keys,
                                             const ShardOptions& options) {
  const std::size_t count = options.count > 0
                                ? options.count
                                : std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, Shards::kMaxShards);
  if (count > kMaxShards) {
    return failure(ErrorCode::kInvalidArgument, "at most " + std::to_string(kMaxShards) + " shards");
  }
  if (config.backend == BackendKind::kConnected) {
    return failure(ErrorCode::kInvalidArgument, "the back end 'connected' has one peer only: no shards");
  }
  NodeConfig of_shard = config;
  if (const auto limit = config.endpoint.endpoint_rate_limit; limit && !limit->is_unlimited()) {
    of_shard.endpoint.endpoint_rate_limit = limit->scaled(1.0 / static_cast<double>(count));
  }
  SystemRandom random;
  std::unique_ptr<Shards> shards(new Shards(random.next_u64(), count, options));
  if (count > 1) {
    of_shard.endpoint.reassembly_bytes = config.endpoint.reassembly_bytes / 2 / count;
    of_shard.endpoint.reassembly_pool = &shards->reassembly_;
    shards->reassembly_.set(config.endpoint.reassembly_bytes - count * of_shard.endpoint.reassembly_bytes);
  }
  for (const auto& shard : shards->shards_) {
    of_shard.socket.group = count == 1          ? SocketOptions::Group::kNone
                            : shard->index == 0 ? SocketOptions::Group::kFirst
                                                : SocketOptions::Group::kFurther;
    auto socket = Socket::open(of_shard.socket);
    if (!socket) return std::unexpected(socket.error());
    if (shard->index == 0) {
      shards->local_address_ = socket->local_address();
      of_shard.socket.bind = of_shard.socket.bind.with_port(shards->local_address_.port());
    }
    auto own_keys = KeyPair::from_secret(keys.secret().bytes());
    if (!own_keys) return std::unexpected(own_keys.error());
    trace::Sink* const sink = options.trace ? options.trace(shard->index) : nullptr;
    auto node =
        Node::open_on(std::move(*socket), of_shard, std::move(*own_keys), count == 1 ? nullptr : shard.get(), sink);
    if (!node) return std::unexpected(node.error());
    shard->node = std::move(*node);
    shards->positions_.push_back(shard->index);
  }
  shards->steer();
  return shards;
}

std::uint64_t Shards::SharedReassembly::take(std::uint64_t bytes) {
  std::uint64_t left = left_.load(std::memory_order_relaxed);
  while (!left_.compare_exchange_weak(left, left - std::min(left, bytes), std::memory_order_relaxed)) {
  }
  return std::min(left, bytes);
}

Shards::Shards(std::uint64_t seed, std::size_t count, const ShardOptions& options)
    : options_(options), map_(seed, count) {
  for (std::size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>(*this, i));
}

Shards::~Shards() = default;

Node* Shards::node(std::size_t shard) {
  return shards_[shard]->node.get();
}

// Tells the kernel which socket each slot of the map means now.
void Shards::steer() {
  if (positions_.size() < 2) return;
  std::vector<std::size_t> position_of_slot(map_.steering().slots());
  for (std::size_t slot = 0; slot < position_of_slot.size(); ++slot) {
    const auto found = std::ranges::find(positions_, map_.owner_of_slot(slot));
    position_of_slot[slot] = static_cast<std::size_t>(found - positions_.begin());
  }
  const Node& any = *shards_[positions_.front()]->node;
  steering_error_ = map_.steering().attach(any.backend().socket(), position_of_slot);
}

void Shards::forward(Shard& from, const DatagramBatch& batch) {
  ++from.statistics.forwarded_batches;
  from.statistics.forwarded_datagrams += batch.segment_count();
  Shard& owner = *shards_[map_.owner(batch.remote)];
  if (!owner.inbox.put(batch)) {
    from.statistics.refused_datagrams += batch.segment_count();
    return;
  }
  const std::lock_guard lock(mutex_);
  if (owner.node) owner.node->wake();
}

// --- Life ---

void Shards::run(const MakeHandler& make_handler) {
  std::vector<std::unique_ptr<Node::Handler>> handlers;
  for (const auto& shard : shards_) handlers.push_back(make_handler(shard->index));
  {
    const std::lock_guard lock(mutex_);
    running_ = positions_.size();
  }
  std::vector<std::thread> threads;
  for (const auto& shard : shards_) {
    if (!shard->node) continue;
    threads.emplace_back([this, &shard, &handlers] {
      if (options_.pin_threads) platform::run_on_processor(shard->index);
      run_shard(*shard, *handlers[shard->index]);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void Shards::run_shard(Shard& shard, Node::Handler& handler) {
  platform::request_exact_timers();  // as Node::run
  Node& node = *shard.node;
  while (!node.stopping()) {
    node.turn(handler, shard.ends_by ? std::optional(kClosePacketCheck) : std::nullopt);
    if (finish_retirement(shard.index, shard.ends_by && node.now() >= *shard.ends_by)) break;
  }
  const std::lock_guard lock(mutex_);
  --running_;
}

void Shards::stop() noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& shard : shards_) {
    if (shard->node) shard->node->stop();
  }
}

bool Shards::post(std::size_t shard, std::function<void(Node&)> call) {
  const std::lock_guard lock(mutex_);
  Node* const node = shards_[shard]->node.get();
  return node != nullptr && node->post(std::move(call));
}

bool Shards::has_ended(std::size_t shard) const {
  const std::lock_guard lock(mutex_);
  return shards_[shard]->node == nullptr;
}

bool Shards::retire(std::size_t shard, std::string_view text) {
  const std::lock_guard lock(mutex_);
  Shard& retired = *shards_[shard];
  std::vector<std::size_t> heirs;
  for (const auto& other : shards_) {
    if (other->node && !other->retired && other->index != shard) heirs.push_back(other->index);
  }
  if (retired.retired || !retired.node || heirs.empty()) return false;
  const bool told = retired.node->post([&retired, text = std::string(text)](Node& node) {
    node.endpoint().close_all(node.now(), text);
    retired.ends_by = node.now() + kClosePacketTime;
  });
  if (!told) return false;
  retired.retired = true;
  // Its peers begin anew at the others. What they still send to it is forwarded there, and means nothing there.
  std::size_t next = 0;
  for (std::size_t slot = 0; slot < map_.steering().slots(); ++slot) {
    if (map_.owner_of_slot(slot) == shard) map_.set_owner(slot, heirs[next++ % heirs.size()]);
  }
  steer();
  return true;
}

bool Shards::finish_retirement(std::size_t shard, bool force) {
  Shard& retired = *shards_[shard];
  if (!retired.ends_by) return false;
  if (!force && retired.node && retired.node->endpoint().connection_count() > 0) return false;
  retired.inbox.close();
  std::unique_ptr<Node> ending;
  {
    const std::lock_guard lock(mutex_);
    if (!retired.node) return true;
    add(ended_, retired);
    ending = std::move(retired.node);
    // The kernel moves the last socket of its list to the place of the one that closes.
    *std::ranges::find(positions_, shard) = positions_.back();
    positions_.pop_back();
  }
  ending.reset();  // with it go calls that were posted, one of them perhaps a Collection's last
  const std::lock_guard lock(mutex_);
  steer();
  return true;
}

// --- Numbers ---

std::size_t ShardsStatistics::open_connections() const {
  std::size_t sum = 0;
  for (const std::size_t count : connections) sum += count;
  return sum;
}

void Shards::add(ShardsStatistics& sum, const Shard& shard) {
  sum.connections.resize(std::max(sum.connections.size(), shard.index + 1));
  if (!shard.ends_by) sum.connections[shard.index] += shard.node->endpoint().connection_count();
  add_counters(sum.endpoint, shard.node->endpoint().statistics());
  add_counters(sum.backend, shard.node->backend().statistics());
  add_counters(sum.node, shard.node->statistics());
  add_counters(sum.link, shard.statistics);
}

ShardsStatistics Shards::statistics() const {
  const std::lock_guard lock(mutex_);
  ShardsStatistics sum = ended_;
  sum.connections.resize(shards_.size());
  for (const auto& shard : shards_) {
    if (shard->node) add(sum, *shard);
  }
  return sum;
}

void Shards::collect(std::function<void(const ShardsStatistics&)> then) {
  std::unique_lock lock(mutex_);
  if (running_ == 0) {
    lock.unlock();
    return then(statistics());
  }
  const auto collection = std::make_shared<Collection>();
  collection->then = std::move(then);
  collection->sum = ended_;
  collection->sum.connections.resize(shards_.size());
  for (const auto& shard : shards_) {
    if (!shard->node) continue;
    static_cast<void>(shard->node->post([collection, &shard](Node&) {
      const std::lock_guard adding(collection->mutex);
      add(collection->sum, *shard);
    }));
  }
  lock.unlock();
}

}  // namespace godwit
