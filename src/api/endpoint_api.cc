#include <utility>

#include "api/connection_calls.h"
#include "api/convert.h"
#include "api/trace_output.h"
#include "base/assert.h"
#include "godwit/endpoint.h"
#include "runtime/fork_guard.h"
#include "runtime/metrics_text.h"
#include "runtime/system_random.h"
#include "transport/endpoint.h"

namespace godwit::v1 {
namespace {

Instant at(Duration now) {
  return Instant{now};
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  const auto address = SocketAddress::parse(text);
  if (!address) return std::nullopt;
  return to_address(*address);
}

std::string Address::to_string() const {
  return to_socket_address(*this).to_string();
}

class Endpoint::Implementation {
 public:
  Implementation(const Config& config, KeyPair keys, std::unique_ptr<trace::Sink> sink)
      : trace(std::move(sink)), endpoint(config, std::move(keys), random, trace.get()) {}

  ForkGuard guard;
  SystemRandom random;
  std::unique_ptr<trace::Sink> trace;  // null unless one was asked for
  ::godwit::Endpoint endpoint;
  ConnectionCalls calls{endpoint};
  TransmitBuffer buffer{64 * 1024};
  // The latest that were handed out.
  Transmit transmit;
  Event event;
};

Endpoint::Endpoint(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Endpoint::~Endpoint() = default;

Result<std::unique_ptr<Endpoint>> Endpoint::make(const Options& options, const SecretKey& key) {
  auto config = to_config(options);
  if (!config) return std::unexpected(config.error());
  // The marks of packets do not pass through this interface.
  config->handshake.capabilities &= ~wire::capability::kEcn;
  auto keys = to_key_pair(key);
  if (!keys) return std::unexpected(keys.error());
  return std::unique_ptr<Endpoint>(
      new Endpoint(std::make_unique<Implementation>(*config, std::move(*keys), make_trace(options))));
}

Result<ConnectionId> Endpoint::connect(Duration now, const Address& remote, std::string_view public_key) {
  const auto peer = to_public_key(public_key);
  if (!peer) return std::unexpected(peer.error());
  return to_public(implementation_->endpoint.connect(at(now), to_socket_address(remote), *peer));
}

void Endpoint::receive(Duration now, const Address& remote, MutableBytes bytes, std::size_t segment_size,
                       const std::optional<Address>& local) {
  implementation_->endpoint.receive(at(now), {.local = local ? to_socket_address(*local) : SocketAddress(),
                                              .remote = to_socket_address(remote),
                                              .bytes = bytes,
                                              .segment_size = bytes.empty() ? 0 : segment_size});
}

void Endpoint::handle_timeout(Duration now) {
  implementation_->endpoint.handle_timeout(at(now));
}

Result<MessageId> Endpoint::send(Duration now, ConnectionId connection, std::vector<std::uint8_t>&& bytes,
                                 const SendOptions& options) {
  return implementation_->calls.send(at(now), connection, std::move(bytes), options);
}
Result<MessageId> Endpoint::send_pieces(Duration now, ConnectionId connection, std::span<const ByteView> pieces,
                                        const SendOptions& options) {
  return implementation_->calls.send_pieces(at(now), connection, pieces, options);
}
Result<MessageId> Endpoint::send_borrowed(Duration now, ConnectionId connection, ByteView bytes,
                                          const SendOptions& options) {
  return implementation_->calls.send_borrowed(at(now), connection, bytes, options);
}

Result<MessageId> Endpoint::open_stream(Duration now, ConnectionId connection, const SendOptions& options) {
  return implementation_->calls.open_stream(at(now), connection, options);
}
Result<void> Endpoint::append(ConnectionId connection, MessageId stream, ByteView bytes) {
  return implementation_->calls.append(connection, stream, bytes);
}
bool Endpoint::finish(ConnectionId connection, MessageId stream) {
  return implementation_->endpoint.finish(connection, stream);
}

bool Endpoint::extend_send_limit(Duration now, ConnectionId connection, MessageId message, std::uint64_t limit_bytes) {
  return implementation_->endpoint.extend_send_limit(at(now), connection, message, limit_bytes);
}
bool Endpoint::cancel(Duration now, ConnectionId connection, MessageId message, std::uint64_t code) {
  return implementation_->endpoint.cancel(at(now), connection, message, code);
}
std::uint32_t Endpoint::stream_of(ConnectionId connection, MessageId message) const {
  return implementation_->endpoint.stream_id(connection, message);
}
bool Endpoint::keep_alive(Duration now, ConnectionId connection, std::uint32_t stream) {
  return implementation_->endpoint.keep_stream_alive(at(now), connection, stream);
}
bool Endpoint::stop_receiving(ConnectionId connection, std::uint32_t stream, std::uint64_t code) {
  return implementation_->endpoint.stop_receiving(connection, stream, code);
}
void Endpoint::consume(ConnectionId connection, std::uint32_t stream, std::uint64_t bytes) {
  implementation_->endpoint.consume(connection, stream, bytes);
}
bool Endpoint::pause(ConnectionId connection, std::uint32_t stream) {
  return implementation_->endpoint.set_paused(connection, stream, true);
}
bool Endpoint::resume(ConnectionId connection, std::uint32_t stream) {
  return implementation_->endpoint.set_paused(connection, stream, false);
}
Result<void> Endpoint::ping(Duration now, ConnectionId connection) {
  return to_public(implementation_->endpoint.ping(at(now), connection));
}
Result<void> Endpoint::reconnect(Duration now, ConnectionId connection) {
  return to_public(implementation_->endpoint.reconnect(at(now), connection));
}

void Endpoint::close(Duration now, ConnectionId connection, std::string_view text, std::uint64_t code) {
  implementation_->endpoint.close(at(now), connection, text, code);
}
void Endpoint::close_all(Duration now, std::string_view text) {
  implementation_->endpoint.close_all(at(now), text);
}

Result<void> Endpoint::set_congestion(Duration now, ConnectionId connection, std::string_view name) {
  return implementation_->calls.set_congestion(at(now), connection, name);
}
Result<void> Endpoint::set_rate_limit(Duration now, ConnectionId connection, std::uint64_t bits_per_second) {
  return implementation_->calls.set_rate_limit(at(now), connection, bits_per_second);
}
Result<void> Endpoint::set_user_data(ConnectionId connection, std::uint64_t user_data) {
  return implementation_->calls.set_user_data(connection, user_data);
}

const Transmit* Endpoint::poll_transmit(Duration now) {
  GODWIT_ASSERT(!implementation_->guard.in_child());
  implementation_->buffer.reset();
  const auto batch = implementation_->endpoint.poll_transmit(at(now), implementation_->buffer);
  if (!batch) return nullptr;
  Transmit& transmit = implementation_->transmit;
  transmit = {.remote = to_address(batch->remote),
              .local = std::nullopt,
              .bytes = batch->bytes,
              .segment_size = batch->segment_size};
  if (batch->local.is_specified()) transmit.local = to_address(batch->local);
  return &transmit;
}

const Event* Endpoint::poll_event() {
  const EndpointEvent* const next = implementation_->endpoint.poll_event();
  if (next == nullptr) return nullptr;
  implementation_->event = implementation_->calls.take(next->connection, next->event);
  return &implementation_->event;
}

std::optional<Duration> Endpoint::next_timeout() const {
  const auto deadline = implementation_->endpoint.next_timeout();
  if (!deadline) return std::nullopt;
  return deadline->time_since_epoch();
}

bool Endpoint::prepare_handshakes() {
  // Parent and child would go on with the same keys.
  GODWIT_ASSERT(!implementation_->guard.in_child());
  return implementation_->endpoint.prepare_handshakes();
}

std::string Endpoint::public_key() const {
  return implementation_->endpoint.public_key().to_hex();
}
std::vector<ConnectionId> Endpoint::connections() const {
  return implementation_->endpoint.connections();
}
std::optional<Address> Endpoint::remote_address(ConnectionId connection) const {
  const auto found = implementation_->endpoint.remote_address(connection);
  if (!found) return std::nullopt;
  return to_address(*found);
}
std::shared_ptr<const Statistics> Endpoint::statistics(ConnectionId connection) const {
  return implementation_->calls.statistics(connection);
}
std::shared_ptr<const EndpointStatistics> Endpoint::statistics() const {
  return implementation_->calls.statistics();
}
std::string Endpoint::metrics() const {
  return metrics_text(implementation_->endpoint);
}
Liveness Endpoint::liveness(ConnectionId connection) const {
  return implementation_->calls.liveness(connection);
}
std::size_t Endpoint::closing_count() const {
  return implementation_->endpoint.closing_count();
}

}  // namespace godwit::v1
