// Two endpoints in virtual time over a wire that the input rules: each datagram is delivered, lost, doubled, damaged,
// cut, held back or followed by junk. In the second half of the inputs one side is a scripted peer that seals any
// plaintext at all. Messages arrive at most once and intact, connections and timers stay bounded, nothing aborts.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>

#include "base/assert.h"
#include "tests/scripted_session.h"

namespace {

using namespace godwit;
using testing::Bytes;

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  [[nodiscard]] bool empty() const { return at_ == size_; }
  std::uint8_t next() { return empty() ? 0 : data_[at_++]; }
  ByteView take(std::size_t count) {
    count = std::min(count, size_ - at_);
    at_ += count;
    return {data_ + at_ - count, count};
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

SocketAddress address(std::size_t side) {
  return SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(side + 1)}, 7);
}

void two_endpoints(Input input) {
  DeterministicRandom random(1);
  Config config;
  config.streams.memory = {.reorder_bytes = 1 << 20, .buffer_bytes = 1 << 20};
  std::array<KeyPair, 2> keys{*KeyPair::generate(random), *KeyPair::generate(random)};
  const std::array<PublicKey, 2> names{keys[0].public_key(), keys[1].public_key()};
  std::array<std::unique_ptr<Endpoint>, 2> ends;
  for (std::size_t side = 0; side < 2; ++side)
    ends[side] = std::make_unique<Endpoint>(config, std::move(keys[side]), random);
  Instant now{1h};
  TransmitBuffer buffer;
  std::deque<std::pair<std::size_t, Bytes>> wire;  // to whom
  std::array<std::set<std::uint32_t>, 2> received;
  std::uint32_t number = 0;
  static_cast<void>(ends[0]->connect(now, address(1), names[1]));
  // Views in events die with the datagram: called while it lives.
  const auto collect = [&](std::size_t side) {
    while (EndpointEvent* event = ends[side]->poll_event()) {
      ByteView message;
      if (const auto* got = std::get_if<MessageReceived>(&event->event)) message = got->payload;
      if (const auto* got = std::get_if<StreamMessage>(&event->event)) message = got->payload;
      if (message.empty()) continue;
      // Intact, and once: a message is its number and a pattern that follows from it.
      GODWIT_ASSERT(message.size() >= 4);
      const auto its = load_le<std::uint32_t>(message.data());
      GODWIT_ASSERT(received[side].insert(its).second);
      const Bytes expected = testing::pattern(message.size(), its);
      GODWIT_ASSERT(std::equal(message.begin() + 4, message.end(), expected.begin() + 4));
    }
  };
  for (int step = 0; step < 400 && !input.empty(); ++step) {
    for (std::size_t side = 0; side < 2; ++side) {
      collect(side);
      while (true) {
        buffer.reset();
        const auto run = ends[side]->poll_transmit(now, buffer);
        if (!run) break;
        for (std::size_t i = 0; i < run->segment_count() && wire.size() < 200; ++i) {
          const MutableBytes segment = run->segment(i);
          wire.emplace_back(1 - side, Bytes(segment.begin(), segment.end()));
        }
      }
      GODWIT_ASSERT(ends[side]->connection_count() <= 2);
    }
    const std::uint8_t op = input.next();
    const std::size_t side = op >> 7;
    if ((op & 0x70) == 0x70) {  // the application
      const auto open = ends[side]->connections();
      if (open.empty() || (op & 15) == 15) {
        static_cast<void>(ends[side]->connect(now, address(1 - side), names[1 - side]));
      } else if ((op & 15) == 14) {
        ends[side]->close(now, open[0], "fuzz");
      } else {
        Bytes message = testing::pattern(4 + std::size_t{input.next()} * ((op & 8) ? 40 : 4), number);
        store_le(message.data(), number++);
        static_cast<void>(ends[side]->send(now, open[0], Body::owned(std::move(message))));
      }
      continue;
    }
    if (wire.empty() || (op & 15) == 15) {  // time
      Instant next = now + Duration{1ms} * (1 + input.next());
      for (const auto& end : ends) next = std::min(next, std::max(now, end->next_timeout().value_or(next)));
      now = std::max(next, now);
      for (const auto& end : ends) end->handle_timeout(now);
      continue;
    }
    auto [to, datagram] = std::move(wire.front());
    wire.pop_front();
    const auto deliver = [&, target = to](Bytes bytes) {
      ends[target]->receive(
          now, {.local = address(target), .remote = address(1 - target), .bytes = bytes, .segment_size = bytes.size()});
      collect(target);
    };
    switch (op & 15) {
      case 0: break;
      case 1:
        deliver(datagram);
        deliver(datagram);
        break;
      case 2:
        datagram[input.next() % datagram.size()] ^= static_cast<std::uint8_t>(1 + input.next() % 255);
        deliver(datagram);
        break;
      case 3:
        datagram.resize(input.next() % (datagram.size() + 1));
        deliver(datagram);
        break;
      case 4: wire.emplace_back(to, datagram); break;
      case 5: {
        const ByteView junk = input.take(40);
        deliver(Bytes(junk.begin(), junk.end()));
        deliver(datagram);
        break;
      }
      default: deliver(datagram); break;
    }
  }
}

void scripted_peer(Input input) {
  Config config;
  config.streams.memory = {.reorder_bytes = 1 << 20, .buffer_bytes = 1 << 20};
  const auto patch = static_cast<std::uint16_t>(122 + input.next() % 40);
  testing::ScriptedSession session(config, testing::release(patch));
  const bool dials = input.next() & 1;
  if (!(dials ? session.dial_peer() : session.accept_peer())) return;
  const Bytes body = testing::pattern(5000);
  while (!input.empty()) {
    const std::uint8_t op = input.next();
    if (op < 32) {
      session.run(Duration{50ms} * op);
    } else if (op < 48 && session.open()) {
      static_cast<void>(session.endpoint().send(session.now(), session.connection,
                                                Body::borrowed(ByteView(body).first(std::size_t{op} * 100))));
    } else {
      const ByteView plaintext = input.take(op);
      session.deliver(session.peer.seal_plaintext(plaintext));
    }
    GODWIT_ASSERT(session.endpoint().connection_count() <= 1);
    session.heard.clear();
    session.events.clear();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Input input(data + 1, size - 1);
  if (data[0] & 1) {
    two_endpoints(input);
  } else {
    scripted_peer(input);
  }
  return 0;
}
