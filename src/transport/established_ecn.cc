// Explicit congestion notification of an established connection of the extended form: docs/extended_sessions.md,
// section 5.3.

#include "transport/batch_writer.h"
#include "transport/established_connection.h"

namespace godwit {

void EstablishedConnection::note_mark(Ecn ecn) {
  if (!uses_ecn()) return;
  if (ecn_ == nullptr) ecn_ = std::make_unique<EcnPath>();
  ecn_->on_received(ecn);
}

// Idle connections send no data and mark nothing. The peer counts from the first packet on that it takes in the
// session, which it may not do with what reaches it before its own first one has left.
Ecn EstablishedConnection::mark_batch(const BatchWriter& batch, std::uint64_t first) {
  if (batch.tracked_packets() == 0 || !uses_ecn() || !ordinary_packet_seen_) return Ecn::kNone;
  if (ecn_ == nullptr) ecn_ = std::make_unique<EcnPath>();
  if (ecn_->state() == EcnPath::State::kUntested) ecn_->test(first);
  if (!ecn_->marks()) return Ecn::kNone;
  ecn_->on_marked(first, batch.count());
  return Ecn::kEct0;
}

}  // namespace godwit
