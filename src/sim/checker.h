// What must always hold, checked apart from the system after every event. Each rule has a checker that sees only what
// is observable from outside (the wire, the application's events) or through Endpoint::inspect(); CheckLog collects
// what they find. Owned by Simulator. The tests break each rule once at its seam (Mutation) to prove that its checker
// can fail.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace godwit::sim {

enum class Rule : std::uint8_t {
  kDeliveredOnce,  // a message reaches the application of one incarnation of its receiver at most once, and only that
                   // one
  kIntact,         // its bytes are those that were sent, in order
  kReported,       // a confirmed message has arrived; one that arrived is never reported as certainly lost; each ends
  kHalfReceived,   // the receiver reports each stream that began and does not end
  kConserved,      // packets and bytes: what goes in comes out, is dropped and counted, or is inside
  kInFlight,       // bytes in flight are the sum over the ring of sent packets
  kWindow,         // new data is not sent beyond the congestion window
  kPacer,          // data never exceeds the pacing rate over any window
  kQueueBound,     // no queue beyond its bound
  kNonce,          // no nonce twice, but for a datagram that is repeated byte for byte
  kDatagram,       // 1 to 1200 bytes, more in extended sessions, the first one 01 or 02
  kTimer,          // no timer in the past, no wake-ups without effect
  kLiveness,       // flows end within the bound derived from the path
  kRetained,       // nothing is kept after the end
  kMemory,         // what inbound streams hold is in proportion to what the peer has sent
  kAccused,        // no honest peer is closed as one that breaks the protocol, or for its share of memory
  kCounted,        // an endpoint's counters add up, and say what its application was told and its trace records
  kForm,           // two hosts speak the extended form exactly if both have it, and one that requires it no other
  // With an attacker:
  kDelay,          // a message of a live session arrives within a bound derived from its path
  kFootprint,      // all that an endpoint allocates is proportional to what strangers have sent, plus constants
  kConnect,        // a legitimate attempt to connect succeeds
  kUnopened,       // a peer gets at most 10 datagrams within 30 s from the other end that it cannot open
  kAmplification,  // at most 3 bytes to an unproven address for each byte from it
  kCount
};
[[nodiscard]] std::string_view rule_name(Rule rule);

struct Violation {
  Rule rule = Rule::kCount;
  Instant at{};
  std::string text;
};

// The ways in which a test breaks a rule on purpose, at the seam between the system and its checkers.
enum class Mutation : std::uint8_t {
  kNone,
  kDeliverTwice,
  kAlterPayload,
  kHideConfirmation,  // the sender's application never learns of a confirmation
  kClaimUndelivered,  // a confirmed message is reported as failed and certainly lost
  kHideHalfReceived,
  kLeakPacket,  // a link counts a packet that never was
  kMiscountInFlight,
  kExceedWindow,
  kExceedPacer,
  kOverfillQueue,
  kRepeatNonce,
  kOversizeDatagram,
  kForeignType,
  kPastTimer,
  kStallForever,
  kRetainConnection,
  kHoldMemory,
  kAccusePeer,
  kMiscountConnections,
  kMiscountHandshakes,
  kMiscountPackets,
  kMiscountTrace,
  kFalsifyForm,  // a session counts as one of the other form
  kDelayMessages,
  kHoardMemory,
  kFailConnects,
  kSpoilDatagrams,  // what a peer sends counts as unopened
  kAmplify,
  kCount
};
[[nodiscard]] std::string_view mutation_name(Mutation mutation);

class CheckLog {
 public:
  void report(Rule rule, Instant at, std::string text) {
    ++counts_[static_cast<std::size_t>(rule)];
    if (violations_.size() < kMostKept) violations_.push_back({rule, at, std::move(text)});
  }
  [[nodiscard]] bool clean() const { return violations_.empty(); }
  [[nodiscard]] const std::vector<Violation>& violations() const { return violations_; }
  [[nodiscard]] std::uint64_t count(Rule rule) const { return counts_[static_cast<std::size_t>(rule)]; }

 private:
  static constexpr std::size_t kMostKept = 16;
  std::vector<Violation> violations_;
  std::array<std::uint64_t, static_cast<std::size_t>(Rule::kCount)> counts_{};
};

}  // namespace godwit::sim
