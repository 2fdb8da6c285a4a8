// Tokens of stateless resets (docs/extended_sessions.md, section 8.1; the idea is that of RFC 9000 section 10.3). A
// side hands its peer a token in the handshake. Restarted, it makes the token anew from what it still has, its static
// key, and from what a datagram of the dead session shows: the connection tag and the address it came from. Whoever
// presents the token has the static key, so that the peer can give the session up at once.
#pragma once

#include <span>

#include "base/address.h"
#include "base/random.h"
#include "crypto/hkdf.h"
#include "crypto/keypair.h"
#include "wire/extension.h"

namespace godwit {

class ResetTokens {
 public:
  explicit ResetTokens(const KeyPair& self);
  // Of a session whose packets to this side carry `tag` and whose peer had the address `remote` in the handshake.
  // Bound to the address, so that a stranger who happens to get the same tag does not learn another one's token.
  [[nodiscard]] wire::ResetToken token(const wire::ConnectionTag& tag, const SocketAddress& remote) const;
  // A datagram that looks like the smallest packet and ends with the token.
  void write(std::span<std::uint8_t, wire::kResetDatagram> out, const wire::ResetToken& token,
             RandomSource& random) const;

 private:
  Secret key_;
};

// Whether the datagram is a reset with this token. The comparison takes the same time wherever they differ.
[[nodiscard]] bool is_reset(ByteView datagram, const wire::ResetToken& token);

}  // namespace godwit
