// Cookies of peers that come back (docs/extended_sessions.md, section 3.5). An acceptor hands one out inside its
// answer, where nobody but the peer can read it. Who shows it again beside an offer has had a session with this side
// within the last day, and is not taken for one of the strangers who flood it. Restarted, a side still knows its
// cookies: they are made from its static key. To others a cookie is a string of bytes without a meaning.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "crypto/hkdf.h"
#include "crypto/keypair.h"
#include "wire/extension.h"

namespace godwit {

class Cookies {
 public:
  explicit Cookies(const KeyPair& self);
  // `time_ms`: milliseconds since 1970. Each cookie is another one, so that one that is passed around can be limited.
  [[nodiscard]] wire::Cookie issue(std::uint64_t time_ms, RandomSource& random) const;
  // Whether this side issued it within kLifetimeMs before `time_ms`. One HMAC; takes the same time wherever they
  // differ.
  [[nodiscard]] bool valid(const wire::Cookie& cookie, std::uint64_t time_ms) const;

  static constexpr std::uint64_t kLifetimeMs = std::uint64_t{24} * 3600 * 1000;

 private:
  Secret key_;
};

}  // namespace godwit
