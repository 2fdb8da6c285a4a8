// The pooled memory that chunk views in the hands of the application still point into. One object per endpoint: the
// memory of every connection registers here when it hands out a view, and all of it is released at one place, when the
// endpoint's event queue has been drained. Nothing on the way in releases anything, whatever arrives and however often.
#pragma once

#include <vector>

namespace godwit {

class ReassemblyMemory;

class DeliveredMemory {
 public:
  // `memory` has handed out its first view since the last release. It stays alive until then, or calls remove().
  void add(ReassemblyMemory& memory) { holders_.push_back(&memory); }
  void remove(const ReassemblyMemory& memory);
  // No view is in use any more.
  void release() {
    if (!holders_.empty()) [[unlikely]]
      release_holders();
  }

 private:
  void release_holders();

  std::vector<ReassemblyMemory*> holders_;  // each once
};

}  // namespace godwit
