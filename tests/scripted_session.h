// One endpoint under test and one scripted peer in virtual time without delay: the fixture of the conformance tests.
// What the endpoint sends is opened as it comes and kept in `heard`; the test says the peer's lines.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/extended_setting.h"
#include "tests/scripted_peer.h"
#include "transport/connection.h"
#include "transport/memory_network_test_support.h"

namespace godwit::testing {

inline const SocketAddress kEndpointAddress = SocketAddress::ipv4({203, 0, 113, 9}, 31337);
inline const SocketAddress kPeerAddress = SocketAddress::ipv4({192, 0, 2, 7}, 31337);

inline Bytes pattern(std::size_t size, std::uint32_t salt = 0) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>((i + salt) * 2654435761U >> 13);
  return bytes;
}

class ScriptedSession {
 public:
  explicit ScriptedSession(const Config& config = {}, const wire::VersionBytes& version = wire::kAnnouncedVersion,
                           std::uint64_t seed = 1)
      : peer(kEndpointAddress, seed + 100, version), network(seed) {
    Config with_setting = config;
    with_setting.handshake.extended = extended_setting();
    host_ = &network.add(kEndpointAddress, with_setting);
    host_->on_event = [this](Instant, ConnectionId id, Event& event) { take(id, event); };
    network.split = true;
    network.delay = Duration::zero();
    network.on_path = [this](const test::Flight& flight) {
      if (flight.from == kEndpointAddress) hear(flight.bytes);
      return flight.from != kEndpointAddress;
    };
  }

  [[nodiscard]] Endpoint& endpoint() { return *host_->endpoint; }
  [[nodiscard]] test::MemoryNetwork::Node& host() const { return *host_; }
  [[nodiscard]] RandomSource& random() { return network.random; }
  [[nodiscard]] Instant now() const { return network.now; }

  // --- The endpoint's input ---
  void deliver(Bytes datagram, const SocketAddress& from = kPeerAddress) {
    network.inject(from, kEndpointAddress, std::move(datagram));
    network.settle();
  }
  void say(std::uint32_t id, const wire::Message& message, std::span<const std::uint32_t> acks = {}) {
    deliver(peer.seal(id, message, acks));
  }
  void say_text(std::uint32_t id, std::string_view text) { say(id, wire::ShortMessage{as_bytes(text)}); }
  void fragment(std::uint32_t id, std::uint32_t stream, std::uint64_t total, std::uint32_t number, ByteView payload,
                std::optional<ByteView> metadata = std::nullopt) {
    say(id,
        wire::StreamFragment{
            .stream_id = stream, .total_length = total, .number = number, .payload = payload, .metadata = metadata});
  }

  // --- Time ---
  // Runs the endpoint's timers for `time`; the peer answers pings if `answer_pings`.
  void run(Duration time) { network.run(time); }

  // --- Sessions ---
  // The peer connects and is answered; its completion ack and first Pong establish the session.
  [[nodiscard]] bool accept_peer() {
    deliver(peer.intro(host_->key()));
    if (!take_success_ack()) return false;
    say(0, peer.success_ack(false));
    return has_event<Connected>();
  }
  // The endpoint connects, the peer answers as an acceptor.
  [[nodiscard]] bool connect_to_peer(bool with_version = true) {
    const auto started = endpoint().connect(now(), kPeerAddress, peer.public_key());
    if (!started) return false;
    connection = *started;
    network.settle();
    if (!take_endpoint_intro()) return false;
    establishing_ack = peer.seal(0, peer.success_ack(with_version));
    deliver(establishing_ack);
    return has_event<Connected>();
  }
  // Finds the success ack among what the endpoint sent and takes its key.
  [[nodiscard]] bool take_success_ack() {
    for (const Heard& packet : heard) {
      if (const auto* ack = packet.as<wire::AckOk>()) {
        peer.send_with(ack->key);
        return true;
      }
    }
    return false;
  }
  [[nodiscard]] bool take_endpoint_intro() {
    for (const Bytes& datagram : others) {
      if (peer.take_intro(datagram)) return true;
    }
    return false;
  }

  // --- What came out ---
  template <typename T>
  [[nodiscard]] std::size_t count_heard(std::size_t from = 0) const {
    return static_cast<std::size_t>(
        std::count_if(heard.begin() + static_cast<std::ptrdiff_t>(std::min(from, heard.size())), heard.end(),
                      [](const Heard& packet) { return packet.is<T>(); }));
  }
  template <typename T>
  [[nodiscard]] const Heard* last_heard() const {
    const Heard* found = nullptr;
    for (const Heard& packet : heard) {
      if (packet.is<T>()) found = &packet;
    }
    return found;
  }
  // How often a packet id was acknowledged since packet number `from`.
  [[nodiscard]] std::size_t acks_of(std::uint32_t id, std::size_t from = 0) const {
    std::size_t count = 0;
    for (std::size_t i = from; i < heard.size(); ++i) {
      for (const std::uint32_t ack : heard[i].packet.acks) count += ack == id ? 1 : 0;
    }
    return count;
  }
  template <typename T>
  [[nodiscard]] std::size_t count_events() const {
    return static_cast<std::size_t>(std::count_if(events.begin(), events.end(),
                                                  [](const Event& event) { return std::holds_alternative<T>(event); }));
  }
  template <typename T>
  [[nodiscard]] bool has_event() const {
    return count_events<T>() > 0;
  }
  template <typename T>
  [[nodiscard]] const T* last_event() const {
    const T* found = nullptr;
    for (const Event& event : events) {
      if (const T* held = std::get_if<T>(&event)) found = held;
    }
    return found;
  }
  [[nodiscard]] ConnectionStatistics statistics() const { return *host_->endpoint->statistics(connection); }
  [[nodiscard]] bool open() const {
    return host_->endpoint->statistics(connection).has_value() && !has_event<Closed>();
  }

  ScriptedPeer peer;
  bool answer_pings = true;
  std::uint32_t next_answer_id = 1'000'000;  // ids of automatic Pongs: far from those of the test
  ConnectionId connection = 0;
  Bytes establishing_ack;
  std::vector<Heard> heard;           // packets that opened and decoded under the peer's own key
  std::vector<Bytes> others;          // everything else the endpoint sent: intros, packets under other keys
  std::vector<Event> events;          // views in MessageReceived and StreamChunk are stale: see `messages`, `chunks`
  std::vector<std::string> messages;  // short ones
  Bytes chunks;                       // of streams, in the order they came
  std::size_t datagrams = 0;
  std::size_t longest = 0;

  test::MemoryNetwork network;

 private:
  void take(ConnectionId id, Event& event) {
    if (const auto* message = std::get_if<MessageReceived>(&event)) {
      messages.emplace_back(message->payload.begin(), message->payload.end());
    } else if (const auto* chunk = std::get_if<StreamChunk>(&event)) {
      chunks.insert(chunks.end(), chunk->bytes.begin(), chunk->bytes.end());
    } else if (std::holds_alternative<Connected>(event)) {
      connection = id;
    }
    events.push_back(std::move(event));
  }

  void hear(MutableBytes datagram) {
    ++datagrams;
    longest = std::max(longest, datagram.size());
    auto opened = peer.open(now(), datagram);
    if (!opened) {
      others.emplace_back(datagram.begin(), datagram.end());
      return;
    }
    if (const auto* ping = opened->as<wire::Ping>(); ping != nullptr && answer_pings) {
      network.post(kPeerAddress, kEndpointAddress, peer.seal(next_answer_id++, wire::Pong{ping->sequence}));
    }
    heard.push_back(std::move(*opened));
  }

  test::MemoryNetwork::Node* host_ = nullptr;
};

}  // namespace godwit::testing
