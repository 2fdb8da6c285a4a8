#include "runtime/fork_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"

namespace godwit {
namespace {

volatile std::uint64_t* map_page() noexcept {
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  // Without it two processes could share a key stream unnoticed: nothing is safe to do then.
  GODWIT_ASSERT(page != MAP_FAILED);
  GODWIT_ASSERT(madvise(page, size, MADV_WIPEONFORK) == 0);
  return static_cast<volatile std::uint64_t*>(page);
}

}  // namespace

volatile std::uint64_t* ForkGuard::generation() noexcept {
  static volatile std::uint64_t* const page = map_page();
  return page;
}

ForkGuard::ForkGuard() noexcept {
  volatile std::uint64_t* const page = generation();
  // No ancestor that lives has this number: a guard that was inherited never takes the child for its maker.
  if (*page == 0) *page = static_cast<std::uint64_t>(getpid());
  generation_ = *page;
}

}  // namespace godwit
