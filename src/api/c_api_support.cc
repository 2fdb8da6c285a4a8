#include "api/c_api_support.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace godwit::v1::c_api {
namespace {

std::string& last_error() {
  static thread_local std::string text;
  return text;
}

// `given->size` says how many bytes the program's structure has; a later program may know more fields than this
// library, which cannot honour them.
template <typename Struct>
void overlay(const Struct& given, Struct& result) {
  const std::size_t known = std::min(given.size, sizeof(Struct));
  if (known > sizeof(std::size_t)) std::memcpy(static_cast<void*>(&result), &given, known);
  result.size = sizeof(Struct);
}

}  // namespace

godwit_status fail(godwit_status status, std::string_view message) {
  try {
    last_error().assign(message);
  } catch (const std::bad_alloc&) {
    last_error().clear();
  }
  return status;
}

godwit_status fail(const Error& error) {
  godwit_status status = GODWIT_SYSTEM;
  switch (error.code) {
    case ErrorCode::kInvalidArgument: status = GODWIT_INVALID_ARGUMENT; break;
    case ErrorCode::kWouldBlock: status = GODWIT_WOULD_BLOCK; break;
    case ErrorCode::kClosed: status = GODWIT_CLOSED; break;
    case ErrorCode::kNotFound: status = GODWIT_NOT_FOUND; break;
    case ErrorCode::kTooLarge: status = GODWIT_TOO_LARGE; break;
    case ErrorCode::kPermission: status = GODWIT_PERMISSION; break;
    case ErrorCode::kSystem: status = GODWIT_SYSTEM; break;
    case ErrorCode::kUnsupported: status = GODWIT_UNSUPPORTED; break;
    case ErrorCode::kProtocol: status = GODWIT_PROTOCOL; break;
    case ErrorCode::kTimeout: status = GODWIT_TIMEOUT; break;
    case ErrorCode::kUnauthenticated: status = GODWIT_UNAUTHENTICATED; break;
  }
  return fail(status, error.message);
}

godwit_options complete(const godwit_options* given) {
  const NodeOptions defaults;
  godwit_options result{};
  result.size = sizeof result;
  result.accept_incoming = defaults.transport.accept_incoming;
  result.require_authenticated_peer = defaults.transport.require_authenticated_peer;
  result.stream_in_chunks = defaults.transport.stream_in_chunks;
  result.stream_window_bytes = defaults.transport.stream_window_bytes;
  result.connection_window_bytes = defaults.transport.connection_window_bytes;
  result.consume_by_hand = defaults.transport.consume_by_hand;
  result.max_connections = defaults.transport.max_connections;
  result.max_datagram_bytes = defaults.transport.max_datagram_bytes;
  result.stranger_handshakes_per_second = defaults.transport.stranger_handshakes_per_second;
  result.max_inbound_bytes = defaults.transport.max_inbound_bytes;
  result.connect_timeout_ns = defaults.transport.connect_timeout.count();
  result.idle_timeout_ns = defaults.transport.idle_timeout.count();
  result.receive_buffer_bytes = defaults.receive_buffer_bytes;
  result.threads = defaults.threads;
  if (given != nullptr) overlay(*given, result);
  return result;
}

godwit_send_options complete(const godwit_send_options* given) {
  godwit_send_options result{};
  result.size = sizeof result;
  result.send_limit = std::numeric_limits<std::uint64_t>::max();
  result.urgency = SendOptions{}.urgency;
  if (given != nullptr) overlay(*given, result);
  return result;
}

NodeOptions to_node_options(const godwit_options& options) {
  NodeOptions result;
  Options& transport = result.transport;
  transport.accept_incoming = options.accept_incoming;
  transport.require_authenticated_peer = options.require_authenticated_peer;
  transport.stream_in_chunks = options.stream_in_chunks;
  transport.stream_window_bytes = options.stream_window_bytes;
  transport.connection_window_bytes = options.connection_window_bytes;
  transport.consume_by_hand = options.consume_by_hand;
  transport.max_connections = options.max_connections;
  transport.max_inbound_bytes = options.max_inbound_bytes;
  transport.congestion = text_or(options.congestion, transport.congestion);
  transport.cipher = text_or(options.cipher, transport.cipher);
  transport.connection_bits_per_second = options.connection_bits_per_second;
  transport.endpoint_bits_per_second = options.endpoint_bits_per_second;
  transport.extended = text_or(options.extended, transport.extended);
  transport.max_datagram_bytes = options.max_datagram_bytes;
  transport.stranger_handshakes_per_second = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(options.stranger_handshakes_per_second, UINT32_MAX));
  transport.connect_timeout = Duration(options.connect_timeout_ns);
  transport.idle_timeout = Duration(options.idle_timeout_ns);
  if (options.trace != nullptr) {
    transport.trace = [trace = options.trace, context = options.trace_context](std::string_view record) {
      trace(record.data(), record.size(), context);
    };
  }
  if (options.key_log != nullptr) {
    transport.key_log = [key_log = options.key_log, context = options.key_log_context](std::string_view line) {
      key_log(line.data(), line.size(), context);
    };
  }
  if (options.admit_address != nullptr) {
    transport.admit_address = [admit = options.admit_address,
                               context = options.admit_address_context](const Address& remote) {
      const godwit_address address = to_c(remote);
      return admit(&address, context);
    };
  }
  if (options.admit_key != nullptr) {
    transport.admit_key = [admit = options.admit_key, context = options.admit_key_context](std::string_view key) {
      return admit(std::string(key).c_str(), context);
    };
  }
  result.bind = text_or(options.bind, result.bind);
  result.backend = text_or(options.backend, result.backend);
  result.idle = text_or(options.idle, result.idle);
  result.receive_buffer_bytes = options.receive_buffer_bytes;
  result.threads = options.threads;
  return result;
}

SendOptions to_send_options(const godwit_send_options& options) {
  SendOptions result;
  if (options.deadline_ns != 0) result.deadline = Duration(options.deadline_ns);
  if (options.send_limit != std::numeric_limits<std::uint64_t>::max()) result.send_limit = options.send_limit;
  result.stream = options.stream;
  result.operations = options.operations;
  result.unreliable = options.unreliable;
  result.urgency = options.urgency;
  if (options.metadata != nullptr) {
    result.metadata.emplace(options.metadata, options.metadata + options.metadata_length);
  }
  return result;
}

Address to_cpp(const godwit_address& from) {
  Address result{.port = from.port, .ipv6 = from.ipv6, .scope_id = from.scope_id};
  std::copy(std::begin(from.octets), std::end(from.octets), result.octets.begin());
  return result;
}

godwit_address to_c(const Address& from) {
  godwit_address result{};
  std::copy(from.octets.begin(), from.octets.end(), std::begin(result.octets));
  result.scope_id = from.scope_id;
  result.port = from.port;
  result.ipv6 = from.ipv6;
  return result;
}

std::vector<ByteView> to_pieces(const godwit_piece* pieces, std::size_t count) {
  std::vector<ByteView> result;
  result.reserve(count);
  for (std::size_t i = 0; i < count; ++i) result.emplace_back(pieces[i].bytes, pieces[i].length);
  return result;
}

std::size_t copy_connections(const std::vector<ConnectionId>& from, godwit_connection* to, std::size_t capacity) {
  std::copy_n(from.begin(), std::min(from.size(), capacity), to);
  return from.size();
}

godwit_status copy_text(std::string_view from, char* to, std::size_t capacity) {
  if (capacity <= from.size()) return fail(GODWIT_TOO_LARGE, "the text needs more room");
  std::memcpy(to, from.data(), from.size());
  to[from.size()] = '\0';
  return GODWIT_OK;
}

Result<SecretKey> to_key(const std::uint8_t secret[32]) {
  return SecretKey::from_bytes(ByteView(secret, 32));
}

godwit_event to_c(const Event& event) {
  godwit_event result{};
  result.size = sizeof result;
  result.kind = static_cast<std::int32_t>(event.kind);
  result.reason = static_cast<std::int32_t>(event.reason);
  result.connection = event.connection;
  result.user_data = event.user_data;
  result.bytes = event.bytes.data();
  result.length = event.bytes.size();
  result.offset = event.offset;
  result.total = event.total;
  result.message = event.message;
  result.stream = event.stream;
  result.may_have_arrived = event.may_have_arrived;
  result.authenticated = event.authenticated;
  result.initiator = event.initiator;
  result.round_trip_ns = event.round_trip.count();
  result.silent_for_ns = event.silent_for.count();
  result.remote = event.remote.c_str();
  result.observed = event.observed.c_str();
  result.text = event.text.c_str();
  result.peer_key = event.peer_key.c_str();
  result.code = event.code;
  result.extended = event.extended;
  return result;
}

godwit_statistics to_c(const Statistics& from) {
  godwit_statistics result{};
  result.size = sizeof result;
  result.packets_sent = from.packets_sent;
  result.bytes_sent = from.bytes_sent;
  result.payload_bytes_sent = from.payload_bytes_sent;
  result.packets_received = from.packets_received;
  result.bytes_received = from.bytes_received;
  result.payload_bytes_received = from.payload_bytes_received;
  result.packets_retransmitted = from.packets_retransmitted;
  result.packets_lost = from.packets_lost;
  result.losses_spurious = from.losses_spurious;
  result.packets_abandoned = from.packets_abandoned;
  result.timeouts = from.timeouts;
  result.datagrams_dropped = from.datagrams_dropped;
  result.bytes_in_flight = from.bytes_in_flight;
  result.window_bytes = from.window_bytes;
  result.datagram_bytes = from.datagram_bytes;
  result.max_unreliable_bytes = from.max_unreliable_bytes;
  result.pacing_bits_per_second = from.pacing_bits_per_second;
  result.latest_round_trip_ns = from.latest_round_trip.count();
  result.smoothed_round_trip_ns = from.smoothed_round_trip.count();
  result.minimum_round_trip_ns = from.minimum_round_trip.count();
  result.round_trip_variance_ns = from.round_trip_variance.count();
  copy_text(from.congestion, result.congestion);
  copy_text(from.congestion_state, result.congestion_state);
  copy_text(from.cipher, result.cipher);
  copy_text(from.form, result.form);
  copy_text(from.fallback, result.fallback);
  result.key_updates = from.key_updates;
  return result;
}

godwit_liveness to_c(const Liveness& from) {
  godwit_liveness result{};
  result.size = sizeof result;
  result.suspect = from.suspect;
  copy_text(from.problem, result.problem);
  return result;
}

godwit_endpoint_statistics to_c(const EndpointStatistics& from) {
  return {.size = sizeof(godwit_endpoint_statistics),
          .connections = from.connections,
          .connections_opened = from.connections_opened,
          .connections_closed = from.connections_closed,
          .handshakes_started = from.handshakes_started,
          .handshakes_failed = from.handshakes_failed,
          .connections_evicted = from.connections_evicted,
          .evicted_for_memory = from.evicted_for_memory,
          .inbound_bytes = from.inbound_bytes,
          .datagrams_received = from.datagrams_received,
          .datagrams_dropped = from.datagrams_dropped,
          .unadmitted_datagrams = from.unadmitted_datagrams,
          .unadmitted_peers = from.unadmitted_peers};
}

}  // namespace godwit::v1::c_api

using namespace godwit::v1;         // NOLINT: the C functions stand in the global namespace
using namespace godwit::v1::c_api;  // NOLINT

extern "C" {

const char* godwit_last_error(void) {
  return last_error().c_str();
}
const char* godwit_version(void) {
  return version().data();
}
uint32_t godwit_version_number(void) {
  return GODWIT_VERSION_NUMBER;
}

godwit_status godwit_generate_key(uint8_t secret[32]) {
  return guarded([&] {
    const auto key = SecretKey::generate();
    if (!key) return fail(key.error());
    std::memcpy(secret, key->bytes().data(), 32);
    return GODWIT_OK;
  });
}

godwit_status godwit_public_key(const uint8_t secret[32], char text[65]) {
  return guarded([&] {
    const auto key = to_key(secret);
    if (!key) return fail(key.error());
    std::memcpy(text, key->public_key().c_str(), 65);
    return GODWIT_OK;
  });
}

godwit_status godwit_address_parse(const char* text, godwit_address* address) {
  const auto parsed = Address::parse(text);
  if (!parsed) return fail(GODWIT_INVALID_ARGUMENT, "this is no ADDR:PORT");
  *address = to_c(*parsed);
  return GODWIT_OK;
}

godwit_status godwit_address_format(const godwit_address* address, char* text, size_t capacity) {
  return guarded([&] { return copy_text(to_cpp(*address).to_string(), text, capacity); });
}

godwit_status godwit_resolve(const char* name_and_port, char (*addresses)[64], size_t capacity, size_t* count) {
  return guarded([&] {
    const auto found = resolve(name_and_port);
    if (!found) return fail(found.error());
    *count = found->size();
    for (std::size_t i = 0; i < std::min(capacity, found->size()); ++i) copy_text((*found)[i], addresses[i]);
    return GODWIT_OK;
  });
}

const char* godwit_close_reason_name(int32_t reason) {
  const bool known = reason >= 0 && reason <= GODWIT_CLOSE_RESET;
  return known ? close_reason_name(static_cast<CloseReason>(reason)).data() : "unknown";
}

void godwit_options_init(godwit_options* options, size_t size) {
  options->size = size;
  write_known_part(complete(static_cast<const godwit_options*>(nullptr)), options);
}

void godwit_send_options_init(godwit_send_options* options, size_t size) {
  options->size = size;
  write_known_part(complete(static_cast<const godwit_send_options*>(nullptr)), options);
}

}  // extern "C"
