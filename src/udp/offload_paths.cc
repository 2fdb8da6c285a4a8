#include "udp/offload_paths.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace godwit {
namespace {

HashKey random_key() {
  std::array<std::uint64_t, 2> words{};
  // Without randomness the table works, and its places can be foretold.
  if (::getrandom(words.data(), sizeof words, 0) != static_cast<ssize_t>(sizeof words)) words = {};
  return {words[0], words[1]};
}

}  // namespace

OffloadPaths::OffloadPaths(std::uint32_t retry_batches)
    : retry_batches_(retry_batches), refused_(0, Hash{random_key()}) {}

bool OffloadPaths::admits_known(const SocketAddress& remote) {
  const auto found = refused_.find(remote);
  if (found == refused_.end()) return true;
  if (found->second == 0) return false;
  if (--found->second > 0) return false;
  refused_.erase(found);
  return true;
}

void OffloadPaths::refuse(const SocketAddress& remote, int error) {
  if (refused_.size() >= kMaxPaths) refused_.clear();
  const bool passes = error == ENOBUFS || error == ENOMEM;
  refused_[remote] = passes && retry_batches_ != 0 ? std::min(retry_batches_, kShortRetryBatches) : retry_batches_;
}

}  // namespace godwit
