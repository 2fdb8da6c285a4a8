#include "runtime/node.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/connect_target.h"
#include "runtime/clock.h"
#include "runtime/platform.h"

namespace godwit {
namespace {

// Of the socket alone, after a turn without work; they take some 2 µs. A deadline nearer than the time is not put off.
constexpr int kPollsPerTurn = 8;
constexpr Duration kPollingTime = 5us;

}  // namespace

std::optional<IdleStrategy> parse_idle_strategy(std::string_view text) {
  if (text == "block") return IdleStrategy::kBlock;
  if (text == "spin-block") return IdleStrategy::kSpinBlock;
  if (text == "spin") return IdleStrategy::kSpin;
  return std::nullopt;
}

Result<std::unique_ptr<Node>> Node::open(const NodeConfig& config, KeyPair keys, trace::Sink* sink,
                                         trace::CostSink* cost) {
  auto socket = Socket::open(config.socket);
  if (!socket) return std::unexpected(socket.error());
  return open_on(std::move(*socket), config, std::move(keys), nullptr, sink, cost);
}

Result<std::unique_ptr<Node>> Node::open_on(Socket socket, const NodeConfig& config, KeyPair keys, ShardLink* link,
                                            trace::Sink* sink, trace::CostSink* cost) {
  if (const Status fine = check_config(config.endpoint); !fine) return std::unexpected(fine.error());
  if (config.threads > TransmitWorkers::kMostThreads) {
    return failure(ErrorCode::kInvalidArgument,
                   "a node has at most " + std::to_string(TransmitWorkers::kMostThreads) + " threads");
  }
  BackendConfig backend_config = config.backend_config;
  if (config.endpoint.handshake.extended != ExtendedPolicy::kOff) {
    backend_config.largest_datagram_bytes =
        std::max<std::size_t>(backend_config.largest_datagram_bytes, config.endpoint.handshake.largest_datagram);
  }
  auto backend = make_backend(config.backend, std::move(socket), backend_config);
  if (!backend) return std::unexpected(backend.error());
  FaultyBackend* faulty = nullptr;
  std::unique_ptr<Backend> driven = std::move(*backend);
  FurtherPorts* further = nullptr;
  // A socket of one peer has no use for others, and what comes to a shard's further sockets is not steered to it.
  if (link == nullptr && driven->kind() != BackendKind::kConnected) {
    auto decorated = std::make_unique<FurtherPorts>(std::move(driven));
    further = decorated.get();
    driven = std::move(decorated);
  }
  if (config.faults.any()) {
    auto decorated = std::make_unique<FaultyBackend>(std::move(driven), config.faults);
    faulty = decorated.get();
    driven = std::move(decorated);
  }
  std::unique_ptr<Node> node(new Node(config, std::move(driven), faulty, further, link, cost));
  node->now_ = boot_time_now();
  Config endpoint = config.endpoint;
  endpoint.handshake.clock_offset = time_of_day_offset();
  if (config.threads > 1) {
    auto workers = TransmitWorkers::start(*node->backend_, config.threads);
    if (!workers) return std::unexpected(workers.error());
    node->workers_ = *std::move(workers);
    endpoint.send_queue.readers = node->workers_.get();
  }
  endpoint.further_ports = further != nullptr;
  node->endpoint_ = std::make_unique<Endpoint>(endpoint, std::move(keys), node->random_, sink, cost);
  return node;
}

Node::Node(const NodeConfig& config, std::unique_ptr<Backend> backend, FaultyBackend* faulty, FurtherPorts* further,
           ShardLink* link, trace::CostSink* cost)
    : config_(config),
      backend_(std::move(backend)),
      faulty_(faulty),
      further_(further),
      link_(link),
      cost_(cost),
      idle_(config.idle, config.spin_for) {}

Node::~Node() {
  // A child has none of the threads.
  if (guard_.in_child()) static_cast<void>(workers_.release());
  if (workers_) workers_->settle();
}

std::optional<FaultStatistics> Node::faults() const {
  if (faulty_ == nullptr) return std::nullopt;
  return faulty_->faults();
}

void Node::check_process() const {
  GODWIT_ASSERT(!guard_.in_child());
}

Result<ConnectionId> Node::connect(const SocketAddress& remote, const PublicKey& peer) {
  check_process();
  const auto target = connect_target(remote);
  if (!target) return std::unexpected(target.error());
  if (!serves(*target)) {
    return failure(ErrorCode::kInvalidArgument, target->to_string() + " is another shard's peer");
  }
  return endpoint_->connect(read_clock(), *target, peer);
}

Result<MessageId> Node::send(ConnectionId connection, Body&& body, SendOptions options) {
  check_process();
  // A message has no time of its own until it leaves, and then the clock is read.
  return endpoint_->send(now_, connection, std::move(body), std::move(options));
}

void Node::close(ConnectionId connection, std::string_view text, std::uint64_t code) {
  endpoint_->close(read_clock(), connection, text, code);
}

void Node::run(Handler& handler) {
  platform::request_exact_timers();
  while (!stopping()) turn(handler);
  if (workers_) workers_->settle();
  stopping_.store(false, std::memory_order_relaxed);
}

void Node::turn(Handler& handler, std::optional<Duration> longest_wait) {
  GODWIT_ASSERT(!guard_.in_child());
  ++statistics_.turns;
  note_sleeper(!longest_wait || *longest_wait > Duration::zero());
  read_clock();
  wake_at_.reset();
  busy_ = receive(handler);
  GODWIT_COST_PROBE(cost_, kBookkeeping);
  if (endpoint_->timer_is_due(now_)) {
    endpoint_->handle_timeout(now_);
    deliver_events(handler);
  }
  if (link_ != nullptr && link_->mailbox().any()) receive_forwarded(handler);
  if (has_posted_.load(std::memory_order_acquire)) run_posted();
  GODWIT_COST_PROBE(cost_, kApplication);
  handler.on_turn(*this);
  GODWIT_COST_PROBE(cost_, kBookkeeping);
  read_clock();
  deliver_events(handler);
  busy_ = transmit() || busy_;
  if (endpoint_->wants_ports()) [[unlikely]]
    open_further_ports();
  if (further_ != nullptr && further_->count() > 0) [[unlikely]]
    close_further_ports();
  // A body that cannot be read or a key used up shows only when it is sent from: whoever hears of it may send again.
  busy_ = deliver_events(handler) || busy_;
  GODWIT_COST_PROBE(cost_, kIdle);
  wait(longest_wait);
  GODWIT_COST_PROBE(cost_, kOther);
}

// Who never lets a turn sleep waits elsewhere, for one descriptor; and steering sends a shard's peers to one socket.
void Node::note_sleeper(bool sleeps) {
  if (std::exchange(sleeps_, sleeps) == sleeps) return;
  backend_->connect_busy_peers(sleeps && link_ == nullptr && !workers_);
}

// True when more input probably waits in the socket.
bool Node::receive(Handler& handler) {
  for (std::size_t round = 0; round < config_.receive_rounds; ++round) {
    if (!std::exchange(polled_input_, false)) {
      GODWIT_COST_PROBE(cost_, kReceiveCall);
      backend_->receive(inbox_);
    }
    GODWIT_COST_PROBE(cost_, kRoute);
    if (inbox_.batches().empty()) {
      take_path_reports();
      return false;
    }
    idle_.on_work(now_);
    const bool alone = inbox_.batches().size() == 1;
    for (const DatagramBatch& batch : inbox_.batches()) {
      if (link_ != nullptr && !link_->owns(batch.remote)) [[unlikely]] {
        link_->forward(batch);
        continue;
      }
      endpoint_->receive(now_, batch, alone ? Endpoint::Accounts::kAfterReply : Endpoint::Accounts::kAtOnce);
      deliver_events(handler);
      if (!alone) continue;
      send_reply();
      endpoint_->settle();
      deliver_events(handler);
    }
    take_path_reports();
    if (!inbox_.stopped_at_bound()) return false;
  }
  return true;
}

// Who has sent one datagram and waits for its answer gets that first: acknowledgements, congestion control and timers
// come while it is on its way. Nothing is looked for behind it: what else there is to send leaves in transmit().
void Node::send_reply() {
  if (workers_ || unsent_begin_ < unsent_.size()) return;
  buffer_.reset();
  unsent_.clear();
  unsent_begin_ = 0;
  const auto reply = endpoint_->poll_reply(now_, buffer_);
  if (!reply) return;
  ++statistics_.replies;
  unsent_.push_back(*reply);
  GODWIT_COST_PROBE(cost_, kSendCall);
  unsent_begin_ = backend_->send(unsent_);
  GODWIT_COST_PROBE(cost_, kBookkeeping);
}

void Node::receive_forwarded(Handler& handler) {
  link_->mailbox().take(parcels_);
  idle_.on_work(now_);
  for (const ShardMailbox::Parcel& parcel : parcels_) {
    ++link_->statistics.received_batches;
    endpoint_->receive(now_, parcel.batch);
    deliver_events(handler);
  }
}

// True when there was any.
bool Node::deliver_events(Handler& handler) {
  bool any = false;
  while (EndpointEvent* event = endpoint_->poll_event()) {
    GODWIT_COST_PROBE(cost_, kApplication);
    handler.on_event(*this, event->connection, event->event);
    GODWIT_COST_PROBE(cost_, kReassemble);
    any = true;
  }
  // Of however many events: chunks of a stream come one a packet, and a reading of the clock costs as much as one.
  if (any) read_clock();
  return any;
}

// True when there is more to send and the socket would take it.
bool Node::transmit() {
  if (workers_) return transmit_with_workers();
  for (std::size_t round = 0; round < config_.transmit_rounds; ++round) {
    if (unsent_begin_ == unsent_.size()) {
      unsent_.clear();
      unsent_begin_ = 0;
      buffer_.reset();
      while (auto batch = endpoint_->poll_transmit(now_, buffer_)) unsent_.push_back(*batch);
      if (unsent_.empty()) return false;
      idle_.on_work(now_);
    }
    GODWIT_COST_PROBE(cost_, kSendCall);
    const std::span<const DatagramBatch> batches = std::span<const DatagramBatch>(unsent_).subspan(unsent_begin_);
    unsent_begin_ += backend_->send(batches);
    take_path_reports();
    GODWIT_COST_PROBE(cost_, kBookkeeping);
    if (unsent_begin_ < unsent_.size() || backend_->send_blocked()) return false;
  }
  return true;
}

// The same with rounds that workers seal and send. What they have not begun with at the end of the turn is done here.
bool Node::transmit_with_workers() {
  bool more = false;
  workers_busy_ = false;
  if (!workers_->resume()) return false;
  for (std::size_t handed_over = 0; handed_over < config_.transmit_rounds;) {
    TransmitWorkers::Round* const round = workers_->begin();
    if (round == nullptr) {
      GODWIT_COST_PROBE(cost_, kSeal);
      more = !backend_->send_blocked();
      if (!more || !workers_->help()) break;
      continue;
    }
    while (auto batch = endpoint_->poll_transmit(now_, round->space())) round->add(*batch);
    more = !round->empty();
    if (!more) break;
    idle_.on_work(now_);
    GODWIT_COST_PROBE(cost_, kSendCall);
    workers_->submit();
    ++handed_over;
  }
  GODWIT_COST_PROBE(cost_, kSeal);
  workers_busy_ = workers_->end_turn();
  GODWIT_COST_PROBE(cost_, kBookkeeping);
  take_path_reports();
  return more && !backend_->send_blocked();
}

// Config::further_ports is set where there may be any, and nobody wants them elsewhere.
void Node::open_further_ports() {
  further_looked_at_ = now_;
  if (workers_) workers_->keep_sending_to_owner(true);
  endpoint_->give_ports(now_, further_->open(PortSearch::kPorts));
  if (workers_ && further_->count() == 0) workers_->keep_sending_to_owner(false);
  busy_ = true;
}

// Once a second. What still waits for the socket leaves first.
void Node::close_further_ports() {
  if (now_ < further_looked_at_ + 1s || unsent_begin_ < unsent_.size()) return;
  if (workers_ && workers_->on_their_way() > 0) return;
  further_looked_at_ = now_;
  further_->keep(endpoint_->ports_in_use());
  if (workers_ && further_->count() == 0) workers_->keep_sending_to_owner(false);
}

Instant Node::read_clock() {
  now_ = boot_time_now();
  return now_;
}

void Node::take_path_reports() {
  while (const auto report = backend_->poll_path_report()) endpoint_->on_path_report(now_, *report);
}

void Node::run_posted() {
  std::vector<std::function<void(Node&)>> calls;
  {
    const std::lock_guard lock(posted_mutex_);
    calls.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  statistics_.posted_calls += calls.size();
  for (const auto& call : calls) call(*this);
  if (!calls.empty()) read_clock();
}

// A loop of others does not hear a worker that finds the socket full: it comes by until the workers are done.
std::optional<Instant> Node::next_timeout() const {
  return workers_busy_ ? now_ : next_deadline();
}

std::optional<Instant> Node::next_deadline() const {
  if (busy_) return now_;
  return earliest(endpoint_->next_timeout(), wake_at_);
}

void Node::wait(std::optional<Duration> longest_wait) {
  if (busy_ || stopping()) return;
  read_clock();
  const bool polls = idle_.polls(now_);
  std::optional<Duration> timeout = longest_wait;
  const auto deadline = next_deadline();
  if (deadline) {
    const Duration until = std::max(*deadline - now_, Duration::zero());
    timeout = timeout ? std::min(*timeout, until) : until;
  }
  // Nothing is left to do. One key pair, and then a look at the socket.
  if ((!deadline || *deadline > now_) && endpoint_->prepare_handshakes()) return;
  if (timeout && *timeout == Duration::zero()) return;
  if (polls) {
    if (!timeout || *timeout >= kPollingTime) poll_input();
    return;
  }
  ++statistics_.waits;
  backend_->wait(timeout);
}

// The socket alone, a few times, before the next whole turn looks at everything else: what is polled for is most
// likely input, and the rest of a turn would stand between its arrival and its discovery.
void Node::poll_input() {
  for (int i = 0; i < kPollsPerTurn; ++i) {
    GODWIT_COST_PROBE(cost_, kIdle);
    if (backend_->receive(inbox_) > 0) {
      GODWIT_RENAME_SAMPLE(cost_, kReceiveCall);
      polled_input_ = true;
      return;
    }
  }
}

void Node::stop() noexcept {
  stopping_.store(true, std::memory_order_relaxed);
  backend_->wake();
}

void Node::wake() noexcept {
  backend_->wake();
}

bool Node::post(std::function<void(Node&)> call) {
  {
    const std::lock_guard lock(posted_mutex_);
    if (posted_.size() >= kMaxPostedCalls) return false;
    posted_.push_back(std::move(call));
    has_posted_.store(true, std::memory_order_release);
  }
  backend_->wake();
  return true;
}

}  // namespace godwit
