// The same echo in a loop of one's own: godwit::v1::Endpoint does no I/O and reads no clock, so that it fits any
// program that has a socket and poll(). One datagram a system call; a loop in a hurry uses UDP_SEGMENT and UDP_GRO,
// whose buffers are what `Transmit` and receive() already speak.
//
//   poll_loop                        prints its address and public key, and listens
//   poll_loop ADDR:PORT KEY MESSAGE  connects
#include <arpa/inet.h>
#include <godwit/godwit.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace gw = godwit::v1;

namespace {

gw::Duration now() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

// This program speaks IPv4.
sockaddr_in to_kernel(const gw::Address& address) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(address.port);
  std::memcpy(&result.sin_addr, address.octets.data(), 4);
  return result;
}

gw::Address from_kernel(const sockaddr_in& address) {
  gw::Address result{.port = ntohs(address.sin_port)};
  std::memcpy(result.octets.data(), &address.sin_addr, 4);
  return result;
}

int open_socket(sockaddr_in& local) {
  const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  local = to_kernel(*gw::Address::parse("127.0.0.1:0"));
  socklen_t size = sizeof local;
  if (bind(descriptor, reinterpret_cast<sockaddr*>(&local), size) != 0) return -1;
  getsockname(descriptor, reinterpret_cast<sockaddr*>(&local), &size);
  return descriptor;
}

// Everything that is due, one segment a call. What the socket does not take is lost, and sent again by the endpoint.
void transmit(gw::Endpoint& endpoint, int descriptor) {
  while (const gw::Transmit* batch = endpoint.poll_transmit(now())) {
    const sockaddr_in to = to_kernel(batch->remote);
    for (std::size_t at = 0; at < batch->bytes.size(); at += batch->segment_size) {
      const gw::ByteView segment = batch->bytes.subspan(at, std::min(batch->segment_size, batch->bytes.size() - at));
      (void)sendto(descriptor, segment.data(), segment.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
  }
}

int fail(std::string_view why) {
  std::fprintf(stderr, "poll_loop: %.*s\n", static_cast<int>(why.size()), why.data());
  return 1;
}

}  // namespace

int main(int count, char** words) {
  const bool connects = count == 4;
  sockaddr_in local{};
  const int descriptor = open_socket(local);
  const auto key = gw::SecretKey::generate();
  if (descriptor < 0 || !key) return fail("no socket, or no randomness");
  gw::Options options;
  const auto made = gw::Endpoint::make(options, *key);
  if (!made) return fail(made.error().message);
  gw::Endpoint& endpoint = **made;
  if (connects) {
    const auto address = gw::Address::parse(words[1]);
    if (!address) return fail("not an address");
    if (const auto started = endpoint.connect(now(), *address, words[2]); !started)
      return fail(started.error().message);
  } else {
    std::printf("listening on %s\npublic key %s\n", from_kernel(local).to_string().c_str(), key->public_key().c_str());
    std::fflush(stdout);
  }

  std::array<std::uint8_t, 2048> buffer;
  while (true) {
    // Events first, for their bytes die with the next input; they may lead to something to transmit.
    bool ended = false;
    while (const gw::Event* event = endpoint.poll_event()) {
      if (event->kind == gw::Event::Kind::kConnected && connects) {
        const std::string_view text = words[3];
        (void)endpoint.send(now(), event->connection, {text.begin(), text.end()});
      } else if (event->kind == gw::Event::Kind::kMessage && !connects) {
        (void)endpoint.send(now(), event->connection, {event->bytes.begin(), event->bytes.end()});
      } else if (event->kind == gw::Event::Kind::kMessage) {
        std::printf("%.*s\n", static_cast<int>(event->bytes.size()),
                    reinterpret_cast<const char*>(event->bytes.data()));
        endpoint.close(now(), event->connection, "thank you");
      } else if (event->kind == gw::Event::Kind::kClosed && connects) {
        ended = true;
        if (event->text != "thank you") return fail(event->text);
      }
    }
    transmit(endpoint, descriptor);
    if (ended) return close(descriptor);

    int wait = -1;
    if (const auto deadline = endpoint.next_timeout()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - now());
      wait = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    }
    pollfd socket{.fd = descriptor, .events = POLLIN, .revents = 0};
    poll(&socket, 1, wait);
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t bytes =
        recvfrom(descriptor, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (bytes > 0) {
      const auto length = static_cast<std::size_t>(bytes);
      endpoint.receive(now(), from_kernel(from), gw::MutableBytes(buffer).first(length), length);
    }
    if (const auto deadline = endpoint.next_timeout(); deadline && *deadline <= now()) endpoint.handle_timeout(now());
  }
}
