// Two endpoints in virtual time, joined by a network that the input rules: datagrams are delivered one by one or in
// batches, lost, repeated, reordered, damaged and cut, and a third party that forges source addresses adds valid
// intros, replays and junk, alone or in the middle of a batch.
//
// Checked: a message arrives at most once and every byte of it is right, whether it is delivered whole or in chunks; a
// confirmed message has arrived; nothing that does not authenticate ends a session; connections and timers keep their
// bounds, and so do replies to unproven addresses. Views of an event are read while the input that caused it is the
// last one, as the interface promises.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "fuzz/fixed_keys.h"
#include "fuzz/input.h"
#include "transport/endpoint.h"

namespace godwit::fuzz {
namespace {

constexpr int kMaxSteps = 250;
constexpr std::size_t kMaxInFlight = 160;            // datagrams to one side; more are lost
constexpr std::size_t kMaxRecorded = 24;             // datagrams kept for replay
constexpr std::size_t kMaxStreamBytes = 384 * 1024;  // sent in total, so that no memory limit is met
constexpr std::size_t kMaxBatch = 12;                // datagrams
constexpr std::size_t kForgedIntros = 6;             // different ones for each side

// Messages are pieces of one table whose 32-bit words are all different: message n begins with word n, so that its
// first bytes identify it and every byte of it is known, at no cost per message.
class Contents {
 public:
  static constexpr std::size_t kWords = 64 * 1024;
  static constexpr std::uint32_t kFactor = 2654435761U;  // odd: i -> i * kFactor is a bijection
  static constexpr std::uint32_t kInverse = 244002641U;  // modulo 2^32
  static_assert(kFactor * kInverse == 1U);

  Contents() : bytes_(kWords * 4) {
    for (std::uint32_t i = 0; i < kWords; ++i) store_le(bytes_.data() + i * 4, i * kFactor);
  }
  [[nodiscard]] ByteView message(std::uint32_t number, std::size_t size) const {
    return ByteView(bytes_).subspan(std::size_t{number} * 4, size);
  }
  // The message that begins with these bytes.
  [[nodiscard]] static std::uint32_t number_of(ByteView first) {
    GODWIT_ASSERT(first.size() >= 4);
    const std::uint32_t number = load_le<std::uint32_t>(first.data()) * kInverse;
    GODWIT_ASSERT(number < kWords / 2);
    return number;
  }
  [[nodiscard]] bool matches(std::uint32_t number, std::uint64_t offset, ByteView bytes) const {
    return std::memcmp(bytes.data(), bytes_.data() + std::size_t{number} * 4 + offset, bytes.size()) == 0;
  }

 private:
  Bytes bytes_;
};

struct Shared {
  Contents contents;
  std::array<PublicKey, 2> names{fixed_key_pair(0).public_key(), fixed_key_pair(1).public_key()};
  std::array<std::array<Bytes, kForgedIntros>, 2> intros;
  TransmitBuffer buffer{128 * 1024};

  Shared() {
    for (std::size_t side = 0; side < 2; ++side) {
      for (std::uint8_t i = 0; i < kForgedIntros; ++i) {
        intros[side][i] = sealed_intro(names[side], fixed_symmetric_key(i), static_cast<std::uint8_t>(i + 1),
                                       i == 5 ? wire::encode_version({0, 2, 100}, 90) : wire::kAnnouncedVersion);
      }
    }
  }
};

Shared& shared() {
  static Shared instance;
  return instance;
}

SocketAddress address(std::size_t side) {
  return SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(side + 1)}, 7);
}

// What one side has sent and received.
struct Ledger {
  std::set<std::uint32_t> received;                                       // complete messages, by number
  std::map<std::pair<ConnectionId, std::uint32_t>, std::uint32_t> begun;  // (connection, stream) -> message number
  std::map<std::pair<ConnectionId, std::uint32_t>, std::uint64_t> contiguous;
  std::map<std::pair<ConnectionId, MessageId>, std::uint32_t> sent;  // -> message number
  bool lost_stream = false;  // a stream was aborted here: its sender may have been told that it arrived
  bool connected = false;
};

class World {
 public:
  explicit World(Input input) : input_(input), random_(1) {
    const std::uint8_t setup = input_.byte();
    Config config;
    config.streams.memory = {.reorder_bytes = 1 << 20, .buffer_bytes = 1 << 20};
    config.congestion = congestion_kinds()[input_.below(congestion_kinds().size())];
    config.connection_rate_limit = Bandwidth::from_bits_per_second(1'000'000'000);
    config.admission.address_entries = 64;
    config.admission.prefix_entries = 64;
    config.admission.reply_entries = 64;
    for (std::size_t side = 0; side < 2; ++side) {
      config.streams.delivery = (setup >> side & 1) != 0 ? DeliveryMode::kChunks : DeliveryMode::kWhole;
      ends_[side] = std::make_unique<Endpoint>(config, fixed_key_pair(static_cast<std::uint8_t>(side)), random_);
    }
    connect(0);
    if ((setup & 4) != 0) connect(1);
    // Most inputs are about sessions: the handshake goes undisturbed unless the input wants to see it.
    if ((setup & 8) == 0) {
      settle();
      may_end_ = (setup & 4) != 0 || !ledgers_[0].connected || !ledgers_[1].connected;
    }
  }

  void run() {
    for (int step = 0; step < kMaxSteps && !input_.empty(); ++step) {
      transmit();
      act();
      for (std::size_t side = 0; side < 2; ++side) {
        collect(side);
        GODWIT_ASSERT(ends_[side]->connection_count() <= 8);
      }
    }
  }

 private:
  // --- The applications ---
  void connect(std::size_t side) {
    const auto made = ends_[side]->connect(now_, address(1 - side), shared().names[1 - side]);
    if (made) connection_[side] = *made;
    may_end_ = true;  // replaces a session that may exist
  }

  void send(std::size_t side) {
    const std::uint8_t kind = input_.byte();
    std::size_t size = 4 + input_.byte() * std::size_t{4};
    SendOptions options;
    if ((kind & 3) == 1) {
      size = 4 + input_.byte() * std::size_t{kind} * 2;
      options.as = SendAs::kStream;
    } else if ((kind & 3) == 2) {
      options.as = SendAs::kOperationsStream;
      if ((kind & 4) != 0) options.metadata.emplace(std::size_t{input_.byte()} * 4);
      if ((kind & 8) != 0) options.send_limit = std::uint64_t{input_.byte()} * 100;
    }
    if ((kind & 0x80) != 0) options.deadline = now_ + Duration{10ms} * input_.byte();
    if (bytes_sent_ + size > kMaxStreamBytes) return;
    bytes_sent_ += size;
    const std::uint32_t number = next_number_++;
    const auto sent =
        ends_[side]->send(now_, connection_[side], Body::borrowed(shared().contents.message(number, size)), options);
    if (!sent) return;
    ledgers_[side].sent[{connection_[side], *sent}] = number;
    last_message_[side] = *sent;
  }

  void manage(std::size_t side) {
    Endpoint& end = *ends_[side];
    const ConnectionId id = connection_[side];
    switch (input_.below(8)) {
      case 0:
        end.close(now_, id, "closed by the application");
        may_end_ = true;
        break;
      case 1: connect(side); break;
      case 2: static_cast<void>(end.ping(now_, id)); break;
      case 3: static_cast<void>(end.cancel(now_, id, last_message_[side])); break;
      case 4: static_cast<void>(end.extend_send_limit(now_, id, last_message_[side], input_.number())); break;
      case 5: static_cast<void>(end.keep_stream_alive(now_, id, last_stream_[side])); break;
      case 6:
        static_cast<void>(end.stop_receiving(id, last_stream_[side]));
        ledgers_[side].lost_stream = true;
        ledgers_[side].begun.erase({id, last_stream_[side]});
        break;
      default: {
        const std::uint8_t choice = input_.byte();
        if (choice >= 128) static_cast<void>(end.reconnect(now_, id));
        may_end_ = may_end_ || choice >= 128;
        end.set_congestion(now_, id, congestion_kinds()[choice % congestion_kinds().size()]);
        break;
      }
    }
  }

  void collect(std::size_t side) {
    while (EndpointEvent* const event = ends_[side]->poll_event()) {
      const ConnectionId id = event->connection;
      std::visit([&](auto& happened) { on(side, id, happened); }, event->event);
    }
  }

  void complete(std::size_t side, std::uint32_t number) {
    GODWIT_ASSERT(ledgers_[side].received.insert(number).second);
  }
  void on(std::size_t side, ConnectionId, const MessageReceived& message) {
    const std::uint32_t number = Contents::number_of(message.payload);
    GODWIT_ASSERT(shared().contents.matches(number, 0, message.payload));
    complete(side, number);
  }
  void on(std::size_t side, ConnectionId, const StreamMessage& message) {
    const std::uint32_t number = Contents::number_of(message.payload);
    GODWIT_ASSERT(shared().contents.matches(number, 0, message.payload));
    last_stream_[side] = message.stream_id;
    complete(side, number);
  }
  void on(std::size_t side, ConnectionId id, const StreamChunk& chunk) {
    Ledger& ledger = ledgers_[side];
    const std::pair key{id, chunk.stream_id};
    if (chunk.offset == 0) {
      GODWIT_ASSERT(ledger.begun.emplace(key, Contents::number_of(chunk.bytes)).second);
      ledger.contiguous[key] = 0;
    }
    const auto begun = ledger.begun.find(key);
    GODWIT_ASSERT(begun != ledger.begun.end());
    GODWIT_ASSERT(ledger.contiguous[key] == chunk.offset);
    GODWIT_ASSERT(shared().contents.matches(begun->second, chunk.offset, chunk.bytes));
    ledger.contiguous[key] += chunk.bytes.size();
    GODWIT_ASSERT(ledger.contiguous[key] <= chunk.total);
    last_stream_[side] = chunk.stream_id;
    if (!chunk.finished()) return;
    complete(side, begun->second);
    // A peer that has begun a new session counts its streams from one again, on the same connection.
    ledger.begun.erase(begun);
  }
  void on(std::size_t side, ConnectionId id, const MessageConfirmed& confirmed) {
    const auto sent = ledgers_[side].sent.find({id, confirmed.message});
    GODWIT_ASSERT(sent != ledgers_[side].sent.end());
    const Ledger& other = ledgers_[1 - side];
    GODWIT_ASSERT(other.lost_stream || other.received.contains(sent->second));
    ledgers_[side].sent.erase(sent);
  }
  void on(std::size_t side, ConnectionId id, const MessageFailed& failed) {
    GODWIT_ASSERT(ledgers_[side].sent.erase({id, failed.message}) == 1);
    // The rest of a stream that was given up never comes, and its receiver may have acknowledged what came.
    ledgers_[1 - side].lost_stream = true;
  }
  void on(std::size_t side, ConnectionId id, const StreamAborted& aborted) {
    ledgers_[side].lost_stream = true;
    ledgers_[side].begun.erase({id, aborted.stream_id});
  }
  void on(std::size_t side, ConnectionId id, const Connected&) {
    connection_[side] = id;
    ledgers_[side].connected = true;
  }
  void on(std::size_t side, ConnectionId, const Closed& closed) {
    ledgers_[side].lost_stream = true;
    // Only the applications and time may end a session: nothing here forges what authenticates. A side whose questions
    // about forged intros are not answered for a second connects to its peer anew (Route::decide).
    const bool connected_anew = closed.reason == CloseReason::kReplaced && now_ - begun_ > 1s;
    const bool may_end = may_end_ || connected_anew || closed.reason == CloseReason::kIdleTimeout;
    if (!may_end) std::fprintf(stderr, "a session ended: %s\n", closed.text.c_str());
    GODWIT_ASSERT(may_end);
    may_end_ = true;
  }
  template <typename T>
  void on(std::size_t, ConnectionId, const T&) {}

  // --- The network ---
  void transmit() {
    for (std::size_t side = 0; side < 2; ++side) {
      TransmitBuffer& buffer = shared().buffer;
      buffer.reset();
      while (const auto batch = ends_[side]->poll_transmit(now_, buffer)) {
        if (batch->remote != address(1 - side)) {
          // To an address that nobody has proved: a forger's victim.
          strangers_sent_ += batch->bytes.size();
          GODWIT_ASSERT(strangers_sent_ <= 3 * strangers_received_);
        } else {
          for (std::size_t i = 0; i < batch->segment_count(); ++i) {
            const MutableBytes segment = batch->segment(i);
            GODWIT_ASSERT(segment.size() <= wire::kMaxDatagram);
            if (wire_[1 - side].size() < kMaxInFlight) wire_[1 - side].emplace_back(segment.begin(), segment.end());
          }
        }
        buffer.reset();
      }
    }
  }

  void receive(std::size_t side, Bytes& bytes, std::size_t segment_size, const SocketAddress& from) {
    if (from != address(1 - side)) strangers_received_ += bytes.size();
    ends_[side]->receive(now_, {.local = local_[side], .remote = from, .bytes = bytes, .segment_size = segment_size});
    collect(side);
    // What the views of events pointed to is gone now, as in a back end that reads the next batch.
    std::ranges::fill(bytes, std::uint8_t{0xdb});
  }
  void receive(std::size_t side, Bytes bytes) {
    const std::size_t size = bytes.size();
    receive(side, bytes, size, address(1 - side));
  }

  Bytes take_front(std::size_t side) {
    Bytes front = std::move(wire_[side].front());
    wire_[side].pop_front();
    return front;
  }

  // Time passes: timers that fire on the way are handled, and what they send is put on the network.
  void advance(Duration time) {
    const Instant end = now_ + time;
    // Sessions end for want of answers after 15 s at the earliest, or give way to a handshake.
    may_end_ = may_end_ || end - begun_ > 14s;
    for (int turns = 0; turns < 32 && now_ < end; ++turns) {
      Instant next = end;
      for (const auto& side : ends_) next = std::min(next, std::max(now_, side->next_timeout().value_or(next)));
      now_ = next;
      for (std::size_t side = 0; side < 2; ++side) {
        ends_[side]->handle_timeout(now_);
        collect(side);
      }
      transmit();
    }
    now_ = end;
  }

  // Delivers everything in order until both sides are quiet.
  void settle() {
    for (int round = 0; round < 4; ++round) {
      transmit();
      for (std::size_t side = 0; side < 2; ++side) {
        while (!wire_[side].empty()) receive(side, take_front(side));
      }
      advance(10ms);
    }
  }

  // A datagram that anyone who can forge source addresses can send.
  Bytes forged(std::size_t side) {
    const std::uint8_t kind = input_.byte();
    switch (kind & 3) {
      case 0: return shared().intros[side][input_.below(kForgedIntros)];
      case 1:
        if (!recorded_.empty()) return recorded_[input_.byte() % recorded_.size()];
        [[fallthrough]];
      case 2: {
        const ByteView junk = input_.take(kind >> 2);
        return {junk.begin(), junk.end()};
      }
      default: {  // well-formed on the outside
        Bytes junk(45 + std::size_t{input_.byte()} * 6, kind);
        junk[0] = static_cast<std::uint8_t>(1 + (kind >> 2 & 1));
        return junk;
      }
    }
  }

  // Equal-sized datagrams and a shorter last one from the front of the queue, perhaps with forged ones among them.
  void deliver_batch(std::size_t side) {
    const std::uint8_t shape = input_.byte();
    const std::size_t most = 1 + shape % kMaxBatch;
    const bool mixed = (shape & 0x80) != 0;
    Bytes batch;
    std::size_t segment_size = 0;
    for (std::size_t i = 0; i < most && !wire_[side].empty(); ++i) {
      Bytes& front = wire_[side].front();
      if (mixed && segment_size != 0 && input_.one_in(4)) {
        Bytes other = forged(side);
        if (other.size() < segment_size && !other.empty()) {
          batch.insert(batch.end(), other.begin(), other.end());
          break;
        }
        other.resize(segment_size);
        batch.insert(batch.end(), other.begin(), other.end());
        continue;
      }
      if (segment_size == 0) segment_size = front.size();
      if (front.size() > segment_size) break;
      const bool last = front.size() < segment_size;
      batch.insert(batch.end(), front.begin(), front.end());
      wire_[side].pop_front();
      if (last) break;
    }
    if (segment_size != 0) receive(side, batch, segment_size, address(1 - side));
  }

  void act() {
    const std::uint8_t op = input_.byte();
    const std::size_t side = op >> 7;
    auto& queue = wire_[side];
    switch (op & 15) {
      case 0:
      case 1: send(side); break;
      case 2: manage(side); break;
      case 3: {
        const std::uint8_t unit = input_.byte();
        if (unit > 240) {
          advance(Duration{10s} * (unit - 240));
        } else if (unit > 200) {
          advance(Duration{50ms} * (unit - 200));
        } else {
          advance(Duration{1ms} * (1 + unit));
        }
        break;
      }
      case 4: {  // forged from the peer's address, or from another one
        Bytes bytes = forged(side);
        const SocketAddress from = (op & 0x10) != 0 ? address(2 + (op >> 5 & 3)) : address(1 - side);
        receive(side, bytes, bytes.size(), from);
        break;
      }
      case 5:
        if (!queue.empty()) queue.pop_front();
        break;
      case 6:
        if (queue.size() > 1) std::swap(queue.front(), queue[input_.byte() % queue.size()]);
        break;
      case 7:
        if (!queue.empty()) queue.push_back(queue.front());
        break;
      case 8:
        if (!queue.empty() && !queue.front().empty())
          queue.front()[input_.u16() % queue.front().size()] ^= static_cast<std::uint8_t>(1 + input_.byte() % 255);
        break;
      case 9:
        if (!queue.empty()) queue.front().resize(input_.u16() % (queue.front().size() + 1));
        break;
      case 10:
        if (!queue.empty() && recorded_.size() < kMaxRecorded) recorded_.push_back(queue.front());
        break;
      case 11: local_[side] = address(8 + (op >> 4 & 3)); break;
      case 12: settle(); break;
      default: deliver_batch(side); break;
    }
  }

  Input input_;
  DeterministicRandom random_;
  Instant now_{1h};
  const Instant begun_ = now_;
  std::array<std::unique_ptr<Endpoint>, 2> ends_;
  std::array<ConnectionId, 2> connection_{};
  std::array<MessageId, 2> last_message_{};
  std::array<std::uint32_t, 2> last_stream_{};
  std::array<SocketAddress, 2> local_{address(0), address(1)};
  std::array<std::deque<Bytes>, 2> wire_;  // by receiving side
  std::array<Ledger, 2> ledgers_;
  std::vector<Bytes> recorded_;
  std::uint32_t next_number_ = 0;
  std::size_t bytes_sent_ = 0;
  std::size_t strangers_sent_ = 0;  // bytes, to and from addresses other than the two peers'
  std::size_t strangers_received_ = 0;
  // An application has closed or connected, the handshake was disturbed, or so much time has passed that a side may
  // give the other one up.
  bool may_end_ = true;
};

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || size > 1024) return 0;
  godwit::fuzz::World(godwit::fuzz::Input(data, size)).run();
  return 0;
}
