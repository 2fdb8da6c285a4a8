#include "port_mapping/pcp_codec.h"

#include <algorithm>

namespace godwit::pcp {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kNatPmpVersion = 0;
constexpr std::uint8_t kOpMap = 1;
constexpr std::uint8_t kAnswer = 0x80;
constexpr std::uint8_t kUdp = 17;

// Places of the fields, of a message of kMapSize bytes.
constexpr std::size_t kCode = 3;
constexpr std::size_t kLifetime = 4;
constexpr std::size_t kClient = 8;
constexpr std::size_t kNonce = 24;
constexpr std::size_t kProtocol = 36;
constexpr std::size_t kInner = 40;
constexpr std::size_t kOuter = 42;
constexpr std::size_t kAddress = 44;

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::array<std::uint8_t, kMapSize> encode_map(const SocketAddress& client, const Nonce& nonce, std::uint16_t port,
                                              std::uint16_t wanted, std::uint32_t lifetime_seconds) {
  std::array<std::uint8_t, kMapSize> out{};
  out[0] = kVersion;
  out[1] = kOpMap;
  store_be(&out[kLifetime], lifetime_seconds);
  std::ranges::copy(kMapped, &out[kClient]);
  const auto octets = client.octets();
  std::copy_n(octets.begin(), 4, &out[kClient + kMapped.size()]);
  std::ranges::copy(nonce, &out[kNonce]);
  out[kProtocol] = kUdp;
  store_be(&out[kInner], port);
  store_be(&out[kOuter], wanted);
  std::ranges::copy(kMapped, &out[kAddress]);
  return out;
}

std::optional<MapAnswer> decode_map(ByteView bytes, const Nonce& nonce, std::uint16_t port) {
  if (bytes.size() < 8 || bytes.size() > kMostBytes) return std::nullopt;
  if (bytes[0] == kNatPmpVersion) return MapAnswer{.code = ResultCode::kUnsupportedVersion};
  if (bytes[0] != kVersion || bytes[1] != (kAnswer | kOpMap) || bytes.size() < kMapSize) return std::nullopt;
  if (!std::equal(nonce.begin(), nonce.end(), &bytes[kNonce])) return std::nullopt;
  if (bytes[kProtocol] != kUdp || load_be<std::uint16_t>(&bytes[kInner]) != port) return std::nullopt;
  MapAnswer answer{.code = static_cast<ResultCode>(bytes[kCode]),
                   .lifetime_seconds = load_be<std::uint32_t>(&bytes[kLifetime])};
  if (answer.code != ResultCode::kSuccess) return answer;
  std::array<std::uint8_t, 16> address;
  static_assert(kAddress + address.size() == kMapSize);
  std::copy_n(&bytes[kAddress], address.size(), address.begin());
  answer.mapped = SocketAddress::ipv6(address, load_be<std::uint16_t>(&bytes[kOuter]));
  // Asked for IPv4.
  if (!answer.mapped.is_ipv4()) return std::nullopt;
  return answer;
}

}  // namespace godwit::pcp
