#include "api/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "runtime/address_text.h"
#include "runtime/system_random.h"
#include "trace/key_log.h"

namespace godwit::v1 {
namespace {

std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{ErrorCode::kInvalidArgument, std::move(message)});
}

// What the application decides of who may connect.
class ApplicationFilter final : public PeerFilter {
 public:
  ApplicationFilter(std::function<bool(const Address&)> address, std::function<bool(std::string_view)> key)
      : address_(std::move(address)), key_(std::move(key)) {}

  bool admits_address(const SocketAddress& remote) override { return !address_ || address_(to_address(remote)); }
  bool admits_key(const std::optional<PublicKey>& key) override {
    return !key_ || key_(key ? key->to_hex() : std::string());
  }

 private:
  std::function<bool(const Address&)> address_;
  std::function<bool(std::string_view)> key_;
};

// Whether the program that filled in `given` knew the member: it comes from headers of this version or a later one.
template <typename Struct, typename Member>
bool knows(const Struct& given, const Member& member) {
  const auto* const begin = reinterpret_cast<const std::uint8_t*>(&given);
  const auto* const end = reinterpret_cast<const std::uint8_t*>(&member + 1);
  return given.size >= static_cast<std::size_t>(end - begin);
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
          .payload_bytes_sent = from.payload_bytes_sent,
          .packets_received = from.packets_received,
          .bytes_received = from.bytes_received,
          .payload_bytes_received = from.payload_bytes_received,
          .packets_retransmitted = from.packets_retransmitted,
          .packets_lost = from.packets_lost,
          .losses_spurious = from.losses_spurious,
          .packets_abandoned = from.packets_abandoned,
          .timeouts = from.timeouts,
          .datagrams_dropped = from.drops.total(),
          .bytes_in_flight = from.bytes_in_flight,
          .window_bytes = from.window_bytes,
          .datagram_bytes = from.datagram_bytes,
          .max_unreliable_bytes = from.max_unreliable_bytes,
          .pacing_bits_per_second = from.pacing_rate.bits_per_second(),
          .latest_round_trip = from.latest_round_trip,
          .smoothed_round_trip = from.smoothed_round_trip,
          .minimum_round_trip = from.minimum_round_trip,
          .round_trip_variance = from.round_trip_variance,
          .congestion = std::string(from.congestion),
          .congestion_state = std::string(from.congestion_state),
          .cipher = std::string(from.cipher),
          .form = std::string(from.form),
          .fallback = std::string(from.fallback),
          .key_updates = from.key_updates};
}

EndpointStatistics to_public(const ::godwit::EndpointStatistics& from) {
  return {.connections_opened = from.connections_opened,
          .connections_closed = from.connections_closed.total(),
          .handshakes_started = from.handshakes_started,
          .handshakes_failed = from.handshakes_failed,
          .connections_evicted = from.connections_evicted,
          .evicted_for_memory = from.evicted_for_memory,
          .inbound_bytes = from.reassembly_bytes,
          .datagrams_received = from.datagrams_received,
          .datagrams_dropped = from.drops.total(),
          .unadmitted_datagrams = from.drops.of(trace::DropReason::kRefusedAddress),
          .unadmitted_peers = from.peers_refused};
}

namespace {

// The values of the public enumeration are fixed; those of the implementation may be reordered.
CloseReason to_public(::godwit::CloseReason reason) {
  switch (reason) {
    case ::godwit::CloseReason::kLocal: return CloseReason::kLocal;
    case ::godwit::CloseReason::kRemote: return CloseReason::kRemote;
    case ::godwit::CloseReason::kIdleTimeout: return CloseReason::kIdleTimeout;
    case ::godwit::CloseReason::kReplaced: return CloseReason::kReplaced;
    case ::godwit::CloseReason::kHandshakeFailed: return CloseReason::kHandshakeFailed;
    case ::godwit::CloseReason::kKeyExhausted: return CloseReason::kKeyExhausted;
    case ::godwit::CloseReason::kUnauthenticated: return CloseReason::kUnauthenticated;
    case ::godwit::CloseReason::kMemory: return CloseReason::kMemory;
    case ::godwit::CloseReason::kProtocolViolation: return CloseReason::kProtocolViolation;
    case ::godwit::CloseReason::kEvicted: return CloseReason::kEvicted;
    case ::godwit::CloseReason::kReset: return CloseReason::kReset;
    case ::godwit::CloseReason::kCount: break;
  }
  return CloseReason::kLocal;
}

// One overload for each alternative: a new one does not compile before the public API has an answer to it.
struct Converter {
  Event& event;

  void operator()(const Connected& connected) const {
    event.kind = Event::Kind::kConnected;
    event.remote = connected.remote.to_string();
    if (connected.peer->observed_self.is_specified()) event.observed = connected.peer->observed_self.to_string();
    event.authenticated = connected.peer_authenticated;
    event.initiator = connected.initiator;
    if (connected.peer->key) event.peer_key = connected.peer->key->to_hex();
    event.extended = connected.form == SessionForm::kExtended;
    event.text = fallback_reason_name(connected.fallback);
  }
  void operator()(const Closed& closed) const {
    event.kind = Event::Kind::kClosed;
    event.reason = to_public(closed.reason);
    event.text = closed.text;
    event.code = closed.code;
  }
  void operator()(const MessageReceived& message) const {
    event.kind = Event::Kind::kMessage;
    event.bytes = message.payload;
  }
  void operator()(const StreamChunk& chunk) const {
    event.kind = Event::Kind::kChunk;
    event.bytes = chunk.bytes;
    event.stream = chunk.stream_id;
    event.offset = chunk.offset;
    event.total = chunk.total;
  }
  // The public interface does not ask for them.
  void operator()(const StreamChunks&) const {}
  void operator()(const StreamMessage& whole) const {
    event.kind = Event::Kind::kMessage;
    event.bytes = whole.payload;
    event.stream = whole.stream_id;
  }
  void operator()(const MetadataReceived& received) const {
    event.kind = Event::Kind::kMetadata;
    event.bytes = received.metadata;
    event.stream = received.stream_id;
  }
  void operator()(const StreamAborted& aborted) const {
    event.kind = Event::Kind::kAborted;
    event.stream = aborted.stream_id;
    event.offset = aborted.received;
    event.total = aborted.total;
    event.code = aborted.code;
  }
  void operator()(const MessageConfirmed& confirmed) const {
    event.kind = Event::Kind::kAcknowledged;
    event.message = confirmed.message;
  }
  void operator()(const MessageFailed& failed) const {
    event.kind = Event::Kind::kFailed;
    event.message = failed.message;
    event.may_have_arrived = failed.may_have_arrived;
    event.text = failed.why;
    event.code = failed.code;
  }
  void operator()(const Writable&) const { event.kind = Event::Kind::kWritable; }
  void operator()(const PeerAuthenticated&) const {
    event.kind = Event::Kind::kAuthenticated;
    event.authenticated = true;
  }
  void operator()(const PeerMoved& moved) const {
    event.kind = Event::Kind::kMoved;
    event.remote = moved.remote.to_string();
  }
  void operator()(const KeyAging&) const { event.kind = Event::Kind::kKeyAging; }
  void operator()(const PingAnswered& pong) const {
    event.kind = Event::Kind::kRoundTrip;
    event.round_trip = pong.round_trip;
  }
  void operator()(const Suspect& suspect) const {
    event.kind = Event::Kind::kSuspect;
    event.silent_for = suspect.silent_for;
  }
};

}  // namespace

std::string_view close_reason_name(CloseReason reason) {
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(::godwit::CloseReason::kCount); ++i) {
    const auto own = static_cast<::godwit::CloseReason>(i);
    if (to_public(own) == reason) return ::godwit::close_reason_name(own);
  }
  return "unknown";
}

Event to_public(::godwit::ConnectionId connection, const ::godwit::Event& from) {
  Event event;
  event.connection = connection;
  std::visit(Converter{event}, from);
  return event;
}

SocketAddress to_socket_address(const Address& address) {
  if (address.ipv6) return SocketAddress::ipv6(address.octets, address.port, address.scope_id);
  return SocketAddress::ipv4({address.octets[0], address.octets[1], address.octets[2], address.octets[3]},
                             address.port);
}

Address to_address(const SocketAddress& address) {
  return {
      .octets = address.octets(), .port = address.port(), .ipv6 = address.is_ipv6(), .scope_id = address.scope_id()};
}

Result<Config> to_config(const Options& options) {
  // The first version had the members down to this one. What came later is read where the program knew it.
  if (!knows(options, options.key_log)) return invalid("Options::size is not to be set");
  Config config;
  config.accept_incoming = options.accept_incoming;
  config.max_connections = options.max_connections;
  config.max_connections_per_host = std::max<std::size_t>(1, options.max_connections / 4 * 3);
  config.reserved_connections = std::max<std::size_t>(1, options.max_connections / 16);
  constexpr std::uint32_t kMostHandshakes = 100'000;
  if (options.stranger_handshakes_per_second == 0 || options.stranger_handshakes_per_second > kMostHandshakes) {
    return invalid(fmt::format("strangers may begin 1 to {} sessions a second, not {}", kMostHandshakes,
                               options.stranger_handshakes_per_second));
  }
  config.admission = AdmissionConfig::for_offers(options.stranger_handshakes_per_second);
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
  constexpr std::size_t kLeastDatagram = 1200;
  constexpr std::size_t kLargestDatagram = HandshakeConfig{}.largest_datagram;
  if (options.max_datagram_bytes < kLeastDatagram || options.max_datagram_bytes > kLargestDatagram) {
    return invalid(fmt::format("max_datagram_bytes is {} to {}, not {}", kLeastDatagram, kLargestDatagram,
                               options.max_datagram_bytes));
  }
  config.handshake.largest_datagram = static_cast<std::uint16_t>(options.max_datagram_bytes);
  if (options.connection_bits_per_second > 0) {
    config.connection_rate_limit = Bandwidth::from_bits_per_second(options.connection_bits_per_second);
  }
  if (options.endpoint_bits_per_second > 0) {
    config.endpoint_rate_limit = Bandwidth::from_bits_per_second(options.endpoint_bits_per_second);
  }
  config.handshake.require_authenticated_peer = options.require_authenticated_peer;
  config.handshake.connect_timeout = options.connect_timeout;
  config.keepalive.idle_timeout = options.idle_timeout;
  if (options.max_inbound_bytes < (std::uint64_t{1} << 20)) {
    return invalid("inbound streams need at least 1 MiB");
  }
  config.reassembly_bytes = options.max_inbound_bytes;
  config.streams.delivery = options.stream_in_chunks ? DeliveryMode::kChunks : DeliveryMode::kWhole;
  constexpr std::uint64_t kSmallestWindow = std::uint64_t{64} << 10;
  constexpr std::uint64_t kLargestWindow = std::uint64_t{1} << 30;
  for (const std::uint64_t window : {options.stream_window_bytes, options.connection_window_bytes}) {
    if (window < kSmallestWindow || window > kLargestWindow) return invalid("a window is 64 KiB to 1 GiB");
  }
  config.handshake.flow = {.stream = options.stream_window_bytes,
                           .connection = options.connection_window_bytes,
                           .by_hand = options.consume_by_hand};
  if (knows(options, options.admit_key) && (options.admit_address || options.admit_key)) {
    config.filter = std::make_shared<ApplicationFilter>(options.admit_address, options.admit_key);
  }
  if (options.key_log) config.key_log = std::make_shared<trace::KeyLogWriter>(options.key_log);
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
