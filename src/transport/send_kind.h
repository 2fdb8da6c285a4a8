// What the send queue names is what recovery keeps of a packet: the two layers below do not know each other. Used by
// Connection alone.
#pragma once

#include "recovery/sent_packets.h"
#include "stream/send_queue.h"

namespace godwit {

[[nodiscard]] inline PacketContent::Kind content_kind_of(SendKind kind) {
  return kind == SendKind::kFragment ? PacketContent::Kind::kFragment : PacketContent::Kind::kMessage;
}

// Requires content of the send queue: not kControl.
[[nodiscard]] inline SendKind send_kind_of(PacketContent::Kind kind) {
  return kind == PacketContent::Kind::kFragment ? SendKind::kFragment : SendKind::kMessage;
}

}  // namespace godwit
