// Ctrl-C, SIGTERM and SIGHUP as a flag: the first signal asks the command to end cleanly and wakes its loop, a second
// one ends the process at once, unless it is another SIGHUP: a closed terminal sends several. A SIGHUP that was ignored
// when the program started (nohup) stays ignored. One watch at a time in a process.
#pragma once

#include "cli/descriptor_set.h"
#include "runtime/node.h"

namespace godwit::cli {

class InterruptWatch {
 public:
  // Both outlive the watch; `descriptors` may be null.
  explicit InterruptWatch(Node& node, DescriptorSet* descriptors = nullptr);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  [[nodiscard]] bool requested() const;
};

}  // namespace godwit::cli
