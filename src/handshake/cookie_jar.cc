#include "handshake/cookie_jar.h"

#include <algorithm>

namespace godwit {

void CookieJar::keep(const PublicKey& peer, const wire::Cookie& cookie) {
  const auto found = std::ranges::find(entries_, peer, &Entry::peer);
  if (found != entries_.end()) {
    found->cookie = cookie;
  } else if (entries_.size() < most_) {
    entries_.push_back({.peer = peer, .cookie = cookie});
  } else if (most_ > 0) {
    entries_[oldest_] = {.peer = peer, .cookie = cookie};
    oldest_ = (oldest_ + 1) % most_;
  }
}

std::optional<wire::Cookie> CookieJar::find(const PublicKey& peer) const {
  const auto found = std::ranges::find(entries_, peer, &Entry::peer);
  return found == entries_.end() ? std::nullopt : std::optional(found->cookie);
}

}  // namespace godwit
