// Endpoints and scripted peers joined in memory, in virtual time: what one of them transmits arrives at the other after
// a delay, unless whoever holds the network loses it, changes it or sends it elsewhere on its way. For tests, fuzz
// targets and benchmarks. It has no bandwidth, no queue and no checker: for those there is the simulator (sim/).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/assert.h"
#include "base/random.h"
#include "transport/endpoint.h"

namespace godwit::test {

// Equal-sized datagrams from one address to another, on their way: a batch as its sender made it, or one datagram of
// it.
struct Flight {
  Instant due{};  // when they arrive
  SocketAddress from;
  SocketAddress to;
  SocketAddress left_from;  // the local address that the sender asked for; unspecified: its socket's own
  MutableBytes bytes;       // during the call that is given the flight
  std::size_t segment_size = 0;
  std::uint8_t hop_limit = 0;  // 0: it passes any number of routers
  Ecn ecn = Ecn::kNone;
};

// How often each kind of event has happened at an endpoint, and the latest of each. Its views are stale.
class EventLog {
 public:
  template <typename T>
  [[nodiscard]] std::size_t count() const {
    return counts_[index_of<T>(std::type_identity<Event>{})];
  }
  // Null when there was none; until the next of its kind.
  template <typename T>
  [[nodiscard]] const T* last() const {
    const auto& found = latest_[index_of<T>(std::type_identity<Event>{})];
    return found ? &std::get<T>(*found) : nullptr;
  }
  // Of the latest Connected; 0 when there was none.
  [[nodiscard]] ConnectionId connected() const { return connected_; }

  void add(ConnectionId connection, Event&& event) {
    if (std::holds_alternative<Connected>(event)) connected_ = connection;
    const std::size_t kind = event.index();
    ++counts_[kind];
    latest_[kind] = std::move(event);
  }

 private:
  template <typename T, typename... All>
  static consteval std::size_t index_of(std::type_identity<std::variant<All...>>) {
    const std::array same{std::is_same_v<T, All>...};
    return static_cast<std::size_t>(std::ranges::find(same, true) - same.begin());
  }
  std::array<std::size_t, std::variant_size_v<Event>> counts_{};
  std::array<std::optional<Event>, std::variant_size_v<Event>> latest_;
  ConnectionId connected_ = 0;
};

// Everything happens in the thread that calls run(), settle(), pass() or inject(). Callbacks may use the endpoints and
// post(); those of the network's own calls that drive it are not for them, but that on_path may inject().
class MemoryNetwork {
 public:
  // One participant: an endpoint, or a peer that a test plays.
  struct Node {
    SocketAddress address;               // move() changes it
    std::unique_ptr<Endpoint> endpoint;  // null: a peer that a test plays, or a process that has gone
    // Called for every event of the endpoint, before it is logged; may take the event apart.
    std::function<void(Instant, ConnectionId, Event&)> on_event;
    // Called for every datagram that arrives where there is no endpoint, with the address it came from.
    std::function<void(Instant, const SocketAddress&, MutableBytes)> on_datagram;
    // The application's: called before its endpoint transmits, at the times of next_timeout among others.
    std::function<void(Instant)> on_turn;
    std::function<std::optional<Instant>()> next_timeout;

    EventLog events;
    std::uint64_t datagrams_sent = 0;  // lost ones too
    std::uint64_t wakes = 0;           // times that a timer of the endpoint was due

    Config config;
    std::optional<KeyPair> keys;
    trace::Sink* sink = nullptr;

    [[nodiscard]] const PublicKey& key() const { return keys->public_key(); }
    template <typename T>
    [[nodiscard]] std::size_t count() const {
      return events.count<T>();
    }
    template <typename T>
    [[nodiscard]] const T* last() const {
      return events.last<T>();
    }
  };

  // All keys and draws come from `seed`: equal calls give equal runs.
  explicit MemoryNetwork(std::uint64_t seed = 1) : random(seed) {}
  MemoryNetwork(const MemoryNetwork&) = delete;
  MemoryNetwork& operator=(const MemoryNetwork&) = delete;

  // --- Participants. They stay where they are until remove(), or the end of the network. ---
  Node& add(const SocketAddress& address, const Config& config = {}, trace::Sink* sink = nullptr) {
    Node& node = add_scripted(address);
    node.keys = *KeyPair::generate(random);
    node.config = config;
    node.sink = sink;
    restart(node);
    return node;
  }
  // A peer without an endpoint: what is sent to it comes to its on_datagram, and it speaks with post() and inject().
  Node& add_scripted(const SocketAddress& address) {
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->address = address;
    reach(*nodes_.back(), address);
    return *nodes_.back();
  }
  // The process has died: a new one has its keys and its address, and nothing else. To be called for a changed
  // `config`.
  void restart(Node& node) {
    node.endpoint =
        std::make_unique<Endpoint>(node.config, *KeyPair::from_secret(node.keys->secret().bytes()), random, node.sink);
  }
  // What is on its way to the former address is lost.
  void move(Node& node, const SocketAddress& address) {
    by_address_.erase(node.address);
    node.address = address;
    reach(node, address);
  }
  // A further address that the participant is reached at; it sends from its first one.
  void reach(Node& node, const SocketAddress& address) { by_address_[address] = &node; }
  void remove(const Node& node) {
    std::erase_if(by_address_, [&node](const auto& entry) { return entry.second == &node; });
    std::erase_if(nodes_, [&node](const auto& entry) { return entry.get() == &node; });
  }

  [[nodiscard]] ConnectionId connect(Node& from, const Node& to) {
    return *from.endpoint->connect(now, to.address, to.key());
  }

  // --- Time ---
  // Until `done`, or until `limit` of virtual time is over or nothing is left to happen before that; then `now` is the
  // end of it. Returns what `done` says.
  bool run(Duration limit, const std::function<bool()>& done) {
    const Instant end = now + limit;
    for (std::optional<Instant> timers_ran;; timers_ran = now) {
      settle();
      if (done()) return true;
      Instant next = next_instant();
      if (on_wait) next = on_wait(next);
      // A timer that stays due is no reason to stand still.
      if (next <= now && timers_ran == now && !arrives_now()) next = now + 1us;
      if (next > end) break;
      now = std::max(now, next);
      deliver_due();
      run_timers();
    }
    now = end;
    return done();
  }
  void run(Duration time) {
    run(time, [] { return false; });
  }
  // Time goes on at once: due timers run, and each participant has one turn. True when anything was sent.
  bool step(Duration time) {
    now += time;
    deliver_due();
    run_timers();
    return pass();
  }
  // Without time going on: everybody has turns until nothing arrives now.
  void settle() {
    for (bool more = true; more;) {
      deliver_due();
      const bool sent = pass();
      more = arrives_now() || (direct && sent);
    }
  }
  // One turn of each participant, in the order they were added: its events, its application, what it has to send.
  bool pass() {
    sent_ = false;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      Node& node = *nodes_[i];
      collect(node);
      if (node.on_turn) {
        node.on_turn(now);
        collect(node);
      }
      transmit(node);
    }
    return sent_;
  }
  // The part of that which sends.
  void transmit(Node& node) {
    if (!node.endpoint) return;
    for (;;) {
      buffer_.reset();
      const auto batch = node.endpoint->poll_transmit(now, buffer_);
      if (!batch) break;
      node.datagrams_sent += batch->segment_count();
      send({.due = now + delay,
            .from = node.address,
            .to = batch->remote,
            .left_from = batch->local,
            .bytes = batch->bytes,
            .segment_size = batch->segment_size,
            .hop_limit = batch->hop_limit,
            .ecn = batch->ecn});
    }
    collect(node);
  }
  // The part of that which takes events.
  void collect(Node& node) {
    while (EndpointEvent* const event = node.endpoint ? node.endpoint->poll_event() : nullptr) {
      if (node.on_event) node.on_event(now, event->connection, event->event);
      node.events.add(event->connection, std::move(event->event));
    }
  }

  // --- What a test sends itself ---
  // Sent now from any address: it takes the way of everything else.
  void post(const SocketAddress& from, const SocketAddress& to, std::vector<std::uint8_t> datagram) {
    const std::size_t size = datagram.size();
    send({.due = now + delay, .from = from, .to = to, .left_from = {}, .bytes = datagram, .segment_size = size});
  }
  // Arrives now, from any address; several of one size, the last perhaps shorter, arrive together.
  void inject(const SocketAddress& from, const SocketAddress& to, std::vector<std::uint8_t> bytes,
              std::size_t segment_size) {
    deliver({.due = now, .from = from, .to = to, .left_from = {}, .bytes = bytes, .segment_size = segment_size});
  }
  void inject(const SocketAddress& from, const SocketAddress& to, std::vector<std::uint8_t> datagram) {
    const std::size_t size = datagram.size();
    inject(from, to, std::move(datagram), size);
  }

  // Memory for that many flights of so many bytes is there from now on: then the network allocates nothing.
  void reserve(std::size_t flights, std::size_t bytes) {
    while (ring_.size() < flights) grow();
    spare_.resize(flights);
    for (auto& memory : spare_) memory.reserve(bytes);
  }

  DeterministicRandom random;
  Instant now{1h};
  Duration delay = 5ms;
  double loss = 0;     // of each datagram, by a draw
  bool split = false;  // batches travel as single datagrams; where there is a loss they do anyway
  // Datagrams are handed over at once and where they lie, without a copy and a delay.
  bool direct = false;
  // Called for everything that is sent, but what was lost by a draw. Whoever is at `to` gets it when it is due; any of
  // the flight may be changed. False: lost.
  std::function<bool(Flight&)> on_path;
  // Called before time leaps to the argument; returns where to instead. For tests with threads in real time.
  std::function<Instant(Instant)> on_wait;

 private:
  struct Held {
    Flight flight;
    std::vector<std::uint8_t> memory;  // the bytes of the flight
  };

  void send(const Flight& flight) {
    sent_ = true;
    if (!split && loss == 0) return put_on_path(flight);
    const DatagramBatch batch{.local = {}, .remote = {}, .bytes = flight.bytes, .segment_size = flight.segment_size};
    for (std::size_t i = 0; i < batch.segment_count(); ++i) {
      if (loss > 0 && random.unit() < loss) continue;
      Flight one = flight;
      one.bytes = batch.segment(i);
      one.segment_size = one.bytes.size();
      put_on_path(one);
    }
  }
  void put_on_path(Flight flight) {
    if (on_path && !on_path(flight)) return;
    if (direct) return deliver(flight);
    hold(flight);
  }
  void deliver(const Flight& flight) {
    const auto found = by_address_.find(flight.to);
    if (found == by_address_.end()) return;
    Node& node = *found->second;
    const DatagramBatch batch{.local = flight.to,
                              .remote = flight.from,
                              .bytes = flight.bytes,
                              .segment_size = flight.segment_size,
                              .ecn = flight.ecn};
    if (node.endpoint) {
      node.endpoint->receive(now, batch);
      collect(node);
    } else if (node.on_datagram) {
      for (std::size_t i = 0; i < batch.segment_count(); ++i) node.on_datagram(now, flight.from, batch.segment(i));
    }
  }
  void run_timers() {
    for (const auto& node : nodes_) {
      const auto due = node->endpoint ? node->endpoint->next_timeout() : std::nullopt;
      if (!due || *due > now) continue;
      ++node->wakes;
      node->endpoint->handle_timeout(now);
      collect(*node);
    }
  }
  [[nodiscard]] Instant next_instant() const {
    Instant next = count_ == 0 ? Instant::max() : slot(0).flight.due;
    for (const auto& node : nodes_) {
      if (node->endpoint) next = std::min(next, node->endpoint->next_timeout().value_or(Instant::max()));
      if (node->next_timeout) next = std::min(next, node->next_timeout().value_or(Instant::max()));
    }
    return next;
  }

  // --- In flight: a ring by the time of arrival, and the memory that flights have left behind ---
  [[nodiscard]] Held& slot(std::size_t position) { return ring_[(head_ + position) & (ring_.size() - 1)]; }
  [[nodiscard]] const Held& slot(std::size_t position) const { return ring_[(head_ + position) & (ring_.size() - 1)]; }
  [[nodiscard]] bool arrives_now() const { return count_ > 0 && slot(0).flight.due <= now; }
  void hold(const Flight& flight) {
    if (count_ == ring_.size()) grow();
    std::size_t place = count_++;
    for (; place > 0 && slot(place - 1).flight.due > flight.due; --place) std::swap(slot(place), slot(place - 1));
    Held& held = slot(place);
    if (!spare_.empty()) {
      held.memory = std::move(spare_.back());
      spare_.pop_back();
    }
    held.memory.assign(flight.bytes.begin(), flight.bytes.end());
    held.flight = flight;
    held.flight.bytes = held.memory;
  }
  void deliver_due() {
    while (arrives_now()) {
      const Flight flight = slot(0).flight;
      std::vector<std::uint8_t> memory = std::move(slot(0).memory);  // what arrives may send, and move the ring
      head_ = (head_ + 1) & (ring_.size() - 1);
      --count_;
      deliver(flight);
      spare_.push_back(std::move(memory));
    }
  }
  void grow() {
    std::vector<Held> wider(ring_.empty() ? 16 : ring_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) wider[i] = std::move(slot(i));
    ring_ = std::move(wider);
    head_ = 0;
  }

  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<SocketAddress, Node*> by_address_;
  std::vector<Held> ring_;
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  std::vector<std::vector<std::uint8_t>> spare_;
  TransmitBuffer buffer_;
  bool sent_ = false;
};

}  // namespace godwit::test
