// Two people talk: each line typed here appears there. One thread waits for the keyboard and for the network in one
// poll(), with Node::descriptor() and next_timeout() as its hooks.
//
//   chat                prints its address and public key, and waits for a peer
//   chat ADDR:PORT KEY  connects; NAME:PORT works too
#include <godwit/godwit.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

namespace gw = godwit::v1;
using namespace std::chrono_literals;

namespace {

int fail(const std::string& why) {
  std::fprintf(stderr, "chat: %s\n", why.c_str());
  return 1;
}

// Milliseconds for poll(): rounded up, so that the loop does not wake just before the time.
int wait_for(const gw::Node& node) {
  const auto left = node.next_timeout();
  if (!left) return -1;
  return static_cast<int>(std::min<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(*left).count(), 60'000));
}

struct Keyboard {
  bool open = true;
  std::string typed;  // an unfinished line

  void read_lines(gw::Node& node, gw::ConnectionId peer) {
    std::array<char, 4096> buffer;
    const ssize_t bytes = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (bytes <= 0) {
      open = false;
      (void)node.close_when_sent(peer, 5s, "good bye");
      return;
    }
    typed.append(buffer.data(), static_cast<std::size_t>(bytes));
    for (std::size_t end = typed.find('\n'); end != std::string::npos; end = typed.find('\n')) {
      const auto sent = node.send(peer, {reinterpret_cast<const std::uint8_t*>(typed.data()), end});
      if (!sent) std::printf("* not sent: %s\n", sent.error().message.c_str());
      typed.erase(0, end + 1);
    }
  }
};

}  // namespace

int main(int count, char** words) {
  if (count != 1 && count != 3) return fail("usage: chat [ADDR:PORT KEY]");
  const auto key = gw::SecretKey::generate();
  if (!key) return fail(key.error().message);
  gw::NodeOptions options;
  options.bind = count == 1 ? "127.0.0.1:0" : "[::]:0";
  auto opened = gw::Node::open(options, *key);
  if (!opened) return fail(opened.error().message);
  gw::Node& node = **opened;

  gw::ConnectionId peer = 0;
  bool ended = false;
  int result = 0;
  if (count == 3) {
    const auto addresses = gw::resolve(words[1]);
    if (!addresses) return fail(addresses.error().message);
    const auto begun = node.connect(*addresses, words[2], [&](gw::Node&, gw::Result<gw::ConnectionId> connection) {
      if (connection) return;
      result = fail(connection.error().message);
      ended = true;
    });
    if (!begun) return fail(begun.error().message);
  } else {
    std::printf("listening on %s\npublic key %s\n", node.local_address().c_str(), key->public_key().c_str());
    std::fflush(stdout);
  }

  const gw::Node::Handler on_event = [&](gw::Node& self, const gw::Event& event) {
    if (event.kind == gw::Event::Kind::kConnected) {
      if (peer != 0) return self.close(event.connection, "busy");
      peer = event.connection;
      std::printf("* connected with %s\n", event.remote.c_str());
    } else if (event.connection != peer) {
      return;
    } else if (event.kind == gw::Event::Kind::kMessage) {
      std::printf("> %.*s\n", static_cast<int>(event.bytes.size()), reinterpret_cast<const char*>(event.bytes.data()));
    } else if (event.kind == gw::Event::Kind::kSuspect) {
      std::printf("* nothing heard for %.1f s\n", std::chrono::duration<double>(event.silent_for).count());
    } else if (event.kind == gw::Event::Kind::kClosed) {
      std::printf("* %s\n", event.text.c_str());
      ended = true;
    }
    std::fflush(stdout);
  };

  Keyboard keyboard;
  while (!ended) {
    node.turn(on_event, 0ns);
    if (ended) break;
    // The keyboard waits until there is somebody to talk to.
    std::array<pollfd, 2> inputs{
        {{.fd = node.descriptor(), .events = POLLIN, .revents = 0},
         {.fd = keyboard.open && peer != 0 ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}}};
    poll(inputs.data(), inputs.size(), wait_for(node));
    if (inputs[1].revents != 0) keyboard.read_lines(node, peer);
  }
  node.shut_down(on_event, 1s);
  return result;
}
