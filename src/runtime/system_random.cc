#include "runtime/system_random.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.h"

namespace godwit {
namespace {

void draw(MutableBytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = getrandom(bytes.data(), bytes.size(), 0);
    if (count < 0) {
      GODWIT_ASSERT(errno == EINTR);
      continue;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

}  // namespace

SystemRandom::~SystemRandom() {
  wipe(buffer_);
}

void SystemRandom::fill(MutableBytes bytes) {
  if (bytes.size() > buffer_.size() / 2) {
    draw(bytes);
    return;
  }
  if (bytes.size() > buffer_.size() - used_ || guard_.in_child()) {
    draw(buffer_);
    guard_ = ForkGuard{};
    used_ = 0;
  }
  const MutableBytes taken = MutableBytes(buffer_).subspan(used_, bytes.size());
  std::copy(taken.begin(), taken.end(), bytes.begin());
  wipe(taken);
  used_ += bytes.size();
}

}  // namespace godwit
