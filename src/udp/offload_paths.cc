#include "udp/offload_paths.h"

#include <algorithm>
#include <cerrno>

namespace godwit {

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
  refused_[remote] = passes && retry_runs_ != 0 ? std::min(retry_runs_, kShortRetryRuns) : retry_runs_;
}

}  // namespace godwit
