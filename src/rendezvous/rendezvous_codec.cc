#include "rendezvous/rendezvous_codec.h"

#include <algorithm>
#include <concepts>
#include <utility>

namespace godwit {
namespace {

constexpr std::uint8_t kTypeRegister = 1;
constexpr std::uint8_t kTypeFind = 2;
constexpr std::uint8_t kTypeRegistered = 3;
constexpr std::uint8_t kTypeFound = 4;
constexpr std::uint8_t kTypeIntroduced = 5;

constexpr std::uint8_t kFamilyNone = 0;
constexpr std::uint8_t kFamilyIpv4 = 4;
constexpr std::uint8_t kFamilyIpv6 = 6;

class Writer {
 public:
  explicit Writer(std::uint8_t type) {
    bytes_.assign(kRendezvousMagic.begin(), kRendezvousMagic.end());
    bytes_.push_back(type);
  }
  template <std::unsigned_integral T>
  Writer& number(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    store_le(bytes_.data() + at, value);
    return *this;
  }
  Writer& key(const PublicKey& value) {
    bytes_.insert(bytes_.end(), value.bytes().begin(), value.bytes().end());
    return *this;
  }
  Writer& address(const std::optional<SocketAddress>& value) {
    if (!value || !value->is_specified()) return number(kFamilyNone);
    number(value->is_ipv4() ? kFamilyIpv4 : kFamilyIpv6);
    const auto count = static_cast<std::ptrdiff_t>(value->is_ipv4() ? 4 : 16);
    bytes_.insert(bytes_.end(), value->octets().begin(), value->octets().begin() + count);
    return number(value->port());
  }
  Writer& addresses(const Candidates& values) {
    const std::size_t count = std::min(values.size(), kMaxCandidates);
    number(static_cast<std::uint8_t>(count));
    for (std::size_t i = 0; i < count; ++i) address(values[i]);
    return *this;
  }
  [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

class Reader {
 public:
  explicit Reader(ByteView bytes) : left_(bytes) {}
  template <std::unsigned_integral T>
  [[nodiscard]] T number() {
    const ByteView bytes = take(sizeof(T));
    return bytes.size() == sizeof(T) ? load_le<T>(bytes.data()) : T{0};
  }
  [[nodiscard]] PublicKey key() {
    std::array<std::uint8_t, kPublicKeySize> value{};
    const ByteView bytes = take(value.size());
    std::copy(bytes.begin(), bytes.end(), value.begin());
    return PublicKey(value);
  }
  [[nodiscard]] std::optional<SocketAddress> address() {
    const auto family = number<std::uint8_t>();
    if (family == kFamilyNone) return std::nullopt;
    SocketAddress address;
    if (family == kFamilyIpv4) {
      std::array<std::uint8_t, 4> octets{};
      read_octets(octets);
      address = SocketAddress::ipv4(octets, number<std::uint16_t>());
    } else if (family == kFamilyIpv6) {
      std::array<std::uint8_t, 16> octets{};
      read_octets(octets);
      address = SocketAddress::ipv6(octets, number<std::uint16_t>());
    } else {
      complete_ = false;
    }
    const bool usable = address.is_specified() && !address.is_wildcard() && !address.is_multicast() &&
                        !address.is_link_local() && address.port() != 0;
    return complete_ && usable ? std::optional(address) : std::nullopt;
  }
  [[nodiscard]] Candidates addresses() {
    Candidates result;
    const auto count = number<std::uint8_t>();
    if (count > kMaxCandidates) complete_ = false;
    for (std::uint8_t i = 0; i < count && complete_; ++i) {
      if (const auto each = address()) result.push_back(*each);
    }
    return result;
  }
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  template <std::size_t kSize>
  void read_octets(std::array<std::uint8_t, kSize>& octets) {
    const ByteView bytes = take(kSize);
    std::copy(bytes.begin(), bytes.end(), octets.begin());
  }
  ByteView take(std::size_t count) {
    if (count > left_.size()) {
      complete_ = false;
      left_ = {};
      return {};
    }
    const ByteView taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  ByteView left_;
  bool complete_ = true;
};

RendezvousCode code_of(std::uint8_t value) {
  return value <= static_cast<std::uint8_t>(RendezvousCode::kBusy) ? static_cast<RendezvousCode>(value)
                                                                   : RendezvousCode::kBusy;
}

struct Encoder {
  std::vector<std::uint8_t> operator()(const RendezvousRegister& message) const {
    return Writer(kTypeRegister).addresses(message.candidates).take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousFind& message) const {
    return Writer(kTypeFind)
        .number(message.request)
        .key(message.key)
        .number(static_cast<std::uint8_t>(message.relay ? 1 : 0))
        .addresses(message.candidates)
        .take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousRegistered& message) const {
    return Writer(kTypeRegistered).number(static_cast<std::uint8_t>(message.code)).address(message.observed).take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousFound& message) const {
    return Writer(kTypeFound)
        .number(message.request)
        .number(static_cast<std::uint8_t>(message.code))
        .addresses(message.candidates)
        .address(message.relay)
        .take();
  }
  std::vector<std::uint8_t> operator()(const RendezvousIntroduced& message) const {
    return Writer(kTypeIntroduced).key(message.key).addresses(message.candidates).address(message.relay).take();
  }
};

// Private (RFC 1918), shared (RFC 6598) and unique local (RFC 4193) networks.
bool is_private(const SocketAddress& address) {
  const auto& octets = address.octets();
  if (address.is_ipv6()) return (octets[0] & 0xfe) == 0xfc;
  return octets[0] == 10 || (octets[0] == 172 && (octets[1] & 0xf0) == 16) || (octets[0] == 192 && octets[1] == 168) ||
         (octets[0] == 100 && (octets[1] & 0xc0) == 64);
}

bool is_loopback(const SocketAddress& address) {
  if (address.is_ipv4()) return address.octets()[0] == 127;
  std::array<std::uint8_t, 16> loopback{};
  loopback.back() = 1;
  return address.octets() == loopback;
}

}  // namespace

std::string_view rendezvous_code_text(RendezvousCode code) {
  switch (code) {
    case RendezvousCode::kDone: return "done";
    case RendezvousCode::kUnknownPeer: return "the peer is not registered there";
    case RendezvousCode::kNotAllowed: return "it does not serve this key";
    case RendezvousCode::kFull: return "it has no place left";
    case RendezvousCode::kBusy: return "it was asked too often";
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
  Reader reader(bytes.subspan(kRendezvousMagic.size()));
  std::optional<RendezvousMessage> result;
  // The members of a braced list are read in order.
  switch (reader.number<std::uint8_t>()) {
    case kTypeRegister: result = RendezvousRegister{.candidates = reader.addresses()}; break;
    case kTypeFind:
      result = RendezvousFind{.request = reader.number<std::uint32_t>(),
                              .key = reader.key(),
                              .relay = (reader.number<std::uint8_t>() & 1) != 0,
                              .candidates = reader.addresses()};
      break;
    case kTypeRegistered:
      result = RendezvousRegistered{.code = code_of(reader.number<std::uint8_t>()), .observed = reader.address()};
      break;
    case kTypeFound:
      result = RendezvousFound{.request = reader.number<std::uint32_t>(),
                               .code = code_of(reader.number<std::uint8_t>()),
                               .candidates = reader.addresses(),
                               .relay = reader.address()};
      break;
    case kTypeIntroduced:
      result = RendezvousIntroduced{.key = reader.key(), .candidates = reader.addresses(), .relay = reader.address()};
      break;
    default: break;
  }
  return reader.complete() ? result : std::nullopt;
}

bool is_plausible_candidate(const SocketAddress& claimed, const SocketAddress& observed) {
  if (claimed.with_port(0) == observed.with_port(0)) return true;
  if (is_loopback(claimed)) return is_loopback(observed);
  return is_private(claimed);
}

}  // namespace godwit
