// Ctrl-C and SIGTERM as a flag: the first signal asks the command to end cleanly and wakes its loop, a second one ends
// the process at once. One watch at a time in a process.
#pragma once

#include "runtime/node.h"

namespace godwit::cli {

class InterruptWatch {
 public:
  // `node` outlives the watch. Also ignores SIGPIPE and SIGXFSZ, which become error codes of the calls that cause them.
  explicit InterruptWatch(Node& node);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  [[nodiscard]] bool requested() const;
};

}  // namespace godwit::cli
