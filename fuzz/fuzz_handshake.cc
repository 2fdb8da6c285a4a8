// Two handshakes, an initiator and an acceptor or two initiators, over a wire that the input rules. Whatever is lost,
// damaged, repeated or reordered: nothing aborts, no datagram leaves its bounds, an acceptor keeps to its amplification
// limit, and a session that both sides reach opens what the other seals.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/assert.h"
#include "handshake/handshake_test_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  using test::Bytes;
  if (size < 2 || size > 300) return 0;  // every attempt costs an X25519
  test::Party alice(1);
  test::Party bob(2);
  const bool simultaneous = data[0] & 1;
  alice.config.extended = (data[0] & 2) != 0 ? ExtendedPolicy::kAuto : ExtendedPolicy::kOff;
  bob.config.extended = (data[0] & 4) != 0 ? ExtendedPolicy::kAuto : ExtendedPolicy::kOff;
  Instant now = test::kStart;
  std::array<std::optional<Handshake>, 2> sides;
  sides[0].emplace(std::move(*Handshake::initiate(now, alice.context, test::kBob, bob.keys.public_key())));
  if (simultaneous)
    sides[1].emplace(std::move(*Handshake::initiate(now, bob.context, test::kAlice, alice.keys.public_key())));
  std::deque<std::pair<std::size_t, Bytes>> wire;
  std::array<bool, 2> over{};
  std::size_t intro_bytes = 0;
  std::size_t answered_bytes = 0;
  const auto drain = [&](std::size_t side) {
    if (!sides[side] || over[side]) return;
    for (Bytes& datagram : test::drain(now, *sides[side])) {
      GODWIT_ASSERT(datagram.size() <= wire::kMaxDatagram && (datagram[0] == 1 || datagram[0] == 2));
      if (side == 1 && !simultaneous) answered_bytes += datagram.size();
      if (wire.size() < 64) wire.emplace_back(1 - side, std::move(datagram));
    }
    if (side == 1 && !simultaneous && !sides[1]->established()) GODWIT_ASSERT(answered_bytes <= 3 * intro_bytes);
  };
  const auto deliver = [&](std::size_t to, Bytes datagram) {
    if (over[to]) return;
    if (!sides[to]) {
      if (wire::classify(datagram) != wire::DatagramClass::kIntro) return;
      const auto intro = open_intro_datagram(bob.keys, datagram);
      if (!intro) return;
      auto accepted = Handshake::accept(now, bob.context, test::kAlice, *intro);
      if (!accepted) return;
      intro_bytes += datagram.size();
      sides[to].emplace(std::move(*accepted));
      return;
    }
    if (to == 1 && sides[1]->repeats_intro(datagram)) intro_bytes += datagram.size();
    std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
    const auto step = sides[to]->receive(now, datagram, scratch);
    drain(to);
    over[to] = step.kind == HandshakeStep::Kind::kEstablished || step.kind == HandshakeStep::Kind::kFailed;
  };
  for (std::size_t at = 1; at < size; ++at) {
    drain(0);
    drain(1);
    const std::uint8_t op = data[at];
    if (wire.empty() || (op & 7) == 7) {
      now += Duration{1ms} * (op >> 2) * 8;
      for (std::size_t side = 0; side < 2; ++side) {
        if (!sides[side] || over[side]) continue;
        const auto step = sides[side]->handle_timeout(now);
        drain(side);
        over[side] = step.kind == HandshakeStep::Kind::kEstablished || step.kind == HandshakeStep::Kind::kFailed;
      }
      continue;
    }
    auto [to, datagram] = std::move(wire.front());
    wire.pop_front();
    switch (op & 7) {
      case 0: break;
      case 1:
        deliver(to, datagram);
        deliver(to, datagram);
        break;
      case 2:
        datagram[(op >> 3) * datagram.size() / 32] ^= 1;
        deliver(to, datagram);
        break;
      case 3: wire.emplace_back(to, std::move(datagram)); break;
      default: deliver(to, std::move(datagram)); break;
    }
  }
  if (!sides[0] || !sides[1] || !sides[0]->established() || !sides[1]->established()) return 0;
  std::array<Session, 2> sessions{sides[0]->take_session(), sides[1]->take_session()};
  // An acceptor sends with the one key it was given; an initiator knows K(acceptor) from the ack of that same
  // handshake.
  const std::size_t from = 1;
  Bytes sealed(kEnvelopeOverhead + 16);
  GODWIT_ASSERT(sessions[from].sealer().seal_in_place(sealed));
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  // Two initiators may have ended in different attempts; their connections repair that (wire spec 5.8).
  const bool opened = sessions[0].open_keeping(sealed, scratch).has_value();
  GODWIT_ASSERT(opened || simultaneous);
  return 0;
}
