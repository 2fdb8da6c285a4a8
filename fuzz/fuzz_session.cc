// One endpoint and up to three hostile peers that hold valid keys: each completes handshakes as it likes, from an
// address of its own or from another peer's, and seals any plaintext at all. The input says what they send: raw bytes,
// well-formed messages with hostile numbers, honest fragments, acknowledgements of what was sent and what never was,
// one by one and in batches.
//
// Checked: nothing aborts; chunks of a stream come in order and within its total; a stream of which only the truth was
// told has the right bytes; views of events can be read until the next input; connections and replies to unproven
// addresses keep their bounds; memory stays proportional to what was received.
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"
#include "fuzz/fixed_keys.h"
#include "fuzz/input.h"
#include "trace/events.h"
#include "transport/endpoint.h"
#include "wire/datagram.h"
#include "wire/message_codec.h"

namespace godwit::fuzz {
namespace {

constexpr int kMaxSteps = 250;
constexpr std::uint8_t kPeers = 3;
constexpr std::uint8_t kIntros = 4;  // of each peer
constexpr std::size_t kHonestStreams = 8;
constexpr std::size_t kMaxBatch = 10;
constexpr std::uint32_t kMaxStreams = 16;  // open at a time

SocketAddress address(std::size_t place) {
  return SocketAddress::ipv4({198, 51, 100, static_cast<std::uint8_t>(place + 1)}, 9);
}

std::uint8_t truth(std::uint32_t stream, std::uint64_t at) {
  return static_cast<std::uint8_t>(stream * 131 + at * 7 + (at >> 8));
}
std::uint64_t honest_total(std::uint32_t stream) {
  return 1 + (std::uint64_t{stream} * 2777) % 9000;
}

// What is computed once per process.
struct Shared {
  PublicKey endpoint = fixed_key_pair(0).public_key();
  std::array<KeyPair, kPeers> peers{fixed_key_pair(1), fixed_key_pair(2), fixed_key_pair(3)};
  std::array<std::array<Bytes, kIntros>, kPeers> intros;
  TransmitBuffer buffer{128 * 1024};

  Shared() {
    for (std::uint8_t peer = 0; peer < kPeers; ++peer) {
      for (std::uint8_t i = 0; i < kIntros; ++i) {
        const auto patch = static_cast<std::uint16_t>(i == 0 ? 154 : 118 + 10 * i);
        intros[peer][i] =
            sealed_intro(endpoint, fixed_symmetric_key(peer), static_cast<std::uint8_t>(peer * 16 + i + 1),
                         wire::encode_version({0, 2, patch}, 122), i == 3 ? 40 : 0);
      }
    }
  }
};

Shared& shared() {
  static Shared instance;
  return instance;
}

// The keys of one peer's side of one session.
class Peer {
 public:
  Peer(std::uint8_t number, RandomSource& random)
      : number_(number),
        random_(random),
        opener_(make_packet_cipher(CipherKind::kOpenssl, fixed_symmetric_key(number))) {}

  [[nodiscard]] bool can_send() const { return sealer_ != nullptr; }
  void send_with(const SymmetricKey& key) {
    sealer_ = std::make_unique<PacketSealer>(make_packet_cipher(CipherKind::kOpenssl, key), random_);
  }

  // Learns keys and numbers from what the endpoint sent to this peer's address.
  void hear(ByteView datagram) {
    std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
    if (wire::classify(datagram) == wire::DatagramClass::kIntro) {
      const auto size = open_intro(shared().peers[number_], datagram, scratch);
      if (!size) return;
      if (const auto intro = wire::decode_intro_plaintext(ByteView(scratch).first(*size))) send_with(intro->intro.key);
      return;
    }
    if (wire::classify(datagram) != wire::DatagramClass::kSymmetric) return;
    const auto plaintext = opener_.open_copy(datagram, scratch);
    if (!plaintext) return;
    const auto packet = wire::decode(*plaintext);
    GODWIT_ASSERT(packet.has_value());  // the endpoint sends nothing that a peer could not decode
    last_id_ = packet->packet_id;
    if (const auto* const ack = std::get_if<wire::AckOk>(&packet->message)) send_with(ack->key);
    if (const auto* const ping = std::get_if<wire::Ping>(&packet->message)) last_ping_ = ping->sequence;
  }

  [[nodiscard]] Bytes seal(ByteView plaintext) {
    Bytes datagram(plaintext.size() + kEnvelopeOverhead);
    GODWIT_ASSERT(sealer_->seal_pieces(plaintext, {}, {}, datagram) == datagram.size());
    return datagram;
  }

  [[nodiscard]] std::uint32_t last_id() const { return last_id_; }
  [[nodiscard]] std::uint64_t last_ping() const { return last_ping_; }
  std::uint32_t next_id = 1;

 private:
  std::uint8_t number_;
  RandomSource& random_;
  PacketOpener opener_;
  std::unique_ptr<PacketSealer> sealer_;
  std::uint32_t last_id_ = 0;
  std::uint64_t last_ping_ = 0;
};

// What is said to a listener costs nothing to write here: fuzz_trace.cc checks the sinks.
struct Trace final : trace::Sink {
  void on_event(const trace::Event& event) override { last = event.at; }
  Instant last{};
};

class World {
 public:
  explicit World(Input input) : input_(input), random_(1) {
    const std::uint8_t setup = input_.byte();
    Config config;
    config.streams.delivery = (setup & 1) != 0 ? DeliveryMode::kChunks : DeliveryMode::kWhole;
    config.streams.memory = {.reorder_bytes = 1 << 20, .buffer_bytes = 1 << 20};
    config.streams.max_streams = kMaxStreams;
    const std::uint8_t choice = input_.byte();
    config.congestion = congestion_kinds()[choice % congestion_kinds().size()];
    if (choice >= 200) make_small(config);
    config.admission.address_entries = 64;
    config.admission.prefix_entries = 64;
    config.admission.reply_entries = 64;
    config.handshake.require_authenticated_peer = (setup & 0x20) != 0;
    if ((setup & 0xc0) == 0xc0) trace_.emplace();
    endpoint_ = std::make_unique<Endpoint>(config, fixed_key_pair(0), random_, trace_ ? &*trace_ : nullptr);
    for (std::uint8_t i = 0; i < kPeers; ++i) {
      peers_[i] = std::make_unique<Peer>(i, random_);
      places_[i] = address((setup & 2) != 0 ? 0 : i);
    }
    if ((setup & 4) != 0) {
      establish(static_cast<std::uint8_t>(setup >> 3 & 1));
    } else if ((setup & 0x10) != 0) {
      static_cast<void>(endpoint_->connect(now_, places_[0], shared().peers[0].public_key()));
      transmit();
      if (peers_[0]->can_send()) deliver(0, sealed(0, 0, success_ack(0, true)));
    }
  }

  void run() {
    for (int step = 0; step < kMaxSteps && !input_.empty(); ++step) {
      act();
      transmit();
      collect();
      GODWIT_ASSERT(endpoint_->connection_count() <= 2 * kPeers);
      // Proportional to what was received: four times that, and a page for each stream that can be open.
      const std::uint64_t pages = 4096 * (kMaxStreams + 1) * endpoint_->connection_count();
      GODWIT_ASSERT(endpoint_->statistics().reassembly_bytes <= 4 * received_ + pages);
    }
  }

 private:
  // Limits that a few peers can reach.
  static void make_small(Config& config) {
    config.max_connections = 2;
    config.max_connections_per_host = 2;
    config.reserved_connections = 1;
    config.admission.max_half_open = 2;
    config.reassembly_bytes = 64 * 1024;
    config.endpoint_rate_limit = Bandwidth::from_bits_per_second(50'000'000);
    config.soft_packet_limit = 12;
    config.hard_packet_limit = 24;
  }

  // --- What peers say ---
  void establish(std::uint8_t peer) {
    deliver(peer, shared().intros[peer][0]);
    transmit();
    if (peers_[peer]->can_send()) deliver(peer, sealed(peer, 0, success_ack(peer, false)));
  }

  [[nodiscard]] wire::Message success_ack(std::uint8_t key, bool with_version) {
    wire::AckOk ack{.key = fixed_symmetric_key(key),
                    .remote_address = SocketAddress::ipv4({9, 9, 9, 9}, 9),
                    .version = std::nullopt};
    if (with_version) ack.version = wire::kAnnouncedVersion;
    return ack;
  }

  Bytes sealed(std::uint8_t peer, std::uint32_t id, const wire::Message& message,
               std::span<const std::uint32_t> acks = {}) {
    Bytes plaintext(wire::encoded_size(message) + acks.size() * wire::kAckSize);
    plaintext.resize(wire::encode(plaintext, id, acks, message));
    plaintext.resize(std::min(plaintext.size(), wire::kMaxReceivedPlaintext));
    return peers_[peer]->seal(padded(std::move(plaintext)));
  }
  // Datagrams of a batch have one size: bytes behind a message are ignored.
  Bytes padded(Bytes plaintext) {
    if (pad_to_ > plaintext.size()) plaintext.resize(pad_to_);
    return plaintext;
  }

  wire::Message fragment() {
    const std::uint8_t kind = input_.byte();
    const std::uint32_t stream = kind % kHonestStreams | ((kind & 8) != 0 ? wire::kOperationsBit : 0U);
    wire::StreamFragment fragment{.stream_id = stream, .total_length = honest_total(stream)};
    const std::uint8_t shape = input_.byte();
    if ((kind & 0x80) == 0) {  // the truth
      const std::uint64_t count = wire::fragment_count(fragment.total_length);
      fragment.number = static_cast<std::uint32_t>(1 + shape % count);
      const std::uint64_t begin = (std::uint64_t{fragment.number} - 1) * wire::kFragmentPayload;
      payload_.resize(
          static_cast<std::size_t>(std::min<std::uint64_t>(wire::kFragmentPayload, fragment.total_length - begin)));
      for (std::size_t i = 0; i < payload_.size(); ++i) payload_[i] = truth(stream, begin + i);
    } else {
      lied_.insert(stream);
      if ((kind & 0x40) != 0) fragment.total_length = input_.number();
      fragment.number = (kind & 0x20) != 0 ? input_.number32() : shape;
      payload_.assign(std::size_t{shape} * 5, kind);
      if ((kind & 0x10) != 0) fragment.metadata = input_.take(shape);
    }
    fragment.payload = payload_;
    return fragment;
  }

  wire::Message message(std::uint8_t peer) {
    const std::uint8_t kind = input_.byte();
    switch (kind % 14) {
      case 0: return wire::NoOp{};
      case 1: payload_.assign(std::size_t{input_.byte()} * 4, kind); return wire::ShortMessage{.payload = payload_};
      case 2: return wire::Ping{.sequence = input_.number()};
      case 3: return wire::Pong{.sequence = (kind & 0x80) != 0 ? input_.number() : peers_[peer]->last_ping()};
      case 4: return success_ack(static_cast<std::uint8_t>(kind >> 4), (kind & 0x80) != 0);
      case 5:
        text_ = "remote is using a different protocol version, expected version 0.2.1";
        return wire::AckError{text_};
      case 6: text_.assign(kind, 'e'); return wire::AckError{text_};
      case 7: return wire::UpgradeOffer{.attempt = input_.number32(), .capabilities = kind};
      case 8: return wire::UpgradeAccept{.attempt = kind};
      case 9: return wire::UpgradeDecline{.attempt = kind, .reason = input_.byte()};
      default: return fragment();
    }
  }

  std::span<const std::uint32_t> acks(std::uint8_t peer) {
    acks_.clear();
    const std::uint8_t shape = input_.byte();
    for (int i = 0; i < (shape & 7); ++i) {
      const std::uint8_t back = input_.byte();
      acks_.push_back(back == 255 ? input_.number32() : peers_[peer]->last_id() + 2 - back);
    }
    if (shape >= 0xf0) {  // everything that was sent lately
      for (std::uint32_t i = 0; i < 200; ++i) acks_.push_back(peers_[peer]->last_id() - i);
    }
    return acks_;
  }

  Bytes packet(std::uint8_t peer) {
    const std::uint8_t kind = input_.byte();
    if (kind < 16) {
      const ByteView raw = input_.take(input_.byte());
      return peers_[peer]->seal(padded(Bytes(raw.begin(), raw.end())));
    }
    std::uint32_t id = peers_[peer]->next_id;
    if (kind < 32) {
      id = input_.number32();
    } else if (kind < 48) {
      id -= input_.byte();
    } else {
      peers_[peer]->next_id += kind >= 240 ? kind : 1;
    }
    const wire::Message said = message(peer);
    return sealed(peer, id, said, (kind & 1) != 0 ? acks(peer) : std::span<const std::uint32_t>{});
  }

  // --- The endpoint's inputs ---
  void receive(const SocketAddress& from, Bytes& bytes, std::size_t segment_size) {
    const auto place = from.octets()[3];
    received_from_[place] += bytes.size();
    received_ += bytes.size();
    endpoint_->receive(now_, {.local = {}, .remote = from, .bytes = bytes, .segment_size = segment_size});
    collect();
    std::ranges::fill(bytes, std::uint8_t{0xdb});
  }
  void deliver(std::uint8_t peer, Bytes bytes) { receive(places_[peer], bytes, bytes.size()); }

  void deliver_batch(std::uint8_t peer) {
    const std::size_t count = 1 + input_.below(kMaxBatch);
    // Large enough for a full fragment, or so small that only short packets fit and the batch ends early.
    const std::uint8_t shape = input_.byte();
    pad_to_ = (shape & 1) != 0 ? wire::kMaxPlaintext : 24 + std::size_t{shape};
    Bytes batch;
    std::size_t segment_size = 0;
    for (std::size_t i = 0; i < count && !input_.empty(); ++i) {
      Bytes next = (shape & 0x40) != 0 && input_.one_in(4)
                       ? shared().intros[input_.below(kPeers)][input_.below(kIntros)]
                       : packet(peer);
      if (segment_size == 0) segment_size = next.size();
      if (next.size() > segment_size) break;
      const bool last = next.size() < segment_size;
      batch.insert(batch.end(), next.begin(), next.end());
      if (last) break;
    }
    pad_to_ = 0;
    receive(places_[peer], batch, segment_size);
  }

  void advance(Duration time) {
    const Instant end = now_ + time;
    for (int i = 0; i < 8 && now_ < end; ++i) {
      now_ = std::max(now_, std::min(end, endpoint_->next_timeout().value_or(end)));
      endpoint_->handle_timeout(now_);
      collect();
      transmit();
    }
    now_ = end;
  }

  void send() {
    const auto open = endpoint_->connections();
    if (open.empty()) return;
    const std::uint8_t shape = input_.byte();
    static const Bytes kBody(64 * 1024, 0x5a);
    SendOptions options;
    if ((shape & 0xe0) == 0xe0) options.deadline = now_ + Duration{10ms} * input_.byte();
    if ((shape & 0x1c) == 0x1c) {
      options.as = SendAs::kOperationsStream;
      options.metadata.emplace(std::size_t{input_.byte()} * 5);
    }
    const auto sent =
        endpoint_->send(now_, open[shape % open.size()],
                        Body::borrowed(ByteView(kBody).first(std::size_t{input_.byte()} * shape)), options);
    if (sent) last_message_ = *sent;
  }

  void manage() {
    const auto open = endpoint_->connections();
    const std::uint8_t what = input_.byte();
    if (open.empty() || what % 8 == 0) {
      static_cast<void>(
          endpoint_->connect(now_, places_[what % kPeers], shared().peers[what / 8 % kPeers].public_key()));
      return;
    }
    const ConnectionId id = open[what / 8 % open.size()];
    Endpoint& end = *endpoint_;
    switch (what % 8) {
      case 1: end.close(now_, id, "closed"); break;
      case 2: static_cast<void>(end.ping(now_, id)); break;
      case 3: static_cast<void>(end.cancel(now_, id, last_message_)); break;
      case 4: static_cast<void>(end.keep_stream_alive(now_, id, input_.byte() % kHonestStreams)); break;
      case 5: static_cast<void>(end.stop_receiving(id, input_.byte() % kHonestStreams)); break;
      case 6: end.set_congestion(now_, id, congestion_kinds()[input_.below(congestion_kinds().size())]); break;
      default: manage_rarely(id); break;
    }
  }

  void manage_rarely(ConnectionId id) {
    Endpoint& end = *endpoint_;
    switch (input_.below(8)) {
      case 0: end.close_all(now_, "closed"); break;
      case 1: end.set_rate_limit(now_, id, std::nullopt); break;
      case 2: end.set_rate_limit(now_, id, Bandwidth::from_bits_per_second(8 + input_.number() / 16)); break;
      case 3: static_cast<void>(end.extend_send_limit(now_, id, last_message_, input_.number())); break;
      case 4: static_cast<void>(end.stream_id(id, last_message_)); break;
      case 5: GODWIT_ASSERT(end.remote_address(id).has_value() && end.statistics(id).has_value()); break;
      case 6:
        static_cast<void>(end.reconnect(now_, id));
        static_cast<void>(end.liveness(id));
        break;
      default: {
        const auto remote = end.remote_address(id);
        const std::uint8_t kind = input_.byte();
        end.on_path_report(now_, {.remote = *remote, .problem = static_cast<PathProblem>(kind % 4)});
        end.expect_answer(now_, id, Duration{10ms} * kind);
        break;
      }
    }
  }

  void act() {
    const std::uint8_t op = input_.byte();
    const auto peer = static_cast<std::uint8_t>((op >> 4 & 3) % kPeers);
    switch (op & 15) {
      case 0: send(); break;
      case 1: manage(); break;
      case 2: advance(Duration{1ms} * (1 + input_.byte())); break;
      case 3: advance(Duration{1s} * input_.byte()); break;
      case 4: deliver(peer, shared().intros[peer][input_.below(kIntros)]); break;
      case 5: establish(peer); break;
      case 6: {
        const ByteView junk = input_.take(input_.byte());
        deliver(peer, Bytes(junk.begin(), junk.end()));
        break;
      }
      case 7: places_[peer] = address(input_.below(5)); break;
      case 8: {  // nobody ever answers from here
        Bytes intro = shared().intros[peer][input_.below(kIntros)];
        receive(address(kUnproven), intro, intro.size());
        break;
      }
      case 9:
      case 10:
      case 11:
        if (peers_[peer]->can_send()) deliver_batch(peer);
        break;
      default:
        if (peers_[peer]->can_send()) deliver(peer, packet(peer));
        break;
    }
  }

  // --- The endpoint's outputs ---
  void transmit() {
    TransmitBuffer& buffer = shared().buffer;
    for (int runs = 0; runs < 64; ++runs) {
      buffer.reset();
      const auto batch = endpoint_->poll_transmit(now_, buffer);
      if (!batch) return;
      const auto place = batch->remote.octets()[3];
      sent_to_[place] += batch->bytes.size();
      if (place == kUnproven + 1) GODWIT_ASSERT(sent_to_[place] <= 3 * received_from_[place]);
      for (std::size_t i = 0; i < batch->segment_count(); ++i) {
        for (std::size_t peer = 0; peer < kPeers; ++peer) {
          if (places_[peer] == batch->remote) peers_[peer]->hear(batch->segment(i));
        }
      }
    }
  }

  void collect() {
    while (EndpointEvent* const event = endpoint_->poll_event()) {
      const ConnectionId id = event->connection;
      std::visit([&](auto& happened) { on(id, happened); }, event->event);
    }
  }
  void check(std::uint32_t stream, std::uint64_t offset, ByteView bytes) {
    const bool honest = !lied_.contains(stream) && (stream & ~wire::kOperationsBit) < kHonestStreams;
    std::uint8_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      sum = static_cast<std::uint8_t>(sum + bytes[i]);
      if (honest) GODWIT_ASSERT(bytes[i] == truth(stream, offset + i));
    }
    read_ = static_cast<std::uint8_t>(read_ + sum);  // so that the bytes have been read
  }
  void on(ConnectionId, const MessageReceived& message) { check(UINT32_MAX, 0, message.payload); }
  void on(ConnectionId, const StreamMessage& message) { check(message.stream_id, 0, message.payload); }
  void on(ConnectionId id, const StreamChunk& chunk) {
    std::uint64_t& contiguous = contiguous_[{id, chunk.stream_id}];
    if (chunk.offset == 0) contiguous = 0;  // completed or given up before, and begun anew
    GODWIT_ASSERT(chunk.offset == contiguous && !chunk.bytes.empty());
    contiguous += chunk.bytes.size();
    GODWIT_ASSERT(contiguous <= chunk.total);
    check(chunk.stream_id, chunk.offset, chunk.bytes);
  }
  void on(ConnectionId, const MetadataReceived& metadata) { check(UINT32_MAX, 0, metadata.metadata); }
  template <typename T>
  void on(ConnectionId, const T&) {}

  static constexpr std::uint8_t kUnproven = 9;

  Input input_;
  DeterministicRandom random_;
  Instant now_{1h};
  std::optional<Trace> trace_;
  std::unique_ptr<Endpoint> endpoint_;
  std::array<std::unique_ptr<Peer>, kPeers> peers_;
  std::array<SocketAddress, kPeers> places_;
  std::array<std::uint64_t, 256> received_from_{};  // bytes, by the last octet of the address
  std::array<std::uint64_t, 256> sent_to_{};
  std::uint64_t received_ = 0;
  std::set<std::uint32_t> lied_;
  std::map<std::pair<ConnectionId, std::uint32_t>, std::uint64_t> contiguous_;
  std::size_t pad_to_ = 0;
  std::vector<std::uint32_t> acks_;
  Bytes payload_;
  std::string text_;
  MessageId last_message_ = 0;
  std::uint8_t read_ = 0;
};

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || size > 2048) return 0;
  godwit::fuzz::World(godwit::fuzz::Input(data, size)).run();
  return 0;
}
