// Bytes that the calling thread has allocated by operator new and not freed, in a program that counts them (a source
// outside this library replaces the global operators). What the memory checker measures endpoints by: it trusts no
// account that the endpoint keeps of itself.
#pragma once

#include <cstdint>

namespace godwit::sim {

struct LiveMemory {
  static inline thread_local std::int64_t bytes = 0;
  static inline bool counted = false;  // set once, before main
};

// Adds what is allocated during its lifetime to a sum, less what is freed.
class MemoryMeter {
 public:
  explicit MemoryMeter(std::int64_t& sum) : sum_(sum), before_(LiveMemory::bytes) {}
  ~MemoryMeter() { sum_ += LiveMemory::bytes - before_; }
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

 private:
  std::int64_t& sum_;
  std::int64_t before_;
};

}  // namespace godwit::sim
