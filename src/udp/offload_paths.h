// Which peers segmentation offload is switched off for. Whether a route's devices can cut datagrams shows only when a
// send is refused, and says nothing about other routes: so the refusal is remembered per remote address. Owned by a
// BatchSender. Costs nothing while no path has refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "base/address.h"
#include "base/keyed_hash.h"

namespace godwit {

class OffloadPaths {
 public:
  // When more paths have refused, all are forgotten and tried anew: each costs one refused call.
  static constexpr std::size_t kMaxPaths = 65536;
  // A full device queue passes; a device without checksum offload stays. The first is tried again this much sooner.
  static constexpr std::uint32_t kShortRetryBatches = 256;

  // `retry_batches`: batches that a path spends without offload before it is tried again; 0: never.
  explicit OffloadPaths(std::uint32_t retry_batches);

  // Whether the next batch to `remote` may use offload. Call once a batch: it counts down to the retry.
  [[nodiscard]] bool admits(const SocketAddress& remote) { return refused_.empty() || admits_known(remote); }
  // The same without counting: for the rest of a batch.
  [[nodiscard]] bool admits_rest(const SocketAddress& remote) const {
    return refused_.empty() || !refused_.contains(remote);
  }

  void refuse(const SocketAddress& remote, int error);
  // The refusal had another cause.
  void forgive(const SocketAddress& remote) { refused_.erase(remote); }

  [[nodiscard]] std::size_t size() const { return refused_.size(); }

 private:
  [[nodiscard]] bool admits_known(const SocketAddress& remote);

  struct Hash {
    HashKey key;
    std::size_t operator()(const SocketAddress& address) const { return static_cast<std::size_t>(address.hash(key)); }
  };

  std::uint32_t retry_batches_;
  std::unordered_map<SocketAddress, std::uint32_t, Hash> refused_;  // batches left until the retry; 0: never
};

}  // namespace godwit
