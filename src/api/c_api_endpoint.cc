// godwit_endpoint of the C interface.

#include <optional>

#include "api/c_api_support.h"

using namespace godwit::v1;         // NOLINT: the C functions stand in the global namespace
using namespace godwit::v1::c_api;  // NOLINT

struct godwit_endpoint {
  std::unique_ptr<Endpoint> endpoint;
  std::string public_key;
  std::string metrics;  // the latest text
};

extern "C" {

godwit_status godwit_endpoint_make(const godwit_options* options, const uint8_t secret[32],
                                   godwit_endpoint** endpoint) {
  return guarded([&] {
    const auto key = to_key(secret);
    if (!key) return fail(key.error());
    auto made = Endpoint::make(to_node_options(complete(options)).transport, *key);
    if (!made) return fail(made.error());
    *endpoint = new godwit_endpoint{.endpoint = std::move(*made), .public_key = key->public_key(), .metrics = {}};
    return GODWIT_OK;
  });
}

void godwit_endpoint_destroy(godwit_endpoint* endpoint) {
  delete endpoint;
}

godwit_status godwit_endpoint_connect(godwit_endpoint* endpoint, int64_t now, const godwit_address* remote,
                                      const char* public_key, godwit_connection* connection) {
  return guarded([&] {
    const auto connected = endpoint->endpoint->connect(Duration(now), to_cpp(*remote), public_key);
    if (!connected) return fail(connected.error());
    *connection = *connected;
    return GODWIT_OK;
  });
}

void godwit_endpoint_receive(godwit_endpoint* endpoint, int64_t now, const godwit_address* remote, uint8_t* bytes,
                             size_t length, size_t segment_size, const godwit_address* local) {
  guarded_void([&] {
    endpoint->endpoint->receive(Duration(now), to_cpp(*remote), MutableBytes(bytes, length), segment_size,
                                local == nullptr ? std::nullopt : std::optional(to_cpp(*local)));
  });
}

void godwit_endpoint_handle_timeout(godwit_endpoint* endpoint, int64_t now) {
  guarded_void([&] { endpoint->endpoint->handle_timeout(Duration(now)); });
}

godwit_status godwit_endpoint_send(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                   const uint8_t* bytes, size_t length, const godwit_send_options* options,
                                   godwit_message* message) {
  return guarded([&] {
    return put_message(endpoint->endpoint->send(Duration(now), connection, {bytes, bytes + length},
                                                to_send_options(complete(options))),
                       message);
  });
}

godwit_status godwit_endpoint_send_pieces(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                          const godwit_piece* pieces, size_t count, const godwit_send_options* options,
                                          godwit_message* message) {
  return guarded([&] {
    return put_message(endpoint->endpoint->send_pieces(Duration(now), connection, to_pieces(pieces, count),
                                                       to_send_options(complete(options))),
                       message);
  });
}

godwit_status godwit_endpoint_send_borrowed(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                            const uint8_t* bytes, size_t length, const godwit_send_options* options,
                                            godwit_message* message) {
  return guarded([&] {
    return put_message(endpoint->endpoint->send_borrowed(Duration(now), connection, ByteView(bytes, length),
                                                         to_send_options(complete(options))),
                       message);
  });
}

godwit_status godwit_endpoint_open_stream(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                          const godwit_send_options* options, godwit_message* stream) {
  return guarded([&] {
    return put_message(endpoint->endpoint->open_stream(Duration(now), connection, to_send_options(complete(options))),
                       stream);
  });
}

godwit_status godwit_endpoint_append(godwit_endpoint* endpoint, godwit_connection connection, godwit_message stream,
                                     const uint8_t* bytes, size_t length) {
  return guarded([&] { return to_status(endpoint->endpoint->append(connection, stream, ByteView(bytes, length))); });
}

bool godwit_endpoint_prepare_handshakes(godwit_endpoint* endpoint) {
  return guarded_or(false, [&] { return endpoint->endpoint->prepare_handshakes(); });
}

bool godwit_endpoint_finish(godwit_endpoint* endpoint, godwit_connection connection, godwit_message stream) {
  return guarded_or(false, [&] { return endpoint->endpoint->finish(connection, stream); });
}

bool godwit_endpoint_extend_send_limit(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                       godwit_message message, uint64_t limit_bytes) {
  return guarded_or(
      false, [&] { return endpoint->endpoint->extend_send_limit(Duration(now), connection, message, limit_bytes); });
}

bool godwit_endpoint_cancel(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                            godwit_message message, uint64_t code) {
  return guarded_or(false, [&] { return endpoint->endpoint->cancel(Duration(now), connection, message, code); });
}

uint32_t godwit_endpoint_stream_of(const godwit_endpoint* endpoint, godwit_connection connection,
                                   godwit_message message) {
  return guarded_or(std::uint32_t{0}, [&] { return endpoint->endpoint->stream_of(connection, message); });
}

bool godwit_endpoint_keep_alive(godwit_endpoint* endpoint, int64_t now, godwit_connection connection, uint32_t stream) {
  return guarded_or(false, [&] { return endpoint->endpoint->keep_alive(Duration(now), connection, stream); });
}

bool godwit_endpoint_stop_receiving(godwit_endpoint* endpoint, godwit_connection connection, uint32_t stream,
                                    uint64_t code) {
  return guarded_or(false, [&] { return endpoint->endpoint->stop_receiving(connection, stream, code); });
}

void godwit_endpoint_consume(godwit_endpoint* endpoint, godwit_connection connection, uint32_t stream, uint64_t bytes) {
  guarded_void([&] { endpoint->endpoint->consume(connection, stream, bytes); });
}

bool godwit_endpoint_pause(godwit_endpoint* endpoint, godwit_connection connection, uint32_t stream) {
  return guarded_or(false, [&] { return endpoint->endpoint->pause(connection, stream); });
}

bool godwit_endpoint_resume(godwit_endpoint* endpoint, godwit_connection connection, uint32_t stream) {
  return guarded_or(false, [&] { return endpoint->endpoint->resume(connection, stream); });
}

godwit_status godwit_endpoint_ping(godwit_endpoint* endpoint, int64_t now, godwit_connection connection) {
  return guarded([&] { return to_status(endpoint->endpoint->ping(Duration(now), connection)); });
}

godwit_status godwit_endpoint_reconnect(godwit_endpoint* endpoint, int64_t now, godwit_connection connection) {
  return guarded([&] { return to_status(endpoint->endpoint->reconnect(Duration(now), connection)); });
}

void godwit_endpoint_close(godwit_endpoint* endpoint, int64_t now, godwit_connection connection, const char* text,
                           uint64_t code) {
  guarded_void([&] { endpoint->endpoint->close(Duration(now), connection, text_or(text, {}), code); });
}

void godwit_endpoint_close_all(godwit_endpoint* endpoint, int64_t now, const char* text) {
  guarded_void([&] { endpoint->endpoint->close_all(Duration(now), text_or(text, {})); });
}

godwit_status godwit_endpoint_set_congestion(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                             const char* name) {
  return guarded([&] { return to_status(endpoint->endpoint->set_congestion(Duration(now), connection, name)); });
}

godwit_status godwit_endpoint_set_rate_limit(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                             uint64_t bits_per_second) {
  return guarded(
      [&] { return to_status(endpoint->endpoint->set_rate_limit(Duration(now), connection, bits_per_second)); });
}

godwit_status godwit_endpoint_set_user_data(godwit_endpoint* endpoint, godwit_connection connection,
                                            uint64_t user_data) {
  return guarded([&] { return to_status(endpoint->endpoint->set_user_data(connection, user_data)); });
}

const char* godwit_endpoint_public_key(const godwit_endpoint* endpoint) {
  return endpoint->public_key.c_str();
}

size_t godwit_endpoint_connections(const godwit_endpoint* endpoint, godwit_connection* connections, size_t capacity) {
  return guarded_or(std::size_t{0},
                    [&] { return copy_connections(endpoint->endpoint->connections(), connections, capacity); });
}

godwit_status godwit_endpoint_remote_address(const godwit_endpoint* endpoint, godwit_connection connection,
                                             godwit_address* remote) {
  const auto found = endpoint->endpoint->remote_address(connection);
  if (!found) return fail(GODWIT_NOT_FOUND, "the connection has ended");
  *remote = to_c(*found);
  return GODWIT_OK;
}

void godwit_endpoint_liveness(const godwit_endpoint* endpoint, godwit_connection connection,
                              godwit_liveness* liveness) {
  guarded_void([&] { write_known_part(to_c(endpoint->endpoint->liveness(connection)), liveness); });
}

size_t godwit_endpoint_closing_count(const godwit_endpoint* endpoint) {
  return endpoint->endpoint->closing_count();
}

void godwit_endpoint_statistics_of(const godwit_endpoint* endpoint, godwit_endpoint_statistics* statistics) {
  guarded_void([&] { write_known_part(to_c(*endpoint->endpoint->statistics()), statistics); });
}

godwit_status godwit_endpoint_metrics(godwit_endpoint* endpoint, const char** text) {
  return guarded([&] {
    endpoint->metrics = endpoint->endpoint->metrics();
    *text = endpoint->metrics.c_str();
    return GODWIT_OK;
  });
}

godwit_status godwit_endpoint_connection_statistics(const godwit_endpoint* endpoint, godwit_connection connection,
                                                    godwit_statistics* statistics) {
  return guarded([&] {
    const auto found = endpoint->endpoint->statistics(connection);
    if (!found) return fail(GODWIT_NOT_FOUND, "the connection has ended");
    write_known_part(to_c(*found), statistics);
    return GODWIT_OK;
  });
}

bool godwit_endpoint_poll_transmit(godwit_endpoint* endpoint, int64_t now, godwit_transmit* transmit) {
  return guarded_or(false, [&] {
    const Transmit* const next = endpoint->endpoint->poll_transmit(Duration(now));
    if (next == nullptr) return false;
    godwit_transmit whole{};
    whole.remote = to_c(next->remote);
    whole.bytes = next->bytes.data();
    whole.length = next->bytes.size();
    whole.segment_size = next->segment_size;
    whole.has_local = next->local.has_value();
    if (next->local) whole.local = to_c(*next->local);
    write_known_part(whole, transmit);
    return true;
  });
}

bool godwit_endpoint_poll_event(godwit_endpoint* endpoint, godwit_event* event) {
  return guarded_or(false, [&] {
    const Event* const next = endpoint->endpoint->poll_event();
    if (next == nullptr) return false;
    write_known_part(to_c(*next), event);
    return true;
  });
}

int64_t godwit_endpoint_next_timeout(const godwit_endpoint* endpoint) {
  const auto due = endpoint->endpoint->next_timeout();
  return due ? due->count() : -1;
}

}  // extern "C"
