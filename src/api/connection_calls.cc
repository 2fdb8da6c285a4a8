#include "api/connection_calls.h"

#include <fmt/format.h>

#include <utility>

#include "base/path_problem.h"
#include "congestion/controller.h"

namespace godwit::v1 {
namespace {

std::unexpected<Error> not_found() {
  return std::unexpected(Error{ErrorCode::kNotFound, "the connection has ended"});
}

// What an application can set for one message, in the implementation's terms.
Result<::godwit::SendOptions> to_send_options(Instant now, const SendOptions& options) {
  ::godwit::SendOptions result;
  if (options.operations) {
    result.as = SendAs::kOperationsStream;
  } else if (options.stream) {
    result.as = SendAs::kStream;
  }
  if (options.metadata && !options.operations) {
    return std::unexpected(Error{ErrorCode::kInvalidArgument, "only an operations stream carries metadata"});
  }
  if (options.unreliable && (options.stream || options.operations)) {
    return std::unexpected(Error{ErrorCode::kInvalidArgument, "no stream is unreliable"});
  }
  result.unreliable = options.unreliable;
  result.urgency = options.urgency;
  result.metadata = options.metadata;
  if (options.send_limit) result.send_limit = *options.send_limit;
  if (options.deadline) {
    // Times beyond a year are refused as those of Options are: their sum with the present could overflow.
    if (*options.deadline <= Duration::zero() || *options.deadline > std::chrono::years{1}) {
      return std::unexpected(Error{ErrorCode::kInvalidArgument, "a deadline is above zero and at most a year"});
    }
    result.deadline = now + *options.deadline;
  }
  return result;
}

std::size_t slot_of(ConnectionId connection) {
  return static_cast<std::size_t>(connection & 0xffff'ffffU);
}

}  // namespace

Result<MessageId> ConnectionCalls::send(Instant now, ConnectionId connection, Body& body, const SendOptions& options) {
  auto converted = to_send_options(now, options);
  if (!converted) return std::unexpected(converted.error());
  auto sent = endpoint_->send(now, connection, std::move(body), std::move(*converted));
  if (!sent) return to_public(sent.error());
  ++record(connection).unacknowledged;
  return *sent;
}

Result<MessageId> ConnectionCalls::open_stream(Instant now, ConnectionId connection, const SendOptions& options) {
  auto converted = to_send_options(now, options);
  if (!converted) return std::unexpected(converted.error());
  const auto opened = endpoint_->open_stream(now, connection, *converted);
  if (!opened) return to_public(opened.error());
  ++record(connection).unacknowledged;
  return *opened;
}

Result<void> ConnectionCalls::append(ConnectionId connection, MessageId stream, ByteView bytes) {
  const auto appended = endpoint_->append(connection, stream, bytes);
  if (!appended) return to_public(appended.error());
  return {};
}

Result<MessageId> ConnectionCalls::send(Instant now, ConnectionId connection, std::vector<std::uint8_t>&& bytes,
                                        const SendOptions& options) {
  Body body = Body::owned(std::move(bytes));
  auto sent = send(now, connection, body, options);
  // A refused message is still the caller's, who may try again.
  if (!sent) bytes = body.take_owned();
  return sent;
}

Result<MessageId> ConnectionCalls::send_pieces(Instant now, ConnectionId connection, std::span<const ByteView> pieces,
                                               const SendOptions& options) {
  std::vector<std::uint8_t> bytes;
  std::size_t size = 0;
  for (const ByteView piece : pieces) size += piece.size();
  bytes.reserve(size);
  for (const ByteView piece : pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
  return send(now, connection, std::move(bytes), options);
}

Result<MessageId> ConnectionCalls::send_borrowed(Instant now, ConnectionId connection, ByteView bytes,
                                                 const SendOptions& options) {
  Body body = Body::borrowed(bytes);
  return send(now, connection, body, options);
}

Result<void> ConnectionCalls::set_congestion(Instant now, ConnectionId connection, std::string_view name) {
  const auto kind = parse_congestion_kind(name);
  if (!kind)
    return std::unexpected(Error{ErrorCode::kInvalidArgument, fmt::format("no congestion controller '{}'", name)});
  if (!is_open(connection)) return not_found();
  endpoint_->set_congestion(now, connection, *kind);
  return {};
}

Result<void> ConnectionCalls::set_rate_limit(Instant now, ConnectionId connection, std::uint64_t bits_per_second) {
  std::optional<Bandwidth> limit;
  if (bits_per_second != 0) {
    if (bits_per_second < 8 || bits_per_second > 1'000'000'000'000'000U) {
      return std::unexpected(Error{ErrorCode::kInvalidArgument, "a rate is 8 to 10^15 bits per second, or 0"});
    }
    limit = Bandwidth::from_bits_per_second(bits_per_second);
  }
  if (!is_open(connection)) return not_found();
  endpoint_->set_rate_limit(now, connection, limit);
  return {};
}

Result<void> ConnectionCalls::set_user_data(ConnectionId connection, std::uint64_t user_data) {
  if (!is_open(connection)) return not_found();
  record(connection).user_data = user_data;
  return {};
}

std::shared_ptr<const Statistics> ConnectionCalls::statistics(ConnectionId connection) const {
  const auto found = endpoint_->statistics(connection);
  if (!found) return nullptr;
  return std::make_shared<const Statistics>(to_public(*found));
}

std::shared_ptr<const EndpointStatistics> ConnectionCalls::statistics() const {
  auto result = std::make_shared<EndpointStatistics>(to_public(endpoint_->statistics()));
  result->connections = endpoint_->connection_count();
  return result;
}

Path ConnectionCalls::path(ConnectionId connection) const {
  // The numbers of both lists are the same.
  static_assert(static_cast<int>(PathReason::kRelayFull) == static_cast<int>(PathWhy::kRelayFull));
  const auto state = endpoint_->path_state(connection);
  if (!state || !state->searches) return Path(PathWhy::kDirect);
  Path path(static_cast<PathWhy>(state->reason()));
  path.relayed = state->relayed;
  path.addresses = state->addresses;
  path.challenges = state->challenges;
  path.heard_directly = state->heard_direct || state->moves > 0;
  path.moves = state->moves;
  path.returns = state->returns;
  return path;
}

std::string Path::text() const {
  return std::string(path_reason_text(static_cast<PathReason>(why_)));
}

Liveness ConnectionCalls::liveness(ConnectionId connection) const {
  const auto found = endpoint_->liveness(connection);
  return {.suspect = found.suspect, .problem = std::string(path_problem_name(found.problem))};
}

Event ConnectionCalls::take(ConnectionId connection, const ::godwit::Event& event) {
  Event result = to_public(connection, event);
  Record* const known = find(connection);
  if (known == nullptr) return result;
  result.user_data = known->user_data;
  const bool ends_message = result.kind == Event::Kind::kAcknowledged || result.kind == Event::Kind::kFailed;
  if (ends_message && known->unacknowledged > 0) --known->unacknowledged;
  if (result.kind == Event::Kind::kClosed) *known = {};
  return result;
}

std::uint64_t ConnectionCalls::unacknowledged(ConnectionId connection) {
  const Record* const known = find(connection);
  return known == nullptr ? 0 : known->unacknowledged;
}

ConnectionCalls::Record& ConnectionCalls::record(ConnectionId connection) {
  const std::size_t slot = slot_of(connection);
  if (slot >= records_.size()) records_.resize(slot + 1);
  if (records_[slot].connection != connection) records_[slot] = {.connection = connection};
  return records_[slot];
}

ConnectionCalls::Record* ConnectionCalls::find(ConnectionId connection) {
  const std::size_t slot = slot_of(connection);
  if (slot >= records_.size() || records_[slot].connection != connection) return nullptr;
  return &records_[slot];
}

}  // namespace godwit::v1
