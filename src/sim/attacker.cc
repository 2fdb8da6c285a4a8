#include "sim/attacker.h"

#include <algorithm>
#include <array>

#include "sim/simulator.h"
#include "wire/ack_frame.h"
#include "wire/control_frame.h"
#include "wire/flow_frame.h"
#include "wire/limits.h"

namespace godwit::sim {
namespace {

// What passes is kept for replays; the oldest is forgotten first.
constexpr std::size_t kMostRecorded = 48;

}  // namespace

std::string_view attack_kind_name(AttackKind kind) {
  switch (kind) {
    case AttackKind::kReplay: return "replay";
    case AttackKind::kMutate: return "mutate";
    case AttackKind::kDuplicate: return "duplicate";
    case AttackKind::kDelay: return "delay";
    case AttackKind::kIntros: return "intros";
    case AttackKind::kJunkIntros: return "junk-intros";
    case AttackKind::kJunkPackets: return "junk-packets";
    case AttackKind::kGarbage: return "garbage";
    case AttackKind::kConnections: return "connections";
    case AttackKind::kFragments: return "fragments";
    case AttackKind::kAcks: return "acks";
    case AttackKind::kMessages: return "messages";
  }
  return "none";
}

std::string_view attack_source_name(AttackSource source) {
  switch (source) {
    case AttackSource::kPeer: return "peer";
    case AttackSource::kPeerPrefix: return "peer-prefix";
    case AttackSource::kOwn: return "own";
    case AttackSource::kMany: return "many";
  }
  return "none";
}

Attacker::Attacker(Simulator& simulator)
    : simulator_(simulator),
      random_(simulator.scenario().seed ^ 0x61747461636b),
      progress_(simulator.scenario().attacks.size()),
      seen_source_(simulator.scenario().hosts.size()),
      streams_(simulator.scenario().hosts.size()) {
  for (std::uint32_t host = 0; host < seen_source_.size(); ++host) seen_source_[host] = simulator.outside_address(host);
  for (const AttackSpec& spec : simulator.scenario().attacks) {
    passing_ = passing_ || acts_on_passing(spec.kind) || spec.kind == AttackKind::kReplay;
  }
}

Attacker::~Attacker() = default;

void Attacker::start(Instant now) {
  const auto& attacks = simulator_.scenario().attacks;
  for (std::uint32_t i = 0; i < attacks.size(); ++i) {
    if (!acts_on_passing(attacks[i].kind)) simulator_.schedule(now + attacks[i].start, EventKind::kAttack, i);
  }
}

void Attacker::on_timer(Instant now, std::uint32_t attack) {
  const AttackSpec& spec = simulator_.scenario().attacks[attack];
  if (stopped_ || progress_[attack].done >= spec.count) return;
  act(now, attack);
  if (++progress_[attack].done < spec.count) simulator_.schedule(now + spec.interval, EventKind::kAttack, attack);
}

void Attacker::act(Instant now, std::uint32_t attack) {
  const AttackSpec& spec = simulator_.scenario().attacks[attack];
  switch (spec.kind) {
    case AttackKind::kReplay: return replay(now, spec);
    case AttackKind::kIntros:
      return send(now, spec, source_of(spec),
                  cached_intro(simulator_.host(spec.victim).key_index(), next_intro_++).datagram);
    case AttackKind::kJunkIntros:
    case AttackKind::kJunkPackets:
    case AttackKind::kGarbage: return send_random(now, spec);
    case AttackKind::kConnections: static_cast<void>(open(now, spec, attack)); return;
    case AttackKind::kFragments:
    case AttackKind::kAcks:
    case AttackKind::kMessages: {
      HostilePeer*& peer = progress_[attack].peer;
      if (peer == nullptr) peer = &open(now, spec, attack);
      if (peer->established()) return send_as_stranger(now, spec, *peer);
      return send(now, spec, peer->address(), peer->intro());
    }
    case AttackKind::kMutate:
    case AttackKind::kDuplicate:
    case AttackKind::kDelay: return;
  }
}

// --- What an attacker without a connection sends ---

SocketAddress Attacker::source_of(const AttackSpec& spec) {
  const SocketAddress& peer = seen_source_[spec.peer];
  switch (spec.source) {
    case AttackSource::kPeer: return peer;
    case AttackSource::kPeerPrefix: return peer.with_port(static_cast<std::uint16_t>(1 + random_.below(0xffff)));
    case AttackSource::kOwn:
      return SocketAddress::ipv4({192, 0, 2, 1}, static_cast<std::uint16_t>(1024 + random_.below(60'000)));
    case AttackSource::kMany: break;
  }
  const std::uint64_t bits = random_.next_u64();
  const auto octet = [&](int shift) { return static_cast<std::uint8_t>(bits >> shift); };
  const auto port = static_cast<std::uint16_t>(1 + (bits >> 48) % 0xffff);
  if ((bits & 1) != 0) return SocketAddress::ipv4({100, octet(8), octet(16), octet(24)}, port);
  return SocketAddress::ipv6({0x20, 1, 0x0d, 0xb8, octet(8), octet(16), octet(24), octet(32), 0, 0, 0, 0, 0, 0, 0, 1},
                             port);
}

void Attacker::send(Instant now, const AttackSpec& spec, const SocketAddress& source, ByteView bytes) {
  ++datagrams_;
  simulator_.forge(now, spec.victim, source, bytes, spec.other_interface);
}

void Attacker::replay(Instant now, const AttackSpec& spec) {
  std::array<std::size_t, kMostRecorded> fitting;
  std::size_t count = 0;
  for (std::size_t i = 0; i < recorded_.size(); ++i) {
    if (recorded_[i].receiver == spec.victim && recorded_[i].at + spec.delay <= now) fitting[count++] = i;
  }
  if (count == 0) return;
  const Recorded& chosen = recorded_[fitting[random_.below(count)]];
  send(now, spec, spec.source == AttackSource::kPeer ? chosen.source : source_of(spec), chosen.bytes);
}

void Attacker::send_random(Instant now, const AttackSpec& spec) {
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> bytes;
  std::size_t size = wire::kIntroDatagram;
  if (spec.kind == AttackKind::kJunkPackets) {
    size = wire::kSmallestDatagram + random_.below(wire::kMaxDatagram - wire::kSmallestDatagram);
  } else if (spec.kind == AttackKind::kGarbage) {
    size = 1 + random_.below(random_.below(2) == 0 ? 80 : bytes.size());
  }
  random_.fill(MutableBytes(bytes).first(size));
  if (spec.kind == AttackKind::kJunkIntros) bytes[0] = wire::kTypeIntro;
  if (spec.kind == AttackKind::kJunkPackets) bytes[0] = wire::kTypeSymmetric;
  send(now, spec, source_of(spec), ByteView(bytes).first(size));
}

// --- What passes ---

bool Attacker::on_passing(Instant now, std::uint32_t index) {
  const Packet& packet = simulator_.packet(index);
  if (stopped_) return false;
  seen_source_[packet.sender] = packet.source;
  if (!passing_) return false;
  if (recorded_.size() == kMostRecorded) recorded_.pop_front();
  recorded_.push_back({.at = now,
                       .source = packet.source,
                       .receiver = packet.receiver,
                       .bytes = {packet.bytes.begin(), packet.bytes.begin() + packet.size}});
  const Recorded& passing = recorded_.back();
  const auto& attacks = simulator_.scenario().attacks;
  for (std::uint32_t i = 0; i < attacks.size(); ++i) {
    const AttackSpec& spec = attacks[i];
    if (!acts_on_passing(spec.kind) || spec.victim != packet.receiver || spec.peer != packet.sender) continue;
    if (now < simulator_.start() + spec.start || progress_[i].done >= spec.count || random_.below(2) == 0) continue;
    ++progress_[i].done;
    if (spec.kind == AttackKind::kDelay) {
      simulator_.schedule(now + spec.delay, EventKind::kForged, packet.receiver, index);
      return true;
    }
    const SocketAddress source = spec.source == AttackSource::kPeer ? passing.source : source_of(spec);
    if (spec.kind == AttackKind::kDuplicate) {
      send(now, spec, source, passing.bytes);
    } else if (!passing.bytes.empty()) {
      std::vector<std::uint8_t> changed = passing.bytes;
      changed[random_.below(changed.size())] ^= static_cast<std::uint8_t>(1 + random_.below(255));
      send(now, spec, source, changed);
    }
  }
  return false;
}

// --- The authenticated stranger ---

HostilePeer& Attacker::open(Instant now, const AttackSpec& spec, std::uint32_t index) {
  // All of them in one prefix; a connection lives under each port.
  const auto port = static_cast<std::uint16_t>(2000 + index * 1000 + progress_[index].done);
  const SocketAddress own = SocketAddress::ipv4({192, 0, 2, 7}, port);
  auto& peer = peers_[own];
  if (!peer && spec.capabilities) {
    peer = std::make_unique<HostilePeer>(now, own, simulator_.outside_address(spec.victim),
                                         simulator_.host(spec.victim).public_key(), *spec.capabilities, next_intro_++,
                                         random_);
  } else if (!peer) {
    const SealedIntro& intro = cached_intro(simulator_.host(spec.victim).key_index(), next_intro_++);
    peer = std::make_unique<HostilePeer>(own, simulator_.outside_address(spec.victim), intro);
  }
  send(now, spec, own, peer->intro());
  return *peer;
}

void Attacker::on_reply(Instant now, const Packet& packet) {
  const auto found = peers_.find(packet.destination);
  if (stopped_ || found == peers_.end()) return;
  HostilePeer& peer = *found->second;
  const bool was = peer.established();
  const auto answer = peer.receive(now, ByteView(packet.bytes).first(packet.size), random_);
  if (!was && peer.established()) ++connections_;
  if (!answer) return;
  ++datagrams_;
  simulator_.forge(now, packet.sender, peer.address(), *answer, false);
}

void Attacker::send_as_stranger(Instant now, const AttackSpec& spec, HostilePeer& peer) {
  std::vector<std::uint8_t> datagram;
  if (spec.kind == AttackKind::kFragments) datagram = fragment(spec, peer);
  if (spec.kind == AttackKind::kAcks) datagram = acknowledgement(peer);
  if (spec.kind == AttackKind::kMessages) {
    datagram = peer.extended() && random_.below(2) == 0 ? own_frames(peer) : message(peer);
  }
  if (!datagram.empty()) send(now, spec, peer.address(), datagram);
}

std::vector<std::uint8_t> Attacker::fragment(const AttackSpec& spec, HostilePeer& peer) {
  std::array<std::uint8_t, wire::kFragmentPayload> payload;
  wire::StreamFragment hostile;
  // A few streams again and again, or another one each time.
  hostile.stream_id = static_cast<std::uint32_t>(random_.below(random_.below(2) == 0 ? 4 : 1U << 20));
  if (random_.below(4) == 0) hostile.stream_id |= wire::kOperationsBit;
  const std::array<std::uint64_t, 6> totals = {0, 1, 1131, wire::kMaxStreamBytes, wire::kMaxStreamBytes + 1, ~0ULL};
  hostile.total_length = random_.below(2) == 0 ? wire::kMaxStreamBytes : totals[random_.below(totals.size())];
  const std::uint64_t last = wire::fragment_count(hostile.total_length);
  switch (random_.below(5)) {
    case 0: hostile.number = 0; break;
    case 1: hostile.number = static_cast<std::uint32_t>(last); break;  // the highest legal one
    case 2: hostile.number = static_cast<std::uint32_t>(last + 1); break;
    case 3: hostile.number = static_cast<std::uint32_t>(random_.next_u64()); break;
    default: hostile.number = static_cast<std::uint32_t>(1 + random_.below(std::max<std::uint64_t>(last, 1))); break;
  }
  const std::size_t size = random_.below(3) == 0 ? random_.below(payload.size() - 200) : random_.below(3);
  random_.fill(MutableBytes(payload).first(size));
  hostile.payload = ByteView(payload).first(size);
  if (random_.below(8) == 0) hostile.metadata = ByteView(payload).last(random_.below(64));
  ++streams_[spec.victim];
  return peer.seal(hostile);
}

std::vector<std::uint8_t> Attacker::acknowledgement(HostilePeer& peer) {
  std::array<std::uint32_t, wire::kMaxAcksPerNoOp> ids;
  const std::size_t count = 1 + random_.below(random_.below(2) == 0 ? 3 : ids.size());
  const auto first = static_cast<std::uint32_t>(random_.below(4) == 0 ? random_.next_u64() : random_.below(64));
  for (std::size_t i = 0; i < count; ++i) ids[i] = first + static_cast<std::uint32_t>(i);
  return peer.seal(wire::NoOp{}, wire::Acks(ids).first(count));
}

// Frames of the extended form alone, one or several in a packet, with likely and absurd numbers.
std::vector<std::uint8_t> Attacker::own_frames(HostilePeer& peer) {
  std::vector<std::uint8_t> plaintext;
  const auto number = [this] {
    return random_.below(3) == 0 ? random_.next_u64() >> random_.below(64) : random_.below(64);
  };
  for (std::uint64_t frames = 1 + random_.below(3); frames > 0; --frames) {
    switch (random_.below(3)) {
      case 0: {
        const wire::FlowFrame frame{.kind = static_cast<wire::FlowFrame::Kind>(11 + random_.below(5)),
                                    .packet_id = peer.next_id(),
                                    .stream_id = static_cast<std::uint32_t>(random_.below(4)),
                                    .value = number(),
                                    .code = number()};
        const auto bytes = wire::encode(frame);
        plaintext.insert(plaintext.end(), bytes.begin(), bytes.end());
        break;
      }
      case 1: {
        constexpr std::array<std::uint32_t, 6> kKinds = {8, 9, 10, 16, 17, 19};
        const auto bytes = wire::encode(wire::ControlFrame{
            .kind = static_cast<wire::ControlFrame::Kind>(kKinds[random_.below(kKinds.size())]), .data = number()});
        plaintext.insert(plaintext.end(), bytes.begin(), bytes.end());
        break;
      }
      default: {
        const std::uint64_t last = number() >> 2;
        wire::AckFrame frame{.delay = static_cast<std::uint32_t>(number()), .count = 1, .ranges = {}};
        frame.ranges[0] = {.first = last - std::min<std::uint64_t>(last, random_.below(8)), .last = last};
        if (random_.below(2) == 0) frame.ecn = EcnCounts{.ect0 = number(), .ect1 = 0, .ce = number()};
        std::array<std::uint8_t, wire::kLargestAckFrame> bytes;
        const std::size_t size = wire::encode(bytes, frame);
        plaintext.insert(plaintext.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        break;
      }
    }
  }
  return peer.seal_plaintext(plaintext);
}

std::vector<std::uint8_t> Attacker::message(HostilePeer& peer) {
  std::array<std::uint8_t, 400> bytes;
  random_.fill(bytes);
  switch (random_.below(8)) {
    case 0: return peer.seal(wire::ShortMessage{ByteView(bytes).first(random_.below(bytes.size()))});
    case 1: return peer.seal(wire::Ping{random_.next_u64()});
    case 2: return peer.seal(wire::Pong{random_.below(8)});
    case 3: return peer.seal(wire::UpgradeOffer{static_cast<std::uint32_t>(random_.next_u64()), 1});
    case 4: return peer.seal(wire::UpgradeDecline{1, static_cast<std::uint8_t>(random_.below(256))});
    case 5: {  // another key for its session, as after a restart
      const SealedIntro& other = cached_intro(0, static_cast<std::uint32_t>(random_.below(kCachedIntros)));
      return peer.seal(wire::AckOk{.key = other.key, .remote_address = peer.address(), .version = std::nullopt});
    }
    case 6: return peer.seal_plaintext(ByteView(bytes).first(random_.below(bytes.size())));
    default: {  // repeats of one packet id, and one far ahead
      store_le(bytes.data(), static_cast<std::uint32_t>(random_.below(2) == 0 ? 1 : random_.next_u64()));
      store_le<std::uint64_t>(bytes.data() + 4, 0);
      store_le<std::uint32_t>(bytes.data() + 12, 3);
      return peer.seal_plaintext(ByteView(bytes).first(16));
    }
  }
}

}  // namespace godwit::sim
