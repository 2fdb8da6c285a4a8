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
#include <optional>

#include "base/assert.h"
#include "fuzz/fixed_keys.h"
#include "fuzz/input.h"
#include "transport/endpoint.h"
#include "transport/extended_handshake.h"
#include "transport/extended_keys.h"
#include "transport/handshake_test_support.h"
#include "wire/control_frame.h"
#include "wire/flow_frame.h"
#include "wire/extension.h"

namespace godwit::fuzz {
namespace {

void check_block(ByteView bytes) {
  const wire::ExtensionSeen seen = wire::read_extension(bytes);
  if (seen.block == wire::ExtensionBlock::kPresent) {
    GODWIT_ASSERT(seen.message.size() + wire::kExtensionHeader == bytes.size());
    std::array<std::uint8_t, wire::kExtensionHeader> again;
    wire::write_extension_header(again, seen.message.size());
    GODWIT_ASSERT(std::ranges::equal(again, bytes.first(again.size())));
  } else {
    GODWIT_ASSERT(seen.message.empty());
  }
  if (const auto parameters = wire::decode_parameters(bytes)) {
    std::array<std::uint8_t, wire::kParametersSize> again;
    wire::encode_parameters(*parameters, again);
    GODWIT_ASSERT(wire::decode_parameters(again) == parameters);
  }
  if (const auto frame = wire::read_control_frame(bytes)) {
    GODWIT_ASSERT(std::ranges::equal(wire::encode(*frame), bytes.first(wire::kControlFrameSize)));
  }
  if (const auto frame = wire::read_flow_frame(bytes)) {
    GODWIT_ASSERT(std::ranges::equal(wire::encode(*frame), bytes.first(wire::kFlowFrameSize)));
  }
}

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
  auto offer = ExtendedOffer::make(test::kStart, alice.context, fixed_key_pair(0).public_key(), {}, PublicKey());
  GODWIT_ASSERT(offer.has_value());
  GODWIT_ASSERT(!offer->read(trailing).secrets);
}

// A stranger with keys: frames, headers, and packets from other addresses.
void check_frames(Input& input) {
  Config config;
  config.handshake.extended = ExtendedPolicy::kAuto;
  DeterministicRandom random(7);
  Endpoint endpoint(config, fixed_key_pair(0), random);
  test::Party mallory(4);
  mallory.config.extended = ExtendedPolicy::kRequire;
  Instant now = test::kStart;
  auto handshake = Handshake::initiate(now, mallory.context, test::kBob, endpoint.public_key());
  GODWIT_ASSERT(handshake.has_value());
  TransmitBuffer buffer;
  for (Bytes& intro : test::drain(now, *handshake)) {
    endpoint.receive(now, {.remote = test::kAlice, .bytes = intro, .segment_size = intro.size()});
  }
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  while (const auto run = endpoint.poll_transmit(now, buffer)) {
    if (!handshake->established()) handshake->receive(now, run->bytes, scratch);
  }
  GODWIT_ASSERT(handshake->established());
  Session session = handshake->take_session();
  GODWIT_ASSERT(session.form() == SessionForm::kExtended);
  while (!input.empty()) {
    const std::size_t op = input.below(8);
    const ByteView plaintext = input.take(input.byte() * (op & 1 ? 4 : 1));
    Bytes datagram(plaintext.size() + kEnvelopeOverhead);
    if (datagram.size() > wire::kMaxDatagram) break;
    GODWIT_ASSERT(session.sealer().seal_pieces(plaintext, {}, {}, datagram) == datagram.size());
    if (op == 2) datagram[1 + input.below(12)] ^= static_cast<std::uint8_t>(1u << input.below(8));
    const SocketAddress remote = op == 3 ? test::kBob : test::kAlice;
    endpoint.receive(now, {.remote = remote, .bytes = datagram, .segment_size = datagram.size()});
    while (endpoint.poll_event() != nullptr) {
    }
    now += Duration{1ms} * static_cast<Duration::rep>(input.byte());
    endpoint.handle_timeout(now);
    buffer.reset();
    while (const auto run = endpoint.poll_transmit(now, buffer)) {
      GODWIT_ASSERT(run->segment_size <= wire::kMaxDatagram);
      buffer.reset();
    }
    GODWIT_ASSERT(endpoint.connection_count() <= 2);
  }
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit::fuzz;
  if (size > 4000) return 0;
  Input input(data, size);
  switch (input.below(4)) {
    case 0: check_block(input.take_rest()); break;
    case 1: check_offer(input.take_rest()); break;
    case 2: check_answer(input.take_rest()); break;
    default: check_frames(input); break;
  }
  return 0;
}
