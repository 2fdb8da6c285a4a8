#include "transport/event.h"

namespace godwit {

std::string_view close_reason_name(CloseReason reason) {
  switch (reason) {
    case CloseReason::kLocal: return "closed locally";
    case CloseReason::kRemote: return "closed by the peer";
    case CloseReason::kIdleTimeout: return "idle time-out";
    case CloseReason::kReplaced: return "replaced by a new session";
    case CloseReason::kHandshakeFailed: return "handshake failed";
    case CloseReason::kKeyExhausted: return "packet limit of the key reached";
    case CloseReason::kUnauthenticated: return "peer not authenticated";
    case CloseReason::kMemory: return "evicted for its share of memory";
    case CloseReason::kProtocolViolation: return "protocol violation by the peer";
    case CloseReason::kEvicted: return "connection table full";
    case CloseReason::kReset: return "session lost by the peer";
    case CloseReason::kCount: break;
  }
  return "unknown";
}

}  // namespace godwit
