// Where a packet's time goes: cost probes placed along the data path of transport/ and runtime/. A probe names the step
// that begins; the sink reads the clock, so the core still has none. Probes exist only in the *_probed libraries, the
// same sources compiled with GODWIT_COST_PROBES. In the ordinary build a probe is one of the provider godwit, where
// <sys/sdt.h> exists (docs/observability.md): one instruction that does nothing until a tracer puts a breakpoint there.
#pragma once

#if !defined(GODWIT_NO_PROBES) && __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#endif

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace godwit::trace {

enum class CostStep : std::uint8_t {
  kOther,        // whatever no probe claims: the remainder
  kIdle,         // waiting for input or a timer
  kEncode,       // choosing the next payload and writing the message header
  kSeal,         // AES-128-GCM, with the one pass over the application's bytes
  kBookkeeping,  // ring, window, pacer, queues
  kSendCall,     // the system call that sends
  kReceiveCall,  // the system call that receives
  kRoute,        // address to connection
  kOpen,         // AES-128-GCM of a received datagram
  kDecode,       // plaintext to message
  kReassemble,   // streams and hand-over
  kAcknowledge,  // duplicate filter, acknowledgements in both directions, loss detection, congestion control
  kDigest,       // the hash a benchmark keeps of what was delivered
  kApplication,  // the application's own handler
  kCount
};

inline constexpr std::size_t kCostSteps = static_cast<std::size_t>(CostStep::kCount);

// Lower-case name of a step, as it stands in JSON.
[[nodiscard]] std::string_view cost_step_name(CostStep step);

// The time since the previous probe belongs to the step named by the previous probe.
class CostSink {
 public:
  virtual ~CostSink() = default;
  virtual void probe(CostStep next) = 0;
  // The running sample belongs to `step` after all: what it was shows at its end, as with polling that has found
  // something.
  virtual void rename_sample(CostStep step) = 0;
};

}  // namespace godwit::trace

// The argument is the number of the step.
#if defined(DTRACE_PROBE1)
#define GODWIT_PROBE(name) DTRACE_PROBE1(godwit, step, static_cast<int>(::godwit::trace::CostStep::name))
#else
#define GODWIT_PROBE(name) static_cast<void>(0)
#endif

#if defined(GODWIT_COST_PROBES)
#define GODWIT_COST_PROBE(sink, step)                                      \
  do {                                                                     \
    if ((sink) != nullptr) (sink)->probe(::godwit::trace::CostStep::step); \
  } while (false)
#define GODWIT_RENAME_SAMPLE(sink, step)                                           \
  do {                                                                             \
    if ((sink) != nullptr) (sink)->rename_sample(::godwit::trace::CostStep::step); \
  } while (false)
#else
#define GODWIT_COST_PROBE(sink, step) \
  do {                                \
    static_cast<void>(sink);          \
    GODWIT_PROBE(step);               \
  } while (false)
#define GODWIT_RENAME_SAMPLE(sink, step) static_cast<void>(sink)
#endif
