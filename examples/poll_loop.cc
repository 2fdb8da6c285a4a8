// The core without Godwit's loop: an Endpoint is a value that is fed datagrams and the time, here by a plain poll(2)
// loop with plain sockets. Two of them talk to each other in one process: one asks, the other answers.

#include <arpa/inet.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string>

#include "transport/endpoint.h"

using namespace godwit;

namespace {

class KernelRandom final : public RandomSource {
 public:
  void fill(MutableBytes bytes) override {
    while (!bytes.empty()) {
      const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
      if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
  }
};

Instant read_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

sockaddr_in to_kernel(const SocketAddress& address) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(address.port());
  std::memcpy(&result.sin_addr, address.octets().data(), 4);
  return result;
}

SocketAddress from_kernel(const sockaddr_in& address) {
  std::array<std::uint8_t, 4> octets{};
  std::memcpy(octets.data(), &address.sin_addr, 4);
  return SocketAddress::ipv4(octets, ntohs(address.sin_port));
}

// One endpoint with one socket, and the four things a driver does: receive, time, events, transmit.
class Peer {
 public:
  explicit Peer(RandomSource& random)
      : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
        endpoint_({}, *KeyPair::generate(random), random) {
    sockaddr_in name = to_kernel(*SocketAddress::parse("127.0.0.1:0"));
    socklen_t size = sizeof name;
    if (::bind(descriptor_, reinterpret_cast<sockaddr*>(&name), size) != 0) std::perror("bind");
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&name), &size);
    address_ = from_kernel(name);
  }
  ~Peer() { ::close(descriptor_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void receive(Instant now) {
    std::array<std::uint8_t, 1500> datagram;
    sockaddr_in from{};
    socklen_t size = sizeof from;
    while (true) {
      const ssize_t bytes =
          ::recvfrom(descriptor_, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (bytes < 0) return;
      const MutableBytes view = MutableBytes(datagram).first(static_cast<std::size_t>(bytes));
      endpoint_.receive(now, {.remote = from_kernel(from), .bytes = view, .segment_size = view.size()});
      handle_events(now);  // before the next input: their views point into the datagram
    }
  }
  void handle_timeout(Instant now) {
    if (const auto deadline = endpoint_.next_timeout(); deadline && *deadline <= now) endpoint_.handle_timeout(now);
    handle_events(now);
  }
  void transmit(Instant now) {
    buffer_.reset();
    while (const auto run = endpoint_.poll_transmit(now, buffer_)) {
      const sockaddr_in to = to_kernel(run->remote);
      for (std::size_t i = 0; i < run->segment_count(); ++i) {
        const MutableBytes segment = run->segment(i);
        // A datagram that the kernel does not take is a lost datagram.
        static_cast<void>(::sendto(descriptor_, segment.data(), segment.size(), 0,
                                   reinterpret_cast<const sockaddr*>(&to), sizeof to));
      }
    }
  }

  void ask(Instant now, const Peer& peer, std::string question) {
    question_ = std::move(question);
    if (!endpoint_.connect(now, peer.address_, peer.endpoint_.public_key())) std::fprintf(stderr, "cannot dial\n");
  }
  void close(Instant now) { endpoint_.close_all(now, "bye"); }
  [[nodiscard]] const std::string& answer() const { return answer_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::optional<Instant> next_timeout() const { return endpoint_.next_timeout(); }

 private:
  void handle_events(Instant now) {
    while (EndpointEvent* const event = endpoint_.poll_event()) {
      const ConnectionId connection = event->connection;
      if (std::holds_alternative<Connected>(event->event) && !question_.empty()) {
        send(now, connection, question_);
      } else if (const auto* message = std::get_if<MessageReceived>(&event->event)) {
        const std::string text(message->payload.begin(), message->payload.end());
        if (question_.empty())
          send(now, connection, "you said: " + text);
        else
          answer_ = text;
      }
    }
  }
  void send(Instant now, ConnectionId connection, const std::string& text) {
    static_cast<void>(endpoint_.send(now, connection, Body::owned({text.begin(), text.end()})));
  }

  int descriptor_;
  SocketAddress address_;
  Endpoint endpoint_;
  TransmitBuffer buffer_;
  std::string question_;
  std::string answer_;
};

}  // namespace

int main() {
  KernelRandom random;
  Peer asking(random);
  Peer answering(random);
  std::array<Peer*, 2> peers = {&asking, &answering};
  const Instant give_up = read_clock() + 10s;
  asking.ask(read_clock(), answering, "hello");
  while (asking.answer().empty() && read_clock() < give_up) {
    std::array<pollfd, 2> descriptors{};
    Instant wake = give_up;
    for (std::size_t i = 0; i < peers.size(); ++i) {
      const Instant now = read_clock();
      peers[i]->receive(now);
      peers[i]->handle_timeout(now);
      peers[i]->transmit(now);
      wake = std::min(wake, peers[i]->next_timeout().value_or(give_up));
      descriptors[i] = {.fd = peers[i]->descriptor(), .events = POLLIN, .revents = 0};
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(wake - read_clock(), Duration::zero()));
    ::poll(descriptors.data(), descriptors.size(), static_cast<int>(wait.count()));
  }
  asking.close(read_clock());
  asking.transmit(read_clock());
  std::printf("%s\n", asking.answer().c_str());
  return asking.answer() == "you said: hello" ? 0 : 1;
}
