#include "api/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/address_text.h"
#include "runtime/system_random.h"

namespace godwit::v1 {
namespace {

std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{ErrorCode::kInvalidArgument, std::move(message)});
}

}  // namespace

std::string_view version() {
  return GODWIT_VERSION;
}

std::unexpected<Error> to_public(const ::godwit::Error& error) {
  static_assert(static_cast<int>(ErrorCode::kUnauthenticated) ==
                static_cast<int>(::godwit::ErrorCode::kUnauthenticated));
  return std::unexpected(Error{static_cast<ErrorCode>(error.code), error.message});
}

Statistics to_public(const ConnectionStatistics& from) {
  return {.packets_sent = from.packets_sent,
          .bytes_sent = from.bytes_sent,
          .packets_received = from.packets_received,
          .bytes_received = from.bytes_received,
          .packets_retransmitted = from.packets_retransmitted,
          .packets_lost = from.packets_lost,
          .datagrams_dropped = from.drops.total(),
          .bytes_in_flight = from.bytes_in_flight,
          .window_bytes = from.window_bytes,
          .pacing_bits_per_second = from.pacing_rate.bits_per_second(),
          .smoothed_round_trip = from.smoothed_round_trip,
          .minimum_round_trip = from.minimum_round_trip,
          .congestion = std::string(from.congestion),
          .congestion_state = std::string(from.congestion_state),
          .cipher = std::string(from.cipher),
          .form = std::string(from.form),
          .fallback = std::string(from.fallback),
          .key_updates = from.key_updates};
}

std::optional<Event> to_public(::godwit::ConnectionId connection, const ::godwit::Event& from) {
  Event event;
  event.connection = connection;
  if (const auto* chunk = std::get_if<StreamChunk>(&from)) {
    event.kind = Event::Kind::kChunk;
    event.bytes = chunk->bytes;
    event.stream = chunk->stream_id;
    event.offset = chunk->offset;
    event.total = chunk->total;
  } else if (const auto* message = std::get_if<MessageReceived>(&from)) {
    event.kind = Event::Kind::kMessage;
    event.bytes = message->payload;
  } else if (const auto* whole = std::get_if<StreamMessage>(&from)) {
    event.kind = Event::Kind::kMessage;
    event.bytes = whole->payload;
    event.stream = whole->stream_id;
  } else if (const auto* connected = std::get_if<Connected>(&from)) {
    event.kind = Event::Kind::kConnected;
    event.remote = connected->remote.to_string();
    event.authenticated = connected->peer_authenticated;
    if (connected->peer_key) event.peer_key = connected->peer_key->to_hex();
    event.extended = connected->form == SessionForm::kExtended;
    event.text = fallback_reason_name(connected->fallback);
    event.initiator = connected->initiator;
  } else if (const auto* closed = std::get_if<Closed>(&from)) {
    event.kind = Event::Kind::kClosed;
    event.text = closed->text;
  } else if (const auto* aborted = std::get_if<StreamAborted>(&from)) {
    event.kind = Event::Kind::kAborted;
    event.stream = aborted->stream_id;
    event.offset = aborted->received;
    event.total = aborted->total;
  } else if (const auto* confirmed = std::get_if<MessageConfirmed>(&from)) {
    event.kind = Event::Kind::kConfirmed;
    event.message = confirmed->message;
  } else if (const auto* failed = std::get_if<MessageFailed>(&from)) {
    event.kind = Event::Kind::kFailed;
    event.message = failed->message;
    event.may_have_arrived = failed->may_have_arrived;
    event.text = failed->why;
  } else if (std::holds_alternative<Writable>(from)) {
    event.kind = Event::Kind::kWritable;
  } else if (const auto* pong = std::get_if<PingAnswered>(&from)) {
    event.kind = Event::Kind::kRoundTrip;
    event.round_trip = pong->round_trip;
  } else if (std::holds_alternative<Suspect>(from)) {
    event.kind = Event::Kind::kSuspect;
  } else if (const auto* moved = std::get_if<PeerMoved>(&from)) {
    event.kind = Event::Kind::kMoved;
    event.remote = moved->remote.to_string();
  } else if (std::holds_alternative<KeyAging>(from)) {
    event.kind = Event::Kind::kKeyAging;
  } else {
    return std::nullopt;
  }
  return event;
}

Result<Config> to_config(const Options& options) {
  Config config;
  config.accept_incoming = options.accept_incoming;
  config.max_connections = options.max_connections;
  config.max_connections_per_host = std::max<std::size_t>(1, options.max_connections / 4 * 3);
  config.reserved_connections = std::max<std::size_t>(1, options.max_connections / 16);
  const auto congestion = parse_congestion_kind(options.congestion);
  if (!congestion) return invalid(fmt::format("no congestion controller '{}'", options.congestion));
  config.congestion = *congestion;
  if (options.cipher != "auto") {
    const auto cipher = parse_cipher_name(options.cipher);
    if (!cipher || !cipher_available(*cipher)) return invalid(fmt::format("no cipher '{}' here", options.cipher));
    config.cipher = *cipher;
  }
  const auto extended = parse_extended_policy(options.extended);
  if (!extended) return invalid(fmt::format("extended is 'auto', 'require' or 'off', not '{}'", options.extended));
  config.handshake.extended = *extended;
  if (options.connection_bits_per_second > 0) {
    config.connection_rate_limit = Bandwidth::from_bits_per_second(options.connection_bits_per_second);
  }
  if (options.endpoint_bits_per_second > 0) {
    config.endpoint_rate_limit = Bandwidth::from_bits_per_second(options.endpoint_bits_per_second);
  }
  config.handshake.require_authenticated_peer = options.require_authenticated_peer;
  config.handshake.connect_timeout = options.connect_timeout;
  config.keepalive.idle_timeout = options.idle_timeout;
  config.streams.delivery = options.stream_in_chunks ? DeliveryMode::kChunks : DeliveryMode::kWhole;
  if (const Status fine = check_config(config); !fine) return to_public(fine.error());
  return config;
}

Result<KeyPair> to_key_pair(const SecretKey& key) {
  return to_public(KeyPair::from_secret(key.bytes()));
}

Result<PublicKey> to_public_key(std::string_view hex) {
  const auto key = PublicKey::from_hex(hex);
  if (!key) return invalid("a public key is 64 hexadecimal digits");
  return *key;
}

Result<SocketAddress> to_socket_address(std::string_view text) {
  const auto address = parse_address_with_zone(text);
  if (!address) return invalid(fmt::format("'{}' is no ADDR:PORT", text));
  return *address;
}

// --- SecretKey ---

Result<SecretKey> SecretKey::generate() {
  SystemRandom random;
  const auto pair = KeyPair::generate(random);
  if (!pair) return to_public(pair.error());
  return from_bytes(pair->secret().bytes());
}

Result<SecretKey> SecretKey::from_bytes(ByteView bytes) {
  SecretKey key;
  if (bytes.size() != key.bytes_.size()) return invalid("a secret key is 32 bytes");
  const auto pair = KeyPair::from_secret(bytes);
  if (!pair) return to_public(pair.error());
  std::copy(bytes.begin(), bytes.end(), key.bytes_.begin());
  key.public_key_ = pair->public_key().to_hex();
  return key;
}

SecretKey::SecretKey(SecretKey&& other) noexcept : bytes_(other.bytes_), public_key_(std::move(other.public_key_)) {
  ::godwit::wipe(other.bytes_);
}

SecretKey& SecretKey::operator=(SecretKey&& other) noexcept {
  bytes_ = other.bytes_;
  public_key_ = std::move(other.public_key_);
  ::godwit::wipe(other.bytes_);
  return *this;
}

SecretKey::~SecretKey() {
  ::godwit::wipe(bytes_);
}

}  // namespace godwit::v1
