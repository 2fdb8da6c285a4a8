#include "runtime/further_ports.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "udp/waker.h"

namespace godwit {
namespace {

// Of each further socket. A session that stays at one has it for itself.
constexpr std::size_t kBuffer = std::size_t{4} << 20;
constexpr std::size_t kReceiveBatches = 4;
constexpr int kEvents = 16;

// Others of the process need descriptors too.
std::size_t most_sockets(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return std::min<std::size_t>(wanted, limit.rlim_cur / 4);
}

// An opener: one datagram that passes so many routers. What becomes of it nobody waits for.
void send_opener(const Socket& socket, const DatagramBatch& batch) {
  const KernelAddress to = to_kernel(batch.remote, socket.family());
  if (to.size == 0) return;
  const bool ipv4 = batch.remote.is_ipv4();
  const int level = ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
  const int option = ipv4 ? IP_TTL : IPV6_UNICAST_HOPS;
  const int hops = batch.hop_limit;
  constexpr int kOfTheSystem = -1;
  if (::setsockopt(socket.descriptor(), level, option, &hops, sizeof hops) != 0) return;
  static_cast<void>(
      ::sendto(socket.descriptor(), batch.bytes.data(), batch.bytes.size(), MSG_DONTWAIT, &to.generic, to.size));
  static_cast<void>(::setsockopt(socket.descriptor(), level, option, &kOfTheSystem, sizeof kOfTheSystem));
}

}  // namespace

FurtherPorts::~FurtherPorts() {
  ports_.clear();
  if (epoll_ >= 0) ::close(epoll_);
}

std::vector<SocketAddress> FurtherPorts::open(std::size_t count) {
  std::vector<SocketAddress> opened;
  if (epoll_ < 0) epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (loop_ == nullptr) {
    if (auto loop = ForeignLoop::open(*inner_)) loop_ = *std::move(loop);
  }
  if (epoll_ < 0 || loop_ == nullptr) return opened;
  inner_->connect_busy_peers(false);
  SocketOptions options;
  options.bind = inner_->socket().local_address().with_port(0);
  options.receive_buffer_bytes = kBuffer;
  options.send_buffer_bytes = kBuffer;
  for (std::size_t left = most_sockets(count); left > 0; --left) {
    auto socket = Socket::open(options);
    if (!socket) break;
    // Each opener dies on its way, and a router says so.
    socket->disable_kernel_reports();
    const std::uint16_t number = socket->local_address().port();
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.u32 = number;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket->descriptor(), &wanted) != 0) break;
    opened.push_back(socket->local_address());
    ports_[number].socket.emplace(*std::move(socket));
  }
  waking_.store(ports_.empty() ? nullptr : loop_.get());
  if (ports_.empty()) inner_->connect_busy_peers(may_connect_);
  return opened;
}

void FurtherPorts::keep(std::span<const std::uint16_t> ports) {
  std::erase_if(ports_, [&](const auto& each) { return !std::ranges::binary_search(ports, each.first); });
  if (!ports_.empty()) return;
  waking_.store(nullptr);
  inner_->connect_busy_peers(may_connect_);
}

FurtherPorts::Port* FurtherPorts::at(const SocketAddress& local) {
  const auto found = ports_.find(local.port());
  return found == ports_.end() ? nullptr : &found->second;
}

// Null when the system has nothing left for it.
Backend* FurtherPorts::use(Port& port) {
  if (port.backend == nullptr && port.socket) {
    auto backend = make_backend(BackendKind::kAuto, *std::exchange(port.socket, std::nullopt),
                                {.receive_batches = kReceiveBatches});
    if (backend) port.backend = *std::move(backend);
  }
  return port.backend.get();
}

// Runs of one socket; the first that blocks ends the call.
std::size_t FurtherPorts::send(std::span<const DatagramBatch> batches) {
  if (ports_.empty()) return inner_->send(batches);
  std::size_t taken = 0;
  while (taken < batches.size()) {
    Port* const port = at(batches[taken].local);
    std::size_t end = taken + 1;
    while (end < batches.size() && at(batches[end].local) == port) ++end;
    const auto run = batches.subspan(taken, end - taken);
    const std::size_t sent =
        port == nullptr ? inner_->send(run) : send_through(batches[taken].local.port(), *port, run);
    taken += sent;
    if (sent < run.size()) break;
  }
  return taken;
}

std::size_t FurtherPorts::send_through(std::uint16_t number, Port& port, std::span<const DatagramBatch> batches) {
  std::size_t taken = 0;
  for (DatagramBatch batch : batches) {
    // The wildcard address is none to send from.
    if (batch.local.is_wildcard()) batch.local = SocketAddress();
    if (batch.hop_limit > 0 && port.socket) {
      send_opener(*port.socket, batch);
    } else if (Backend* const backend = use(port)) {
      if (backend->send({&batch, 1}) == 0) break;
    }
    ++taken;
  }
  if (port.backend != nullptr) watch(number, port, port.backend->send_blocked());
  return taken;
}

void FurtherPorts::watch(std::uint16_t number, Port& port, bool for_room) {
  if (for_room == port.watched_for_room) return;
  epoll_event wanted{};
  wanted.events = for_room ? EPOLLIN | EPOLLOUT : EPOLLIN;
  wanted.data.u32 = number;
  if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, port.backend->socket().descriptor(), &wanted) == 0) {
    port.watched_for_room = for_room;
  }
}

bool FurtherPorts::send_blocked() const {
  return inner_->send_blocked() ||
         std::ranges::any_of(ports_, [](const auto& each) { return each.second.watched_for_room; });
}

std::size_t FurtherPorts::receive(ReceivedBatches& inbox) {
  inner_->receive(inbox);
  if (ports_.empty()) return inbox.batches().size();
  std::array<epoll_event, kEvents> events;
  const int ready = ::epoll_wait(epoll_, events.data(), kEvents, 0);
  for (int i = 0; i < ready; ++i) {
    const auto number = static_cast<std::uint16_t>(events[static_cast<std::size_t>(i)].data.u32);
    const auto found = ports_.find(number);
    if (found != ports_.end()) receive_from(number, found->second, inbox);
  }
  if (ready == kEvents) inbox.set_stopped_at_bound();
  return inbox.batches().size();
}

void FurtherPorts::receive_from(std::uint16_t number, Port& port, ReceivedBatches& inbox) {
  Backend* const backend = use(port);
  if (backend == nullptr) return;
  backend->receive(port.inbox);
  if (port.watched_for_room) {
    // What it has kept for want of room leaves first.
    static_cast<void>(backend->wait(Duration::zero()));
    watch(number, port, backend->send_blocked());
  }
  for (DatagramBatch batch : port.inbox.batches()) {
    batch.local = batch.local.with_port(number);
    inbox.add(batch);
  }
  if (port.inbox.stopped_at_bound()) inbox.set_stopped_at_bound();
}

// What wakes the inner back end alone, since wake() did not know of this one's loop yet, is seen before the sleep.
WaitOutcome FurtherPorts::wait(std::optional<Duration> timeout) {
  if (ports_.empty()) return inner_->wait(timeout);
  WaitOutcome outcome = inner_->wait(Duration::zero());
  if (outcome.readable || outcome.writable || outcome.woken) return outcome;
  loop_->end_turn(*this);
  pollfd entry{loop_->descriptor(), POLLIN, 0};
  const timespec limit = to_timespec(timeout.value_or(Duration::zero()));
  const int found = ::ppoll(&entry, 1, timeout ? &limit : nullptr, nullptr);
  loop_->begin_turn();
  outcome = inner_->wait(Duration::zero());
  outcome.readable = outcome.readable || found > 0;
  return outcome;
}

void FurtherPorts::wake() noexcept {
  inner_->wake();
  if (ForeignLoop* const loop = waking_.load()) loop->wake();
}

std::optional<PathReport> FurtherPorts::poll_path_report() {
  if (auto report = inner_->poll_path_report()) return report;
  for (auto& [number, port] : ports_) {
    if (port.backend == nullptr) continue;
    if (auto report = port.backend->poll_path_report()) return report;
  }
  return std::nullopt;
}

}  // namespace godwit
