// What the public Node and the public Endpoint have in common: calls on one endpoint of the implementation, and what
// the API itself remembers of its connections (the application's number, messages that are not acknowledged yet). Used
// by api/ alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "api/convert.h"
#include "transport/endpoint.h"

namespace godwit::v1 {

class ConnectionCalls {
 public:
  // `endpoint` outlives this object.
  explicit ConnectionCalls(::godwit::Endpoint& endpoint) : endpoint_(&endpoint) {}

  // `bytes` is as it was when that fails.
  [[nodiscard]] Result<MessageId> send(Instant now, ConnectionId connection, std::vector<std::uint8_t>&& bytes,
                                       const SendOptions& options);
  [[nodiscard]] Result<MessageId> send_pieces(Instant now, ConnectionId connection, std::span<const ByteView> pieces,
                                              const SendOptions& options);
  [[nodiscard]] Result<MessageId> open_stream(Instant now, ConnectionId connection, const SendOptions& options);
  [[nodiscard]] Result<void> append(ConnectionId connection, MessageId stream, ByteView bytes);
  [[nodiscard]] Result<MessageId> send_borrowed(Instant now, ConnectionId connection, ByteView bytes,
                                                const SendOptions& options);
  [[nodiscard]] Result<void> set_congestion(Instant now, ConnectionId connection, std::string_view name);
  [[nodiscard]] Result<void> set_rate_limit(Instant now, ConnectionId connection, std::uint64_t bits_per_second);
  [[nodiscard]] Result<void> set_user_data(ConnectionId connection, std::uint64_t user_data);
  [[nodiscard]] std::shared_ptr<const Statistics> statistics(ConnectionId connection) const;
  [[nodiscard]] std::shared_ptr<const EndpointStatistics> statistics() const;
  [[nodiscard]] Liveness liveness(ConnectionId connection) const;
  [[nodiscard]] Path path(ConnectionId connection) const;

  // The public form of an event, with what is remembered of its connection brought up to date. Views in the result
  // point where the event's do.
  [[nodiscard]] Event take(ConnectionId connection, const ::godwit::Event& event);

  [[nodiscard]] bool is_open(ConnectionId connection) const {
    return endpoint_->remote_address(connection).has_value();
  }
  // Messages sent through this object that have been neither acknowledged nor given up.
  [[nodiscard]] std::uint64_t unacknowledged(ConnectionId connection);

 private:
  struct Record {
    ConnectionId connection = 0;
    std::uint64_t user_data = 0;
    std::uint64_t unacknowledged = 0;
  };

  [[nodiscard]] Result<MessageId> send(Instant now, ConnectionId connection, Body& body, const SendOptions& options);
  // A connection's record, of a new one where there is none; records are kept by slot, so that there are no more than
  // connections at one time.
  [[nodiscard]] Record& record(ConnectionId connection);
  // Null when nothing is remembered.
  [[nodiscard]] Record* find(ConnectionId connection);

  ::godwit::Endpoint* endpoint_;
  std::vector<Record> records_;
};

}  // namespace godwit::v1
