// One short message from one Node to another in one thread, for message_path_test.py, which follows it from function to
// function with a debugger. What comes before begin_message() is not followed.

#include <godwit/godwit.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace gw = godwit::v1;

extern "C" {
[[gnu::noinline]] void begin_message() {
  asm volatile("");
}
[[gnu::noinline]] void end_message() {
  asm volatile("");
}
}

namespace {

std::unique_ptr<gw::Node> open_node() {
  const auto key = gw::SecretKey::generate();
  auto node = gw::Node::open({.bind = "127.0.0.1:0", .idle = "block"}, *key);
  return node ? std::move(*node) : nullptr;
}

}  // namespace

int main() {
  const auto sender = open_node();
  const auto receiver = open_node();
  if (!sender || !receiver) return 2;
  bool connected = false;
  bool arrived = false;
  bool acknowledged = false;
  const auto on_sender = [&](gw::Node&, const gw::Event& event) {
    connected = connected || event.kind == gw::Event::Kind::kConnected;
    acknowledged = acknowledged || event.kind == gw::Event::Kind::kAcknowledged;
  };
  const auto on_receiver = [&](gw::Node&, const gw::Event& event) {
    arrived = arrived || event.kind == gw::Event::Kind::kMessage;
  };
  const auto connection = sender->connect(receiver->local_address(), receiver->public_key());
  if (!connection) return 2;
  const auto until = [&](const bool& done) {
    constexpr int kMostTurns = 100'000;
    for (int i = 0; i < kMostTurns && !done; ++i) {
      sender->turn(on_sender, gw::Duration{});
      receiver->turn(on_receiver, gw::Duration{});
    }
    return done;
  };
  if (!until(connected)) return 3;
  // The handshake's last packets and the first pings would travel with the message.
  constexpr int kQuietTurns = 200;
  const auto moved = [&] {
    return sender->statistics(*connection)->packets_sent + sender->statistics()->datagrams_received;
  };
  for (int quiet = 0; quiet < kQuietTurns; ++quiet) {
    const std::uint64_t before = moved();
    sender->turn(on_sender, std::chrono::milliseconds(1));
    receiver->turn(on_receiver, std::chrono::milliseconds(1));
    if (moved() != before) quiet = 0;
  }
  begin_message();
  if (!sender->send(*connection, std::vector<std::uint8_t>(100, 7))) return 4;
  if (!until(arrived) || !until(acknowledged)) return 5;
  end_message();
  std::puts("one message");
  return 0;
}
