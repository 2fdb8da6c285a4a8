// Counts every allocation of the process by operator new: how many there were and how many bytes live. Include in ONE
// source of a test program; it defines the global operators.
#pragma once

#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace godwit {

struct AllocationCounts {
  std::atomic<std::uint64_t> allocations{0};
  std::atomic<std::uint64_t> live_bytes{0};  // as the allocator rounds them

  // Not inlined: g++ 12 would see std::free of what operator new returned, and warn.
  [[gnu::noinline]] void* allocate(std::size_t size, std::size_t alignment) {
    void* memory = alignment <= alignof(std::max_align_t)
                       ? std::malloc(size == 0 ? 1 : size)
                       : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (memory == nullptr) throw std::bad_alloc{};
    allocations.fetch_add(1, std::memory_order_relaxed);
    live_bytes.fetch_add(malloc_usable_size(memory), std::memory_order_relaxed);
    return memory;
  }
  [[gnu::noinline]] void free(void* memory) noexcept {
    if (memory == nullptr) return;
    live_bytes.fetch_sub(malloc_usable_size(memory), std::memory_order_relaxed);
    std::free(memory);
  }
};
inline AllocationCounts allocation_counts;

}  // namespace godwit

void* operator new(std::size_t size) {
  return godwit::allocation_counts.allocate(size, 1);
}
void* operator new[](std::size_t size) {
  return godwit::allocation_counts.allocate(size, 1);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return godwit::allocation_counts.allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return godwit::allocation_counts.allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  godwit::allocation_counts.free(memory);
}
void operator delete[](void* memory) noexcept {
  godwit::allocation_counts.free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  godwit::allocation_counts.free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  godwit::allocation_counts.free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  godwit::allocation_counts.free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  godwit::allocation_counts.free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  godwit::allocation_counts.free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  godwit::allocation_counts.free(memory);
}
