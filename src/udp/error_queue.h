// What the kernel knows about datagrams that did not get through: refusals of sends, and ICMP errors from the socket's
// error queue (IP_RECVERR, IPV6_RECVERR), each with the peer it concerns. Owned by a back end, filled by its halves,
// read by the Node. A pending ICMP error makes the next system call on the socket fail, whatever peer that call was
// for: drain() tells such a failure from a refusal.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/path_problem.h"
#include "udp/backend_statistics.h"
#include "udp/socket.h"

namespace godwit {

class ErrorQueue {
 public:
  // Peers with a report that nobody has read yet. Further ones are counted and left out.
  static constexpr std::size_t kMaxReports = 64;

  ErrorQueue(const Socket& socket, BackendStatistics& statistics)
      : descriptor_(socket.has_kernel_reports() ? socket.descriptor() : -1), statistics_(statistics) {}

  // Reads what ICMP reported; the number of messages. One system call when there is none.
  std::size_t drain();
  // A send to `remote` was refused with `error`, an errno; or, unless `refused`, ICMP refused it later.
  void add(const SocketAddress& remote, int error, bool refused = true);
  // The oldest report, one for each peer: a newer one about the same peer has taken its place.
  [[nodiscard]] std::optional<PathReport> poll();

 private:
  int descriptor_;  // -1: the kernel keeps no queue
  BackendStatistics& statistics_;
  std::vector<PathReport> reports_;
};

// kNone for an errno that says nothing about the path (no memory, would block).
[[nodiscard]] PathProblem path_problem_of(int error);

}  // namespace godwit
