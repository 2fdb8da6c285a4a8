#include "trace/events.h"

#include <array>
#include <cstddef>

namespace godwit::trace {

std::string_view drop_reason_name(DropReason reason) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(DropReason::kCount)> kNames = {
      "empty",
      "unknown_type",
      "too_short",
      "too_long",
      "unknown_source",
      "rate_limited",
      "replayed_intro",
      "handshake_table_full",
      "connection_table_full",
      "incompatible_version",
      "authentication_failed",
      "undecodable",
      "duplicate",
      "stream_refused",
      "no_room",
      "closed",
      "not_extended",
      "refused_address"};
  const auto index = static_cast<std::size_t>(reason);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::string_view packet_kind_name(PacketKind kind) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(PacketKind::kCount)> kNames = {
      "intro", "ack_connection", "error_ack", "short_message", "stream_fragment",
      "noop",  "ping",           "pong",      "upgrade",       "flow_control"};
  const auto index = static_cast<std::size_t>(kind);
  return index < kNames.size() ? kNames[index] : "unknown";
}

}  // namespace godwit::trace
