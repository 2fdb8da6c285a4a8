// What a stranger reaches of extended sessions, in one of four places by the first byte: any bytes behind an intro; any
// payload of a first Noise message that its sender has sealed with a key of its own; any payload and any bytes of the
// second message, towards an initiator; and, of a stranger who has completed the handshake, any plaintexts as frames
// under any headers.
//
// Checked: nothing aborts; a block is read exactly when it is well-formed; parameters come back as they were encoded;
// what does not authenticate changes nothing.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "fuzz/extended_bytes.h"
#include "fuzz/fixed_keys.h"
#include "fuzz/input.h"
#include "handshake/extended_handshake.h"
#include "handshake/extended_keys.h"
#include "handshake/handshake_test_support.h"
#include "transport/connection.h"
#include "transport/endpoint.h"
#include "wire/ack_frame.h"
#include "wire/control_frame.h"
#include "wire/extension.h"
#include "wire/flow_frame.h"

namespace godwit::fuzz {
namespace {

IntroSeen intro_with(ByteView block) {
  IntroSeen intro{.intro = {.version = wire::kAnnouncedVersion, .key = fixed_symmetric_key(1)}, .datagram_bytes = 300};
  const wire::ExtensionSeen seen = wire::read_extension(block);
  intro.block = seen.block;
  intro.extension.assign(seen.message.begin(), seen.message.end());
  return intro;
}

// A first message as anybody can make it, with `payload` inside.
void check_offer(ByteView payload) {
  payload = payload.first(std::min(payload.size(), wire::kMaxNoiseMessage - NoiseIk::kFirstOverhead));
  test::Party bob(2);
  bob.config.extended = ExtendedPolicy::kAuto;
  test::Party mallory(3);
  const IntroSeen plain = intro_with({});
  Bytes prologue(as_bytes("godwit extended session 1").begin(), as_bytes("godwit extended session 1").end());
  prologue.insert(prologue.end(), plain.fingerprint.ephemeral.begin(), plain.fingerprint.ephemeral.end());
  std::array<std::uint8_t, wire::kIntroPlaintext> plaintext;
  wire::encode_intro_plaintext(plain.intro, plaintext);
  prologue.insert(prologue.end(), plaintext.begin(), plaintext.end());
  NoiseIk noise = NoiseIk::initiator(prologue, mallory.keys, bob.keys.public_key());
  Bytes message(payload.size() + NoiseIk::kFirstOverhead);
  GODWIT_ASSERT(noise.write_first(*KeyPair::generate(mallory.random), payload, message));
  IntroSeen intro = plain;
  intro.block = wire::ExtensionBlock::kPresent;
  intro.extension = message;
  const bool readable = wire::decode_parameters(payload).has_value();
  GODWIT_ASSERT(ExtendedRequest::read(bob.context, intro).has_value() == readable);
  const auto handshake = Handshake::accept(test::kStart, bob.context, test::kAlice, intro);
  GODWIT_ASSERT(handshake.has_value());
}

// Any bytes as the answer to an offer.
void check_answer(ByteView trailing) {
  test::Party alice(1);
  auto offer = test::make_offer(alice.context, fixed_key_pair(0).public_key(), {}, fixed_key_pair(1));
  GODWIT_ASSERT(offer.has_value());
  GODWIT_ASSERT(!offer->read(trailing).secrets);
}

// What a stranger with keys says in one extended session, in packets of one or many frames, alone and in batches, from
// its own address and others, beside forged intros. The endpoint has streams of its own to send, and looks for a way
// to the stranger beside that by which it has come.
class FrameStream {
 public:
  FrameStream(Input& input, Endpoint& endpoint, Session session, Instant now)
      : input_(input), endpoint_(endpoint), session_(std::move(session)), now_(now) {}

  void step() {
    const std::size_t op = input_.below(16);
    if (op == 0) return deliver(Bytes(73, static_cast<std::uint8_t>(1 + input_.below(2))), test::kAlice);
    if (op == 1 && connection_ != 0) return act();
    Bytes plaintext;
    for (std::size_t frames = 1 + input_.below(4); frames > 0; --frames) append_frame(plaintext);
    if (plaintext.size() > wire::kMaxLargePlaintext) plaintext.resize(wire::kMaxLargePlaintext);
    Bytes datagrams = seal(plaintext);
    const std::size_t size = datagrams.size();
    // Equal datagrams travel together: more of the same, copies, and forgeries among them.
    for (std::size_t more = op < 6 ? input_.below(8) : 0; more > 0; --more) {
      Bytes next = input_.below(4) == 0
                       ? Bytes(datagrams.begin(), datagrams.begin() + static_cast<std::ptrdiff_t>(size))
                       : seal(plaintext);
      if (input_.below(4) == 0) next[1 + input_.below(next.size() - 1)] ^= 1;
      datagrams.insert(datagrams.end(), next.begin(), next.end());
    }
    deliver(std::move(datagrams), op == 15 ? test::kBob : test::kAlice, size);
  }

 private:
  Bytes seal(ByteView plaintext) {
    Bytes datagram(plaintext.size() + kEnvelopeOverhead);
    GODWIT_ASSERT(session_.sealer().seal_pieces(plaintext, {}, {}, datagram) == datagram.size());
    session_.update_keys();
    return datagram;
  }

  void append_frame(Bytes& plaintext) {
    std::array<std::uint8_t, wire::kMaxLargePlaintext + 64> frame;
    std::size_t size = 0;
    const std::uint32_t id = input_.below(8) == 0 ? input_.byte() : next_id_++;
    const auto stream = static_cast<std::uint32_t>(input_.below(5));
    const std::size_t kind = input_.below(8);
    switch (kind) {
      case 0: {
        const ByteView raw = input_.take(input_.byte());
        plaintext.insert(plaintext.end(), raw.begin(), raw.end());
        return;
      }
      case 1:
      case 2: {
        // The second kind stands for several fragments.
        const Bytes payload(input_.byte() * (kind == 1 ? 4u : 34u), 7);
        size = wire::encode(frame, id, {},
                            wire::StreamFragment{.stream_id = stream,
                                                 .total_length = stream == 4 ? 0 : 1 + stream * 20'000u,
                                                 .number = static_cast<std::uint32_t>(input_.below(40)),
                                                 .payload = payload});
        break;
      }
      case 3:
      case 4: {
        const wire::FlowFrame flow{.kind = static_cast<wire::FlowFrame::Kind>(11 + input_.below(5)),
                                   .packet_id = id,
                                   .stream_id = stream,
                                   .value = std::uint64_t{input_.byte()} << input_.below(40),
                                   .code = input_.byte()};
        const auto bytes = wire::encode(flow);
        plaintext.insert(plaintext.end(), bytes.begin(), bytes.end());
        return;
      }
      case 5: {
        using Kind = wire::ControlFrame::Kind;
        constexpr std::array kKinds = {Kind::kPathChallenge, Kind::kPathResponse, Kind::kCloseCode, Kind::kSizeProbe,
                                       Kind::kSizeAnswer,    Kind::kPathNote,     Kind::kPortSearch};
        const Kind chosen = kKinds[input_.below(kKinds.size())];
        std::uint64_t data = input_.byte();
        // Ports, above the bits.
        if (chosen == Kind::kPathNote) data |= std::uint64_t{input_.byte()} << 24 | std::uint64_t{input_.byte()} << 40;
        const auto bytes = wire::encode(wire::ControlFrame{.kind = chosen, .data = data});
        plaintext.insert(plaintext.end(), bytes.begin(), bytes.end());
        return;
      }
      case 6: {
        if (input_.below(4) != 0) return append_ack_frame(plaintext);
        std::array<std::uint32_t, 8> acks;
        for (std::uint32_t& ack : acks) ack = input_.byte();
        size = wire::encode(frame, id, wire::Acks(acks).first(input_.below(8)), wire::NoOp{});
        break;
      }
      default: size = wire::encode(frame, id, {}, wire::ShortMessage{.payload = input_.take(input_.byte())}); break;
    }
    plaintext.insert(plaintext.end(), frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
  }

  // Mostly of what the endpoint has sent.
  void append_ack_frame(Bytes& plaintext) {
    wire::AckFrame frame{.delay = input_.byte() * 1000u, .count = 0, .ranges = {}};
    std::uint64_t below = highest_received_ + (input_.below(16) == 0 ? input_.below(8) : 1);
    for (std::size_t more = 1 + input_.below(4); more > 0 && below > 0; --more) {
      const std::uint64_t last = below - 1;
      const std::uint64_t first = last - std::min<std::uint64_t>(last, input_.below(8));
      frame.ranges[frame.count++] = {.first = first, .last = last};
      below = first - std::min<std::uint64_t>(first, 1 + input_.below(3));
    }
    if (frame.count == 0) return;
    std::array<std::uint8_t, wire::kLargestAckFrame> bytes;
    const std::size_t size = wire::encode(bytes, frame);
    if (input_.below(16) == 0) bytes[16 + input_.below(size - 16)] = input_.byte();
    plaintext.insert(plaintext.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  }

  // What the application of the endpoint does.
  void act() {
    const auto stream = static_cast<std::uint32_t>(input_.below(5));
    switch (input_.below(7)) {
      case 0:
        static_cast<void>(
            endpoint_.send(now_, connection_, Body::owned(Bytes(1 + input_.byte() * 400u)), {.as = SendAs::kStream}));
        break;
      case 1: endpoint_.consume(connection_, stream, input_.byte() * 100u); break;
      case 2: static_cast<void>(endpoint_.set_paused(connection_, stream, input_.below(2) == 0)); break;
      case 3: static_cast<void>(endpoint_.stop_receiving(connection_, stream, 1)); break;
      case 4: {
        const auto opened = endpoint_.open_stream(now_, connection_);
        if (!opened) break;
        static_cast<void>(endpoint_.append(connection_, *opened, Bytes(input_.byte() * 50u)));
        if (input_.coin()) static_cast<void>(endpoint_.finish(connection_, *opened));
        break;
      }
      case 5: {
        // What a rendezvous says of both translations.
        const std::uint8_t bits = input_.byte();
        const auto port = static_cast<std::uint16_t>(input_.byte() * 257u);
        endpoint_.note_ports(connection_, {.changes = (bits & 1) != 0, .in_sequence = (bits & 2) != 0, .latest = port},
                             {.changes = (bits & 4) != 0, .in_sequence = (bits & 8) != 0, .latest = port});
        break;
      }
      default: endpoint_.close(now_, connection_, "bye", input_.byte()); break;
    }
    flush();
  }

  void deliver(Bytes bytes, const SocketAddress& remote, std::size_t size = 0) {
    endpoint_.receive(now_, {.remote = remote, .bytes = bytes, .segment_size = size == 0 ? bytes.size() : size});
    while (const EndpointEvent* event = endpoint_.poll_event()) {
      if (std::holds_alternative<Connected>(event->event)) connection_ = event->connection;
      if (std::holds_alternative<Closed>(event->event)) connection_ = 0;
      const auto* chunk = std::get_if<StreamChunk>(&event->event);
      if (chunk == nullptr) continue;
      std::uint64_t& offset = offsets_[chunk->stream_id];
      if (chunk->offset == 0) offset = 0;  // a session that has taken the place of the former one
      GODWIT_ASSERT(chunk->offset == offset);
      GODWIT_ASSERT(chunk->total == 0 || chunk->offset + chunk->bytes.size() <= chunk->total);
      offset += chunk->bytes.size();
    }
    now_ += Duration{1ms} * static_cast<Duration::rep>(input_.byte());
    endpoint_.handle_timeout(now_);
    if (endpoint_.wants_ports()) give_ports(input_.below(PortSearch::kPorts + 1));
    flush();
  }

  void give_ports(std::size_t count) {
    std::vector<SocketAddress> ports;
    for (std::size_t i = 0; i < count; ++i) {
      ports.push_back(test::kBob.with_port(static_cast<std::uint16_t>(40'000 + i)));
    }
    endpoint_.give_ports(now_, ports);
    GODWIT_ASSERT(!endpoint_.wants_ports());
  }

  void flush() {
    TransmitBuffer buffer;
    while (const auto batch = endpoint_.poll_transmit(now_, buffer)) {
      GODWIT_ASSERT(batch->segment_size <= wire::kMaxLargeDatagram);
      for (std::size_t i = 0; i < batch->segment_count(); ++i) note_number(batch->segment(i));
      buffer.reset();
    }
    while (const EndpointEvent* event = endpoint_.poll_event()) {
      if (std::holds_alternative<Closed>(event->event)) connection_ = 0;
    }
    const Connection* connection = connection_ == 0 ? nullptr : endpoint_.inspect(connection_);
    const RecvStreams* streams = connection == nullptr ? nullptr : connection->inbound_streams();
    if (streams != nullptr && streams->flow() != nullptr) {
      GODWIT_ASSERT(streams->flow()->connection().unconsumed() <= kWindows.connection);
    }
    GODWIT_ASSERT(endpoint_.connection_count() <= 2);
    const EndpointStatistics counted = endpoint_.statistics();
    GODWIT_ASSERT(counted.ports_asked <= PortSearch::kMostGuesses);
    GODWIT_ASSERT(counted.port_openers_sent <= PortSearch::kPorts);
  }

 public:
  static constexpr FlowWindows kWindows{.stream = 20'000, .connection = 30'000, .by_hand = true};

 private:
  // Of the header alone: the peer keeps no count of keys.
  void note_number(ByteView datagram) {
    if (datagram.size() < kEnvelopeOverhead || datagram[0] != kSymmetricType) return;
    const std::uint64_t number = session_.number_of(datagram);
    if (number < 1'000'000) highest_received_ = std::max(highest_received_, number);  // else not of this session
  }

  Input& input_;
  Endpoint& endpoint_;
  Session session_;
  std::uint64_t highest_received_ = 0;
  Instant now_;
  ConnectionId connection_ = 0;
  std::uint32_t next_id_ = 1;
  std::map<std::uint32_t, std::uint64_t> offsets_;
};

// A stranger with keys: frames, headers, and packets from other addresses.
void check_frames(Input& input) {
  Config config;
  config.handshake.extended = ExtendedPolicy::kAuto;
  config.handshake.flow = FrameStream::kWindows;
  config.streams.delivery = DeliveryMode::kChunks;
  config.soft_packet_limit = 20;
  config.further_ports = true;
  DeterministicRandom random(7);
  Endpoint endpoint(config, fixed_key_pair(0), random);
  test::Party mallory(4);
  mallory.config.extended = ExtendedPolicy::kRequire;
  Instant now = test::kStart;
  // It is at a relay, and its own address does not answer.
  endpoint.know_paths(now, mallory.keys.public_key(),
                      {.direct = {SocketAddress::ipv4({198, 51, 100, 9}, 4000)}, .relay = test::kAlice});
  auto handshake = Handshake::initiate(now, mallory.context, test::kBob, endpoint.public_key());
  GODWIT_ASSERT(handshake.has_value());
  TransmitBuffer buffer;
  for (Bytes& intro : test::drain(now, *handshake)) {
    endpoint.receive(now, {.remote = test::kAlice, .bytes = intro, .segment_size = intro.size()});
  }
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  while (const auto batch = endpoint.poll_transmit(now, buffer)) {
    if (!handshake->established()) handshake->receive(now, batch->bytes, scratch);
  }
  GODWIT_ASSERT(handshake->established());
  Session session = handshake->take_session();
  GODWIT_ASSERT(session.form() == SessionForm::kExtended);
  FrameStream talk(input, endpoint, std::move(session), now);
  while (!input.empty()) talk.step();
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit::fuzz;
  if (size > 6000) return 0;
  Input input(data, size);
  switch (input.below(4)) {
    case 0: check_block(input.take_rest()); break;
    case 1: check_offer(input.take_rest()); break;
    case 2: check_answer(input.take_rest()); break;
    default: check_frames(input); break;
  }
  return 0;
}
