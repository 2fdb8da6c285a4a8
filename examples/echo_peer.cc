// A whole peer in about 40 lines: an encrypted echo.
//
//   echo_peer                              listens, prints its address and public key, answers messages
//   echo_peer ADDR:PORT PUBLIC_KEY TEXT    sends TEXT and prints the answer

#include <cstdio>
#include <string>

#include "runtime/node.h"

using namespace godwit;

class Echo final : public Node::Handler {
 public:
  explicit Echo(std::string text) : text_(std::move(text)) {}

  void on_event(Node& node, ConnectionId connection, Event& event) override {
    if (std::holds_alternative<Connected>(event) && !text_.empty()) {
      static_cast<void>(node.send(connection, Body::owned({text_.begin(), text_.end()})));
    } else if (const auto* message = std::get_if<MessageReceived>(&event)) {
      const std::string text(message->payload.begin(), message->payload.end());
      std::printf("%s\n", text.c_str());
      if (!text_.empty()) return node.stop();
      static_cast<void>(node.send(connection, Body::owned({text.begin(), text.end()})));
    } else if (const auto* closed = std::get_if<Closed>(&event); closed != nullptr && !text_.empty()) {
      std::fprintf(stderr, "%s\n", closed->text.c_str());
      node.stop();
    }
  }

 private:
  std::string text_;  // empty: the listening side
};

int main(int count, char** arguments) {
  const bool dials = count == 4;
  NodeConfig config;
  config.socket.bind = *SocketAddress::parse("127.0.0.1:0");
  SystemRandom random;
  auto node = Node::open(config, *KeyPair::generate(random));
  if (!node) return std::fprintf(stderr, "%s\n", node.error().message.c_str()), 1;
  Echo echo(dials ? arguments[3] : "");
  if (dials) {
    const auto address = SocketAddress::parse(arguments[1]);
    const auto key = PublicKey::from_hex(arguments[2]);
    if (!address || !key || !(*node)->connect(*address, *key)) return std::fprintf(stderr, "bad peer\n"), 2;
  } else {
    std::printf("%s %s\n", (*node)->local_address().to_string().c_str(),
                (*node)->endpoint().public_key().to_hex().c_str());
    std::fflush(stdout);
  }
  (*node)->run(echo);
  (*node)->endpoint().close_all((*node)->now(), "bye");
  (*node)->turn(echo, 0ms);
}
