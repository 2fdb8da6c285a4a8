#include "sim/checker.h"

namespace godwit::sim {

std::string_view rule_name(Rule rule) {
  switch (rule) {
    case Rule::kDeliveredOnce: return "delivered-once";
    case Rule::kIntact: return "intact";
    case Rule::kReported: return "reported";
    case Rule::kHalfReceived: return "half-received";
    case Rule::kConserved: return "conserved";
    case Rule::kInFlight: return "in-flight";
    case Rule::kWindow: return "window";
    case Rule::kPacer: return "pacer";
    case Rule::kQueueBound: return "queue-bound";
    case Rule::kNonce: return "nonce";
    case Rule::kDatagram: return "datagram";
    case Rule::kTimer: return "timer";
    case Rule::kLiveness: return "liveness";
    case Rule::kRetained: return "retained";
    case Rule::kMemory: return "memory";
    case Rule::kAccused: return "accused";
    case Rule::kCounted: return "counted";
    case Rule::kForm: return "form";
    case Rule::kDelay: return "delay";
    case Rule::kFootprint: return "footprint";
    case Rule::kConnect: return "connect";
    case Rule::kUnopened: return "unopened";
    case Rule::kAmplification: return "amplification";
    case Rule::kCount: break;
  }
  return "none";
}

std::string_view mutation_name(Mutation mutation) {
  switch (mutation) {
    case Mutation::kNone: return "none";
    case Mutation::kDeliverTwice: return "deliver-twice";
    case Mutation::kAlterPayload: return "alter-payload";
    case Mutation::kHideConfirmation: return "hide-confirmation";
    case Mutation::kClaimUndelivered: return "claim-undelivered";
    case Mutation::kHideHalfReceived: return "hide-half-received";
    case Mutation::kLeakPacket: return "leak-packet";
    case Mutation::kMiscountInFlight: return "miscount-in-flight";
    case Mutation::kExceedWindow: return "exceed-window";
    case Mutation::kExceedPacer: return "exceed-pacer";
    case Mutation::kOverfillQueue: return "overfill-queue";
    case Mutation::kRepeatNonce: return "repeat-nonce";
    case Mutation::kOversizeDatagram: return "oversize-datagram";
    case Mutation::kForeignType: return "foreign-type";
    case Mutation::kPastTimer: return "past-timer";
    case Mutation::kStallForever: return "stall-forever";
    case Mutation::kRetainConnection: return "retain-connection";
    case Mutation::kHoldMemory: return "hold-memory";
    case Mutation::kAccusePeer: return "accuse-peer";
    case Mutation::kMiscountConnections: return "miscount-connections";
    case Mutation::kMiscountHandshakes: return "miscount-handshakes";
    case Mutation::kMiscountPackets: return "miscount-packets";
    case Mutation::kMiscountTrace: return "miscount-trace";
    case Mutation::kFalsifyForm: return "falsify-form";
    case Mutation::kDelayMessages: return "delay-messages";
    case Mutation::kHoardMemory: return "hoard-memory";
    case Mutation::kFailConnects: return "fail-connects";
    case Mutation::kSpoilDatagrams: return "spoil-datagrams";
    case Mutation::kAmplify: return "amplify";
    case Mutation::kCount: break;
  }
  return "none";
}

}  // namespace godwit::sim
