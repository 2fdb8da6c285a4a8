#include "handshake/reset_tokens.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "wire/datagram.h"

namespace godwit {
namespace {

ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

ResetTokens::ResetTokens(const KeyPair& self)
    : key_(hmac_sha256(bytes_of("godwit stateless reset 1"), {self.secret().bytes()})) {}

wire::ResetToken ResetTokens::token(const wire::ConnectionTag& tag, const SocketAddress& remote) const {
  const std::array<std::uint8_t, 3> family_and_port = {static_cast<std::uint8_t>(remote.is_ipv4() ? 4 : 6),
                                                       static_cast<std::uint8_t>(remote.port() >> 8U),
                                                       static_cast<std::uint8_t>(remote.port())};
  const Secret digest = hmac_sha256(key_.bytes, {tag, family_and_port, remote.octets()});
  wire::ResetToken token;
  std::ranges::copy(ByteView(digest.bytes).first(token.size()), token.begin());
  return token;
}

void ResetTokens::write(std::span<std::uint8_t, wire::kResetDatagram> out, const wire::ResetToken& token,
                        RandomSource& random) const {
  random.fill(out);
  out[0] = kSymmetricType;
  std::ranges::copy(token, out.last(token.size()).begin());
}

bool is_reset(ByteView datagram, const wire::ResetToken& token) {
  return datagram.size() == wire::kResetDatagram && constant_time_equal(datagram.last(token.size()), token);
}

}  // namespace godwit
