// godwit_endpoint of the C interface.

#include "api/c_api_support.h"

using namespace godwit::v1;         // NOLINT: the C functions stand in the global namespace
using namespace godwit::v1::c_api;  // NOLINT

struct godwit_endpoint {
  std::unique_ptr<Endpoint> endpoint;
  Event event;  // the latest one, which holds the texts that the program was given
};

namespace {

Address to_cpp(const godwit_address& from) {
  Address result{.port = from.port, .ipv6 = from.ipv6, .scope_id = from.scope_id};
  std::copy(std::begin(from.octets), std::end(from.octets), result.octets.begin());
  return result;
}

godwit_address to_c_address(const Address& from) {
  godwit_address result{};
  std::copy(from.octets.begin(), from.octets.end(), std::begin(result.octets));
  result.scope_id = from.scope_id;
  result.port = from.port;
  result.ipv6 = from.ipv6;
  return result;
}

}  // namespace

extern "C" {

godwit_status godwit_address_parse(const char* text, godwit_address* address) {
  const auto parsed = Address::parse(text);
  if (!parsed) return fail(GODWIT_INVALID_ARGUMENT, "this is no ADDR:PORT");
  *address = to_c_address(*parsed);
  return GODWIT_OK;
}

godwit_status godwit_endpoint_make(const godwit_options* options, const uint8_t secret[32],
                                   godwit_endpoint** endpoint) {
  return guarded([&] {
    const auto key = to_key(secret);
    if (!key) return fail(key.error());
    auto made = Endpoint::make(to_node_options(complete(options)).transport, *key);
    if (!made) return fail(made.error());
    *endpoint = new godwit_endpoint{.endpoint = std::move(*made), .event = {}};
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
                             size_t length, size_t segment_size) {
  static_cast<void>(guarded([&] {
    endpoint->endpoint->receive(Duration(now), to_cpp(*remote), MutableBytes(bytes, length), segment_size);
    return GODWIT_OK;
  }));
}

void godwit_endpoint_handle_timeout(godwit_endpoint* endpoint, int64_t now) {
  static_cast<void>(guarded([&] {
    endpoint->endpoint->handle_timeout(Duration(now));
    return GODWIT_OK;
  }));
}

godwit_status godwit_endpoint_send(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                   const uint8_t* bytes, size_t length, const godwit_send_options* options,
                                   godwit_message* message) {
  return guarded([&] {
    const auto sent = endpoint->endpoint->send(Duration(now), connection, {bytes, bytes + length},
                                               to_send_options(complete(options)));
    if (!sent) return fail(sent.error());
    if (message != nullptr) *message = *sent;
    return GODWIT_OK;
  });
}

bool godwit_endpoint_cancel(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                            godwit_message message) {
  return guarded_or(false, [&] { return endpoint->endpoint->cancel(Duration(now), connection, message); });
}

void godwit_endpoint_close(godwit_endpoint* endpoint, int64_t now, godwit_connection connection, const char* text) {
  godwit_endpoint_close_with_code(endpoint, now, connection, text, 0);
}

void godwit_endpoint_close_with_code(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                     const char* text, uint64_t code) {
  static_cast<void>(guarded([&] {
    endpoint->endpoint->close(Duration(now), connection, text_or(text, {}), code);
    return GODWIT_OK;
  }));
}

godwit_status godwit_endpoint_set_user_data(godwit_endpoint* endpoint, godwit_connection connection,
                                            uint64_t user_data) {
  return guarded([&] {
    const auto set = endpoint->endpoint->set_user_data(connection, user_data);
    return set ? GODWIT_OK : fail(set.error());
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
    Transmit next;
    if (!endpoint->endpoint->poll_transmit(Duration(now), next)) return false;
    *transmit = {.remote = to_c_address(next.remote),
                 .bytes = next.bytes.data(),
                 .length = next.bytes.size(),
                 .segment_size = next.segment_size};
    return true;
  });
}

bool godwit_endpoint_poll_event(godwit_endpoint* endpoint, godwit_event* event) {
  return guarded_or(false, [&] {
    if (!endpoint->endpoint->poll_event(endpoint->event)) return false;
    write_known_part(to_c(endpoint->event), event);
    return true;
  });
}

int64_t godwit_endpoint_next_timeout(const godwit_endpoint* endpoint) {
  const auto due = endpoint->endpoint->next_timeout();
  return due ? due->count() : -1;
}

}  // extern "C"
