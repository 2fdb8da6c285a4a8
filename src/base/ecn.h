// Explicit congestion notification (RFC 3168): the two bits of an IP header by which a router says that its queue is
// filling, without dropping anything.
#pragma once

#include <cstdint>

namespace godwit {

// The two low bits of the type of service (IPv4) and of the traffic class (IPv6).
enum class Ecn : std::uint8_t {
  kNone = 0,  // not capable: a router drops
  kEct1 = 1,  // capable; L4S (RFC 9331), which is not sent
  kEct0 = 2,  // capable
  kCe = 3,    // a router would have dropped it, or soon will
};

// Packets that have come with each mark, from the start of a session.
struct EcnCounts {
  std::uint64_t ect0 = 0;
  std::uint64_t ect1 = 0;
  std::uint64_t ce = 0;

  void add(Ecn mark) {
    if (mark == Ecn::kEct0) ++ect0;
    if (mark == Ecn::kEct1) ++ect1;
    if (mark == Ecn::kCe) ++ce;
  }
  friend bool operator==(const EcnCounts&, const EcnCounts&) = default;
};

}  // namespace godwit
