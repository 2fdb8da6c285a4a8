// godwit_node of the C interface.

#include "api/c_api_support.h"

using namespace godwit::v1;         // NOLINT: the C functions stand in the global namespace
using namespace godwit::v1::c_api;  // NOLINT

struct godwit_node {
  std::unique_ptr<Node> node;
  std::string local_address;
  std::string public_key;
  std::string metrics;  // the latest text
};

namespace {

// Events go to the program as it knows them. Exceptions cannot come out of its handler, which is C.
Node::Handler passes_to(godwit_node* node, godwit_handler handler, void* context) {
  return [node, handler, context](Node&, const Event& event) {
    const godwit_event converted = to_c(event);
    handler(node, &converted, context);
  };
}

// Tells a program how an attempt to connect has ended.
std::function<void(Node&, Result<ConnectionId>)> tells(godwit_node* node, godwit_connected done, void* context) {
  return [node, done, context](Node&, const Result<ConnectionId>& connection) {
    if (connection) return done(node, GODWIT_OK, *connection, context);
    done(node, fail(connection.error()), 0, context);
  };
}

// The same with a text in place of a connection.
std::function<void(Node&, Result<std::string>)> tells(godwit_node* node, godwit_told told, void* context) {
  if (told == nullptr) return {};
  return [node, told, context](Node&, const Result<std::string>& text) {
    if (text) return told(node, GODWIT_OK, text->c_str(), context);
    told(node, fail(text.error()), "", context);
  };
}

// Passes lines for a person on.
std::function<void(Node&, std::string_view)> notes(godwit_node* node, godwit_notice notice, void* context) {
  if (notice == nullptr) return {};
  return [node, notice, context](Node&, std::string_view text) { notice(node, std::string(text).c_str(), context); };
}

}  // namespace

extern "C" {

godwit_status godwit_node_open(const godwit_options* options, const uint8_t secret[32], godwit_node** node) {
  return guarded([&] {
    const auto key = to_key(secret);
    if (!key) return fail(key.error());
    auto opened = Node::open(to_node_options(complete(options)), *key);
    if (!opened) return fail(opened.error());
    std::string address = (*opened)->local_address();
    *node = new godwit_node{.node = std::move(*opened),
                            .local_address = std::move(address),
                            .public_key = key->public_key(),
                            .metrics = {}};
    return GODWIT_OK;
  });
}

void godwit_node_destroy(godwit_node* node) {
  delete node;
}

const char* godwit_node_local_address(const godwit_node* node) {
  return node->local_address.c_str();
}
const char* godwit_node_public_key(const godwit_node* node) {
  return node->public_key.c_str();
}

godwit_status godwit_node_connect(godwit_node* node, const char* address, const char* public_key,
                                  godwit_connection* connection) {
  return guarded([&] {
    const auto connected = node->node->connect(address, public_key);
    if (!connected) return fail(connected.error());
    *connection = *connected;
    return GODWIT_OK;
  });
}

godwit_status godwit_node_connect_by_name(godwit_node* node, const char* name_and_port, const char* public_key,
                                          godwit_connected done, void* context) {
  return guarded([&] {
    const auto addresses = resolve(name_and_port);
    if (!addresses) return fail(addresses.error());
    return to_status(node->node->connect(*addresses, public_key, tells(node, done, context)));
  });
}

godwit_status godwit_node_connect_addresses(godwit_node* node, const char* const* addresses, size_t count,
                                            const char* public_key, godwit_connected done, void* context) {
  return guarded([&] {
    const std::vector<std::string> all(addresses, addresses + count);
    return to_status(node->node->connect(all, public_key, tells(node, done, context)));
  });
}

godwit_status godwit_node_connect_ticket(godwit_node* node, const godwit_ticket* ticket, godwit_connected done,
                                         void* context) {
  return guarded([&] {
    const auto place = to_ticket(*ticket);
    if (!place) return fail(place.error());
    return to_status(node->node->connect(*place, tells(node, done, context)));
  });
}

godwit_status godwit_node_register_at(godwit_node* node, const char* address, const char* public_key,
                                      godwit_notice notice, void* context) {
  return guarded([&] {
    return to_status(
        node->node->register_at({.address = address, .public_key = public_key}, notes(node, notice, context)));
  });
}

godwit_status godwit_node_connect_by_code(godwit_node* node, const char* address, const char* public_key,
                                          const char* code, godwit_notice new_code, godwit_connected done,
                                          void* context) {
  return guarded([&] {
    return to_status(node->node->connect_by_code({.address = address, .public_key = public_key}, text_or(code, {}),
                                                 notes(node, new_code, context), tells(node, done, context)));
  });
}

godwit_status godwit_node_listen_by_code(godwit_node* node, const char* address, const char* public_key,
                                         const char* code, godwit_notice new_code, godwit_told told, void* context) {
  return guarded([&] {
    return to_status(node->node->listen_by_code({.address = address, .public_key = public_key}, text_or(code, {}),
                                                notes(node, new_code, context), tells(node, told, context)));
  });
}

godwit_status godwit_node_map_port(godwit_node* node, const char* way, godwit_told told, void* context) {
  return guarded([&] { return to_status(node->node->map_port(text_or(way, {}), tells(node, told, context))); });
}

godwit_status godwit_node_send(godwit_node* node, godwit_connection connection, const uint8_t* bytes, size_t length,
                               const godwit_send_options* options, godwit_message* message) {
  return guarded([&] {
    return put_message(node->node->send(connection, ByteView(bytes, length), to_send_options(complete(options))),
                       message);
  });
}

godwit_status godwit_node_send_borrowed(godwit_node* node, godwit_connection connection, const uint8_t* bytes,
                                        size_t length, const godwit_send_options* options, godwit_message* message) {
  return guarded([&] {
    return put_message(
        node->node->send_borrowed(connection, ByteView(bytes, length), to_send_options(complete(options))), message);
  });
}

godwit_status godwit_node_send_pieces(godwit_node* node, godwit_connection connection, const godwit_piece* pieces,
                                      size_t count, const godwit_send_options* options, godwit_message* message) {
  return guarded([&] {
    return put_message(
        node->node->send_pieces(connection, to_pieces(pieces, count), to_send_options(complete(options))), message);
  });
}

godwit_status godwit_node_open_stream(godwit_node* node, godwit_connection connection,
                                      const godwit_send_options* options, godwit_message* stream) {
  return guarded(
      [&] { return put_message(node->node->open_stream(connection, to_send_options(complete(options))), stream); });
}

godwit_status godwit_node_append(godwit_node* node, godwit_connection connection, godwit_message stream,
                                 const uint8_t* bytes, size_t length) {
  return guarded([&] { return to_status(node->node->append(connection, stream, ByteView(bytes, length))); });
}

bool godwit_node_finish(godwit_node* node, godwit_connection connection, godwit_message stream) {
  return guarded_or(false, [&] { return node->node->finish(connection, stream); });
}

bool godwit_node_extend_send_limit(godwit_node* node, godwit_connection connection, godwit_message message,
                                   uint64_t limit_bytes) {
  return guarded_or(false, [&] { return node->node->extend_send_limit(connection, message, limit_bytes); });
}
bool godwit_node_cancel(godwit_node* node, godwit_connection connection, godwit_message message, uint64_t code) {
  return guarded_or(false, [&] { return node->node->cancel(connection, message, code); });
}
uint32_t godwit_node_stream_of(const godwit_node* node, godwit_connection connection, godwit_message message) {
  return guarded_or(std::uint32_t{0}, [&] { return node->node->stream_of(connection, message); });
}
bool godwit_node_keep_alive(godwit_node* node, godwit_connection connection, uint32_t stream) {
  return guarded_or(false, [&] { return node->node->keep_alive(connection, stream); });
}
void godwit_node_consume(godwit_node* node, godwit_connection connection, uint32_t stream, uint64_t bytes) {
  guarded_void([&] { node->node->consume(connection, stream, bytes); });
}
bool godwit_node_pause(godwit_node* node, godwit_connection connection, uint32_t stream) {
  return guarded_or(false, [&] { return node->node->pause(connection, stream); });
}
bool godwit_node_resume(godwit_node* node, godwit_connection connection, uint32_t stream) {
  return guarded_or(false, [&] { return node->node->resume(connection, stream); });
}
bool godwit_node_stop_receiving(godwit_node* node, godwit_connection connection, uint32_t stream, uint64_t code) {
  return guarded_or(false, [&] { return node->node->stop_receiving(connection, stream, code); });
}

godwit_status godwit_node_ping(godwit_node* node, godwit_connection connection) {
  return guarded([&] { return to_status(node->node->ping(connection)); });
}
godwit_status godwit_node_reconnect(godwit_node* node, godwit_connection connection) {
  return guarded([&] { return to_status(node->node->reconnect(connection)); });
}
void godwit_node_close(godwit_node* node, godwit_connection connection, const char* text, uint64_t code) {
  guarded_void([&] { node->node->close(connection, text_or(text, {}), code); });
}
godwit_status godwit_node_close_when_sent(godwit_node* node, godwit_connection connection, int64_t longest_ns,
                                          const char* text, uint64_t code) {
  return guarded([&] {
    return to_status(node->node->close_when_sent(connection, Duration(longest_ns), text_or(text, {}), code));
  });
}
godwit_status godwit_node_set_congestion(godwit_node* node, godwit_connection connection, const char* name) {
  return guarded([&] { return to_status(node->node->set_congestion(connection, name)); });
}
godwit_status godwit_node_set_rate_limit(godwit_node* node, godwit_connection connection, uint64_t bits_per_second) {
  return guarded([&] { return to_status(node->node->set_rate_limit(connection, bits_per_second)); });
}
godwit_status godwit_node_set_user_data(godwit_node* node, godwit_connection connection, uint64_t user_data) {
  return guarded([&] { return to_status(node->node->set_user_data(connection, user_data)); });
}

size_t godwit_node_connections(const godwit_node* node, godwit_connection* connections, size_t capacity) {
  return guarded_or(std::size_t{0}, [&] { return copy_connections(node->node->connections(), connections, capacity); });
}
godwit_status godwit_node_remote_address(const godwit_node* node, godwit_connection connection, char* text,
                                         size_t capacity) {
  return guarded([&] {
    const std::string remote = node->node->remote_address(connection);
    if (remote.empty()) return fail(GODWIT_NOT_FOUND, "the connection has ended");
    return copy_text(remote, text, capacity);
  });
}
void godwit_node_liveness(const godwit_node* node, godwit_connection connection, godwit_liveness* liveness) {
  guarded_void([&] { write_known_part(to_c(node->node->liveness(connection)), liveness); });
}
godwit_status godwit_node_statistics(const godwit_node* node, godwit_connection connection,
                                     godwit_statistics* statistics) {
  return guarded([&] {
    const auto found = node->node->statistics(connection);
    if (!found) return fail(GODWIT_NOT_FOUND, "the connection has ended");
    write_known_part(to_c(*found), statistics);
    return GODWIT_OK;
  });
}
godwit_status godwit_node_path_why(const godwit_node* node, godwit_connection connection, godwit_path_why* why) {
  return guarded([&] {
    const auto path = node->node->path(connection);
    if (!path) return fail(GODWIT_NOT_FOUND, "the connection has ended");
    *why = static_cast<godwit_path_why>(path->why());
    return GODWIT_OK;
  });
}
void godwit_node_endpoint_statistics(const godwit_node* node, godwit_endpoint_statistics* statistics) {
  guarded_void([&] { write_known_part(to_c(*node->node->statistics()), statistics); });
}

godwit_status godwit_node_metrics(godwit_node* node, const char** text) {
  return guarded([&] {
    node->metrics = node->node->metrics();
    *text = node->metrics.c_str();
    return GODWIT_OK;
  });
}

void godwit_node_run(godwit_node* node, godwit_handler handler, void* context) {
  guarded_void([&] { node->node->run(passes_to(node, handler, context)); });
}
void godwit_node_turn(godwit_node* node, godwit_handler handler, void* context, int64_t longest_wait_ns) {
  guarded_void([&] { node->node->turn(passes_to(node, handler, context), Duration(longest_wait_ns)); });
}
int godwit_node_descriptor(const godwit_node* node) {
  return node->node->descriptor();
}
int64_t godwit_node_next_timeout(const godwit_node* node) {
  const auto left = node->node->next_timeout();
  return left ? left->count() : -1;
}
void godwit_node_shut_down(godwit_node* node, godwit_handler handler, void* context, int64_t longest_ns,
                           const char* text) {
  guarded_void(
      [&] { node->node->shut_down(passes_to(node, handler, context), Duration(longest_ns), text_or(text, {})); });
}
void godwit_node_stop(godwit_node* node) {
  node->node->stop();
}
void godwit_node_wake(godwit_node* node) {
  node->node->wake();
}
godwit_status godwit_node_post(godwit_node* node, void (*call)(godwit_node* node, void* context), void* context) {
  return guarded([&] {
    if (node->node->post([node, call, context](Node&) { call(node, context); })) return GODWIT_OK;
    return fail(GODWIT_WOULD_BLOCK, "too many calls wait for the loop");
  });
}

}  // extern "C"
