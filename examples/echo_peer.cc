// A peer in forty lines: sends every message back, or connects to such a peer and prints what comes back.
//
//   echo_peer                        prints its address and public key, and listens
//   echo_peer ADDR:PORT KEY MESSAGE  connects
#include <godwit/godwit.h>

#include <cstdio>
#include <string_view>

namespace gw = godwit::v1;

int fail(std::string_view why) {
  std::fprintf(stderr, "echo_peer: %.*s\n", static_cast<int>(why.size()), why.data());
  return 1;
}

int main(int count, char** words) {
  const bool connects = count == 4;
  const auto key = gw::SecretKey::generate();
  if (!key) return fail(key.error().message);
  gw::NodeOptions options;
  options.bind = "127.0.0.1:0";
  const auto node = gw::Node::open(options, *key);
  if (!node) return fail(node.error().message);
  if (!connects)
    std::printf("listening on %s\npublic key %s\n", (*node)->local_address().c_str(), key->public_key().c_str());
  std::fflush(stdout);
  if (connects) {
    const auto started = (*node)->connect(words[1], words[2]);
    if (!started) return fail(started.error().message);
  }
  int result = 0;
  (*node)->run([&](gw::Node& self, const gw::Event& event) {
    if (event.kind == gw::Event::Kind::kConnected && connects) {
      const std::string_view text = words[3];
      (void)self.send(event.connection, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    } else if (event.kind == gw::Event::Kind::kMessage && !connects) {
      (void)self.send(event.connection, event.bytes);
    } else if (event.kind == gw::Event::Kind::kMessage) {
      std::printf("%.*s\n", static_cast<int>(event.bytes.size()), reinterpret_cast<const char*>(event.bytes.data()));
      self.close(event.connection, "thank you");
    } else if (event.kind == gw::Event::Kind::kClosed && connects) {
      if (event.text != "thank you") result = fail(event.text);
      self.stop();
    }
  });
  return result;
}
