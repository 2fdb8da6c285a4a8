// Replaces the global operators new and delete by ones that count what each thread holds, for the memory checker of the
// simulator (sim/live_memory.h). Part of godwit-counted and of the simulator's tests, never of the shipped program.

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#include "sim/live_memory.h"

namespace {

// Not inlined: g++ 12 would see std::free of what operator new returned, and warn.
[[gnu::noinline]] void* allocate(std::size_t size, std::size_t alignment) {
  void* const memory = alignment <= alignof(std::max_align_t)
                           ? std::malloc(size == 0 ? 1 : size)
                           : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc{};
  godwit::sim::LiveMemory::bytes += static_cast<std::int64_t>(malloc_usable_size(memory));
  return memory;
}

[[gnu::noinline]] void release(void* memory) noexcept {
  if (memory == nullptr) return;
  godwit::sim::LiveMemory::bytes -= static_cast<std::int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

[[maybe_unused]] const bool counted = godwit::sim::LiveMemory::counted = true;

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size, 1);
}
void* operator new[](std::size_t size) {
  return allocate(size, 1);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete[](void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  release(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  release(memory);
}
