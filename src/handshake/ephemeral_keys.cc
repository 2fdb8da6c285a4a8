#include "handshake/ephemeral_keys.h"

#include <algorithm>
#include <utility>

#include "handshake/handshake_step.h"

namespace godwit {

Result<KeyPair> EphemeralKeys::take() {
  ++taken_;
  if (pairs_.empty()) return KeyPair::generate(random_);
  ++taken_ready_;
  KeyPair pair = std::move(pairs_.back());
  pairs_.pop_back();
  return pair;
}

bool EphemeralKeys::make_one() {
  if (pairs_.size() >= std::min<std::uint64_t>(most_, taken_)) return false;
  auto pair = KeyPair::generate(random_);
  if (!pair) return false;
  if (pairs_.capacity() == 0) pairs_.reserve(most_);
  pairs_.push_back(std::move(*pair));
  return true;
}

Result<KeyPair> ephemeral_key(const HandshakeContext& context) {
  return context.ephemeral_keys != nullptr ? context.ephemeral_keys->take() : KeyPair::generate(*context.random);
}

}  // namespace godwit
