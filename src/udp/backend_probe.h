// Finds out what this machine's kernel really does, by doing it: setting an option proves nothing, so the probe sends
// over loopback and compares what arrives. make_backend(kAuto) follows it; `godwit doctor` prints it.
#pragma once

#include <cstdint>
#include <string>

#include "udp/backend.h"

namespace godwit {

struct ProbeFinding {
  bool works = false;
  std::string reason;  // one clause: what was seen
};

struct BackendProbe {
  KernelVersion kernel;
  ProbeFinding loopback;              // passes a datagram: without it nothing else can be proved
  ProbeFinding mmsg;                  // sendmmsg and recvmmsg
  ProbeFinding segmentation_offload;  // UDP_SEGMENT
  ProbeFinding receive_offload;       // UDP_GRO
  ProbeFinding uring;                 // io_uring with all that the back end needs
  BackendKind chosen = BackendKind::kSendto;
  std::string choice;  // one line: what kAuto takes, and why

  // A line a finding, then the choice.
  [[nodiscard]] std::string to_text() const;
};

// Whether io_uring is tried as well. make_backend(kAuto) does not: it never takes it, and some sandboxes end a process
// that asks for a ring.
enum class ProbeScope : std::uint8_t { kAll, kWithoutUring };

// Opens sockets of its own and takes about a millisecond. Never fails: what cannot be proved does not work, except
// where loopback itself is down; then what the kernel offers is believed, as a refusal switches it off path by path
// anyway. Uses `config.send_calls`, `config.kernel` and `config.allow_defective_kernel`.
[[nodiscard]] BackendProbe probe_backends(const BackendConfig& config, ProbeScope scope = ProbeScope::kAll);

}  // namespace godwit
