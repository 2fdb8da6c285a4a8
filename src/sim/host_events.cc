// What a simulated machine hears from its endpoint, and what its application does (host.h).

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/host.h"
#include "sim/simulator.h"
#include "transport/connection.h"

namespace godwit::sim {
namespace {

// An attempt that has failed is repeated after this long.
constexpr Duration kReconnectAfter = 1s;

}  // namespace

// --- What the endpoint says ---

void Host::on_event(const trace::Event& event) {
  if (const auto* sent = std::get_if<trace::PacketSent>(&event.data)) {
    ++traced_datagrams_;
    traced_bytes_ += sent->bytes;
    if (sent->kind == trace::PacketKind::kStreamFragment || sent->kind == trace::PacketKind::kShortMessage) {
      sent_data_.push_back({event.connection, sent->bytes, sent->retransmission});
    }
  } else if (const auto* metrics = std::get_if<trace::MetricsUpdated>(&event.data)) {
    simulator_.on_metrics(event.at, index_, event.connection, metrics->pacing_rate, metrics->window_bytes);
  } else if (const auto* dropped = std::get_if<trace::PacketDropped>(&event.data)) {
    if (dropped->reason == trace::DropReason::kAuthenticationFailed) ++unopened_;
  }
  simulator_.on_trace(index_, event);
}

void Host::drain_events(Instant now) {
  while (endpoint_) {
    EndpointEvent* event = [&] {
      const MemoryMeter meter(memory_);
      return endpoint_->poll_event();
    }();
    if (event == nullptr) return;
    worked_ = true;
    handle(now, *event);
  }
}

void Host::handle_chunks(Instant now, ConnectionId id, const StreamChunks& chunks, bool alter) {
  std::vector<std::uint8_t> altered(chunks.first.begin(), chunks.first.end());
  altered.back() ^= 1;
  for (std::uint32_t i = 0; i < chunks.count; ++i) {
    StreamChunk chunk = chunks.chunk(i);
    statistics_.payload_received += chunk.bytes.size();
    if (i == 0 && alter) chunk.bytes = altered;
    const auto number = simulator_.messages().on_chunk(local(now), index_, id, chunk);
    if (number) on_delivered(now, id, *number);
  }
}

void Host::handle(Instant now, EndpointEvent& event) {
  MessageChecker& messages = simulator_.messages();
  const Instant clock = local(now);
  const ConnectionId id = event.connection;
  simulator_.note_event(now, index_, event);
  if (handle_hostile(now, event)) return;
  const Mutation mutation = simulator_.take_mutation(event.event);
  if (const auto* chunks = std::get_if<StreamChunks>(&event.event)) {
    handle_chunks(now, id, *chunks, mutation == Mutation::kAlterPayload);
  } else if (auto* chunk = std::get_if<StreamChunk>(&event.event)) {
    statistics_.payload_received += chunk->bytes.size();
    std::vector<std::uint8_t> altered;
    if (mutation == Mutation::kAlterPayload) {
      altered.assign(chunk->bytes.begin(), chunk->bytes.end());
      altered.back() ^= 1;
      chunk->bytes = altered;
    }
    const auto number = messages.on_chunk(clock, index_, id, *chunk);
    if (number) on_delivered(now, id, *number);
  } else if (auto* message = std::get_if<MessageReceived>(&event.event)) {
    statistics_.payload_received += message->payload.size();
    std::vector<std::uint8_t> bytes;
    ByteView payload = message->payload;
    if (mutation == Mutation::kAlterPayload) {
      bytes.assign(payload.begin(), payload.end());
      bytes.back() ^= 1;
      payload = bytes;
    }
    const auto number = messages.on_message(clock, index_, payload);
    if (mutation == Mutation::kDeliverTwice) static_cast<void>(messages.on_message(clock, index_, payload));
    if (number) on_delivered(now, id, *number);
  } else if (auto* whole = std::get_if<StreamMessage>(&event.event)) {
    statistics_.payload_received += whole->payload.size();
    if (mutation == Mutation::kAlterPayload) whole->payload.back() ^= 1;
    const auto number = messages.on_message(clock, index_, whole->payload);
    if (mutation == Mutation::kDeliverTwice) static_cast<void>(messages.on_message(clock, index_, whole->payload));
    if (number) on_delivered(now, id, *number);
  } else if (const auto* confirmed = std::get_if<MessageConfirmed>(&event.event)) {
    if (mutation == Mutation::kHideConfirmation) return;
    if (mutation == Mutation::kClaimUndelivered) {
      static_cast<void>(messages.on_failed(clock, index_, id, confirmed->message, false));
      return;
    }
    const std::uint64_t number = messages.on_confirmed(clock, index_, id, confirmed->message);
    if (number != 0) simulator_.on_ended(now, number);
  } else if (const auto* failed = std::get_if<MessageFailed>(&event.event)) {
    const std::uint64_t number = messages.on_failed(clock, index_, id, failed->message, failed->may_have_arrived);
    if (number != 0) simulator_.on_ended(now, number);
  } else if (const auto* aborted = std::get_if<StreamAborted>(&event.event)) {
    if (mutation != Mutation::kHideHalfReceived) messages.on_aborted(clock, index_, id, *aborted);
  } else if (const auto* connected = std::get_if<Connected>(&event.event)) {
    ++statistics_.connected;
    simulator_.on_connected(now, index_, connected->remote, id);
    simulator_.check_form(now, index_, connected->remote, connected->form);
    const auto peer = simulator_.public_host_at(connected->remote);
    if (peer) peers_[*peer] = {.connection = id, .reconnect_at = peers_[*peer].reconnect_at, .connected_at = now};
    if (leaving_) endpoint_->close(clock, id, "the scenario has ended");
  } else if (const auto* closed = std::get_if<Closed>(&event.event)) {
    simulator_.state().on_close_reason(
        clock, index_, mutation == Mutation::kAccusePeer ? CloseReason::kProtocolViolation : closed->reason);
    handle_end(now, id, closed->reason);
  } else if (std::holds_alternative<Writable>(event.event)) {
    simulator_.on_writable(now, index_);
  }
}

void Host::handle_end(Instant now, ConnectionId connection, CloseReason reason) {
  ++statistics_.closed;
  simulator_.messages().on_closed(local(now), index_, connection);
  simulator_.on_closed(now, index_, connection, reason);
  drop_replies(now, connection);
  for (std::uint32_t peer = 0; peer < peers_.size(); ++peer) {
    if (peers_[peer].connection != connection) continue;
    peers_[peer] = {.connection = 0, .reconnect_at = now + kReconnectAfter, .connected_at = {}};
    simulator_.on_disconnected(now, index_, peer);
  }
}

bool Host::handle_hostile(Instant now, const EndpointEvent& event) {
  if (const auto* connected = std::get_if<Connected>(&event.event)) {
    if (simulator_.is_host_address(connected->remote)) return false;
    hostile_.insert(event.connection);
    simulator_.on_connected(now, index_, connected->remote, event.connection);
    if (leaving_) endpoint_->close(local(now), event.connection, "the scenario has ended");
  }
  if (!hostile_.contains(event.connection)) return false;
  if (const auto* closed = std::get_if<Closed>(&event.event)) {
    simulator_.on_closed(now, index_, event.connection, closed->reason);
    hostile_.erase(event.connection);
  }
  return true;
}

void Host::on_delivered(Instant now, ConnectionId connection, std::uint64_t number) {
  const std::uint64_t reply = simulator_.on_delivered(now, number);
  if (reply != 0) replies_.push_back({connection, reply});
}

// --- The application ---

void Host::send_replies(Instant now) {
  while (!replies_.empty() && endpoint_) {
    const Reply reply = replies_.front();
    const SendOutcome outcome = post(now, reply.connection, reply.number);
    if (outcome == SendOutcome::kBlocked) return;
    replies_.pop_front();
    if (outcome == SendOutcome::kAccepted) continue;
    simulator_.messages().on_refused(reply.number);
    simulator_.on_ended(now, reply.number);
  }
}

void Host::drop_replies(Instant now, std::optional<ConnectionId> connection) {
  std::vector<std::uint64_t> dropped;
  std::erase_if(replies_, [&](const Reply& reply) {
    if (connection && reply.connection != *connection) return false;
    dropped.push_back(reply.number);
    return true;
  });
  for (const std::uint64_t number : dropped) {
    simulator_.messages().on_refused(number);
    simulator_.on_ended(now, number);
  }
}

Host::SendOutcome Host::send(Instant now, std::uint64_t number) {
  if (!endpoint_) return SendOutcome::kNoConnection;
  const std::uint32_t to = simulator_.messages().record(number).to;
  Peer& peer = peers_[to];
  if (peer.connection == 0) {
    if (now < peer.reconnect_at) return SendOutcome::kNoConnection;
    const auto started = initiate(now, to);
    if (!started) return SendOutcome::kNoConnection;
    peer.connection = *started;
  }
  return post(now, peer.connection, number);
}

Host::SendOutcome Host::post(Instant now, ConnectionId connection, std::uint64_t number) {
  MessageChecker& messages = simulator_.messages();
  const std::uint64_t size = messages.record(number).size;
  Body body = messages.payload().body(number, size);
  if (sealing_) {
    body = watched(std::move(body), [this, now, number](ByteView bytes) {
      if (!sealing_->reads(bytes)) return;
      simulator_.check_log().report(Rule::kIntact, now, fmt::format("message {} is released unsealed", number));
    });
  }
  const auto id = [&] {
    const MemoryMeter meter(memory_);
    return endpoint_->send(local(now), connection, std::move(body));
  }();
  if (id) {
    messages.on_accepted(index_, connection, *id, number, endpoint_->stream_id(connection, *id));
    worked_ = true;
    return SendOutcome::kAccepted;
  }
  return id.error().code == ErrorCode::kWouldBlock ? SendOutcome::kBlocked : SendOutcome::kRefused;
}

std::optional<ConnectionStatistics> Host::connection_statistics(std::uint32_t peer) const {
  if (!endpoint_ || peers_[peer].connection == 0) return std::nullopt;
  return endpoint_->statistics(peers_[peer].connection);
}

}  // namespace godwit::sim
