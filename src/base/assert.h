// GODWIT_ASSERT: the check for errors of the programmer, on in release builds too. What a peer or a network can
// cause is never asserted: it is a value (DropReason, CloseReason, Error).
#pragma once

namespace godwit {

// Prints the condition and its place on standard error and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace godwit

#define GODWIT_ASSERT(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::godwit::assertion_failed(#condition, __FILE__, __LINE__))
