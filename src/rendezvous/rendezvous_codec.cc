#include "rendezvous/rendezvous_codec.h"

#include <algorithm>
#include <variant>

#include "wire/fields.h"

namespace godwit {
namespace {

constexpr std::uint8_t kTypeRegister = 1;
constexpr std::uint8_t kTypeFind = 2;
constexpr std::uint8_t kTypeRegistered = 3;
constexpr std::uint8_t kTypeFound = 4;
constexpr std::uint8_t kTypeIntroduced = 5;
constexpr std::uint8_t kTypeWhere = 6;
constexpr std::uint8_t kTypeSeen = 7;
constexpr std::uint8_t kTypeCodeOpen = 16;
constexpr std::uint8_t kTypeCodeOpened = 17;
constexpr std::uint8_t kTypeCodeStep = 18;
constexpr std::uint8_t kTypeCodeEnded = 19;

// Of seen.
constexpr std::uint8_t kBothHeard = 1;
constexpr std::uint8_t kOwnChanges = 2;
constexpr std::uint8_t kPeersChanges = 4;

constexpr std::uint8_t kRelayIsFull = 1;
constexpr std::uint8_t kFamilyNone = 0;
constexpr std::uint8_t kFamilyIpv4 = 4;
constexpr std::uint8_t kFamilyIpv6 = 6;

using wire::FieldReader;
using wire::FieldWriter;

FieldWriter begin(std::uint8_t type) {
  FieldWriter out(kRendezvousMagic);
  out.number(type);
  return out;
}

void write_address(FieldWriter& out, const std::optional<SocketAddress>& value) {
  if (!value || !value->is_specified()) {
    out.number(kFamilyNone);
    return;
  }
  out.number(value->is_ipv4() ? kFamilyIpv4 : kFamilyIpv6);
  out.bytes(ByteView(value->octets()).first(value->is_ipv4() ? 4 : 16)).number(value->port());
}

void write_pause(FieldWriter& out, std::chrono::milliseconds pause) {
  out.number(static_cast<std::uint16_t>(std::clamp<std::int64_t>(pause.count(), 0, 0xffff)));
}

// A rendezvous of before has none.
std::chrono::milliseconds read_pause(FieldReader& in) {
  return std::min(std::chrono::milliseconds(in.optional_number<std::uint16_t>()), kLongestPunchPause);
}

// The same.
bool read_relay_full(FieldReader& in) {
  return (in.optional_number<std::uint8_t>() & kRelayIsFull) != 0;
}

void write_addresses(FieldWriter& out, const Candidates& values) {
  const std::size_t count = std::min(values.size(), kMaxCandidates);
  out.number(static_cast<std::uint8_t>(count));
  for (std::size_t i = 0; i < count; ++i) write_address(out, values[i]);
}

std::optional<SocketAddress> read_address(FieldReader& in) {
  const auto family = in.number<std::uint8_t>();
  if (family == kFamilyNone) return std::nullopt;
  SocketAddress address;
  if (family == kFamilyIpv4) {
    const auto octets = in.array<4>();
    address = SocketAddress::ipv4(octets, in.number<std::uint16_t>());
  } else if (family == kFamilyIpv6) {
    const auto octets = in.array<16>();
    address = SocketAddress::ipv6(octets, in.number<std::uint16_t>());
  } else {
    in.fail();
  }
  const bool usable = address.is_specified() && !address.is_wildcard() && !address.is_multicast() &&
                      !address.is_link_local() && address.port() != 0;
  return in.complete() && usable ? std::optional(address) : std::nullopt;
}

Candidates read_addresses(FieldReader& in) {
  Candidates result;
  const auto count = in.number<std::uint8_t>();
  if (count > kMaxCandidates) in.fail();
  for (std::uint8_t i = 0; i < count && in.complete(); ++i) {
    if (const auto each = read_address(in)) result.push_back(*each);
  }
  return result;
}

std::optional<PortChanges> read_changes(FieldReader& in) {
  const auto flags = in.optional_number<std::uint8_t>();
  if ((flags & kBothHeard) == 0) return std::nullopt;
  return PortChanges{.own = (flags & kOwnChanges) != 0,
                     .peers = (flags & kPeersChanges) != 0,
                     .peers_port = in.optional_number<std::uint16_t>()};
}

RendezvousCode code_of(std::uint8_t value) {
  return value <= static_cast<std::uint8_t>(kLastRendezvousCode) ? static_cast<RendezvousCode>(value)
                                                                 : RendezvousCode::kBusy;
}

RendezvousCodeStep read_code_step(FieldReader& in) {
  RendezvousCodeStep step{.nameplate = in.number<std::uint32_t>(), .step = in.number<std::uint8_t>(), .bytes = {}};
  const auto size = in.number<std::uint8_t>();
  if (size > kMaxCodeBytes || !in.has(size)) {
    in.fail();
    return step;
  }
  step.bytes.resize(size);
  for (std::uint8_t& byte : step.bytes) byte = in.number<std::uint8_t>();
  return step;
}

struct Encoder {
  std::vector<std::uint8_t> operator()(const RendezvousRegister& message) const {
    FieldWriter out = begin(kTypeRegister);
    write_addresses(out, message.candidates);
    return out.take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousFind& message) const {
    FieldWriter out = begin(kTypeFind);
    out.number(message.request).bytes(message.key.bytes()).number(static_cast<std::uint8_t>(message.relay ? 1 : 0));
    write_addresses(out, message.candidates);
    return out.take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousRegistered& message) const {
    FieldWriter out = begin(kTypeRegistered);
    out.number(static_cast<std::uint8_t>(message.code));
    write_address(out, message.observed);
    return out.take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousFound& message) const {
    FieldWriter out = begin(kTypeFound);
    out.number(message.request).number(static_cast<std::uint8_t>(message.code));
    write_addresses(out, message.candidates);
    write_address(out, message.relay);
    write_pause(out, message.pause);
    out.number(message.relay_full ? kRelayIsFull : std::uint8_t{0});
    return out.take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousIntroduced& message) const {
    FieldWriter out = begin(kTypeIntroduced);
    out.bytes(message.key.bytes());
    write_addresses(out, message.candidates);
    write_address(out, message.relay);
    write_pause(out, message.pause);
    out.number(message.relay_full ? kRelayIsFull : std::uint8_t{0});
    return out.take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousWhere& message) const {
    FieldWriter out = begin(kTypeWhere);
    write_address(out, message.port);
    return out.take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousSeen& message) const {
    FieldWriter out = begin(kTypeSeen);
    write_address(out, message.port);
    write_address(out, message.observed);
    std::uint8_t flags = 0;
    if (message.changes) {
      flags = static_cast<std::uint8_t>(kBothHeard | (message.changes->own ? kOwnChanges : 0) |
                                        (message.changes->peers ? kPeersChanges : 0));
    }
    out.number(flags);
    out.number(message.changes ? message.changes->peers_port : std::uint16_t{0});
    return out.take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousCodeOpen&) const { return begin(kTypeCodeOpen).take(); }
  std::vector<std::uint8_t> operator()(const RendezvousCodeOpened& message) const {
    FieldWriter out = begin(kTypeCodeOpened);
    out.number(static_cast<std::uint8_t>(message.code)).number(message.nameplate).number(message.lifetime_seconds);
    return out.take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousCodeStep& message) const {
    const ByteView bytes = ByteView(message.bytes).first(std::min(message.bytes.size(), kMaxCodeBytes));
    FieldWriter out = begin(kTypeCodeStep);
    out.number(message.nameplate).number(message.step).number(static_cast<std::uint8_t>(bytes.size())).bytes(bytes);
    return out.take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousCodeEnded& message) const {
    FieldWriter out = begin(kTypeCodeEnded);
    out.number(message.nameplate).number(static_cast<std::uint8_t>(message.code));
    return out.take();
  }
};

}  // namespace

std::string_view rendezvous_code_text(RendezvousCode code) {
  switch (code) {
    case RendezvousCode::kDone: return "done";
    case RendezvousCode::kUnknownPeer: return "the peer is not registered there";
    case RendezvousCode::kNotAllowed: return "it does not serve this key";
    case RendezvousCode::kFull: return "it has no place left";
    case RendezvousCode::kBusy: return "it was asked too often";
    case RendezvousCode::kUnknownCode: return "there is no such code: it is mistyped, used up or too old";
    case RendezvousCode::kWrongCode: return "the words of the code were wrong";
    case RendezvousCode::kCodeExpired: return "the code is too old";
    case RendezvousCode::kLeft: return "the other side has gone";
  }
  return "";
}

std::vector<std::uint8_t> encode_rendezvous(const RendezvousMessage& message) {
  return std::visit(Encoder{}, message);
}

bool is_rendezvous_message(ByteView bytes) {
  return bytes.size() > kRendezvousMagic.size() &&
         std::equal(kRendezvousMagic.begin(), kRendezvousMagic.end(), bytes.begin());
}

std::optional<RendezvousMessage> decode_rendezvous(ByteView bytes) {
  if (!is_rendezvous_message(bytes)) return std::nullopt;
  FieldReader reader(bytes.subspan(kRendezvousMagic.size()));
  std::optional<RendezvousMessage> result;
  // The members of a braced list are read in order.
  switch (reader.number<std::uint8_t>()) {
    case kTypeRegister: result = RendezvousRegister{.candidates = read_addresses(reader)}; break;
    case kTypeFind:
      result = RendezvousFind{.request = reader.number<std::uint32_t>(),
                              .key = PublicKey(reader.array<kPublicKeySize>()),
                              .relay = (reader.number<std::uint8_t>() & 1) != 0,
                              .candidates = read_addresses(reader)};
      break;
    case kTypeRegistered:
      result = RendezvousRegistered{.code = code_of(reader.number<std::uint8_t>()), .observed = read_address(reader)};
      break;
    case kTypeFound:
      result = RendezvousFound{.request = reader.number<std::uint32_t>(),
                               .code = code_of(reader.number<std::uint8_t>()),
                               .candidates = read_addresses(reader),
                               .relay = read_address(reader),
                               .pause = read_pause(reader),
                               .relay_full = read_relay_full(reader)};
      break;
    case kTypeIntroduced:
      result = RendezvousIntroduced{.key = PublicKey(reader.array<kPublicKeySize>()),
                                    .candidates = read_addresses(reader),
                                    .relay = read_address(reader),
                                    .pause = read_pause(reader),
                                    .relay_full = read_relay_full(reader)};
      break;
    case kTypeWhere: result = RendezvousWhere{.port = read_address(reader)}; break;
    case kTypeSeen:
      result = RendezvousSeen{
          .port = read_address(reader), .observed = read_address(reader), .changes = read_changes(reader)};
      break;
    case kTypeCodeOpen: result = RendezvousCodeOpen{}; break;
    case kTypeCodeOpened:
      result = RendezvousCodeOpened{.code = code_of(reader.number<std::uint8_t>()),
                                    .nameplate = reader.number<std::uint32_t>(),
                                    .lifetime_seconds = reader.number<std::uint16_t>()};
      break;
    case kTypeCodeStep: result = read_code_step(reader); break;
    case kTypeCodeEnded:
      result = RendezvousCodeEnded{.nameplate = reader.number<std::uint32_t>(),
                                   .code = code_of(reader.number<std::uint8_t>())};
      break;
    default: break;
  }
  return reader.complete() ? result : std::nullopt;
}

bool is_plausible_candidate(const SocketAddress& claimed, const SocketAddress& observed) {
  if (claimed.is_same_host(observed)) return true;
  if (claimed.is_loopback()) return observed.is_loopback();
  return claimed.is_private();
}

}  // namespace godwit
