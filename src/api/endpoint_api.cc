#include <utility>

#include "api/convert.h"
#include "base/assert.h"
#include "godwit/endpoint.h"
#include "runtime/fork_guard.h"
#include "runtime/system_random.h"
#include "transport/endpoint.h"

namespace godwit::v1 {
namespace {

SocketAddress to_socket_address(const Address& address) {
  if (address.ipv6) return SocketAddress::ipv6(address.octets, address.port, address.scope_id);
  return SocketAddress::ipv4({address.octets[0], address.octets[1], address.octets[2], address.octets[3]},
                             address.port);
}

Address to_address(const SocketAddress& address) {
  return {
      .octets = address.octets(), .port = address.port(), .ipv6 = address.is_ipv6(), .scope_id = address.scope_id()};
}

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
  Implementation(const Config& config, KeyPair keys) : endpoint(config, std::move(keys), random) {}

  ForkGuard guard;
  SystemRandom random;
  ::godwit::Endpoint endpoint;
  TransmitBuffer buffer{64 * 1024};
};

Endpoint::Endpoint(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Endpoint::~Endpoint() = default;

Result<std::unique_ptr<Endpoint>> Endpoint::make(const Options& options, const SecretKey& key) {
  const auto config = to_config(options);
  if (!config) return std::unexpected(config.error());
  auto keys = to_key_pair(key);
  if (!keys) return std::unexpected(keys.error());
  return std::unique_ptr<Endpoint>(new Endpoint(std::make_unique<Implementation>(*config, std::move(*keys))));
}

Result<ConnectionId> Endpoint::connect(Duration now, const Address& remote, std::string_view public_key) {
  const auto peer = to_public_key(public_key);
  if (!peer) return std::unexpected(peer.error());
  return to_public(implementation_->endpoint.connect(at(now), to_socket_address(remote), *peer));
}

void Endpoint::receive(Duration now, const Address& remote, MutableBytes bytes, std::size_t segment_size) {
  implementation_->endpoint.receive(
      at(now), {.remote = to_socket_address(remote), .bytes = bytes, .segment_size = bytes.empty() ? 0 : segment_size});
}

void Endpoint::handle_timeout(Duration now) {
  implementation_->endpoint.handle_timeout(at(now));
}

Result<MessageId> Endpoint::send(Duration now, ConnectionId connection, std::vector<std::uint8_t>&& bytes) {
  Body body = Body::owned(std::move(bytes));
  auto sent = implementation_->endpoint.send(at(now), connection, std::move(body));
  // A refused message is still the caller's, who may try again.
  if (!sent) bytes = body.take_owned();
  return to_public(std::move(sent));
}
Result<MessageId> Endpoint::send_borrowed(Duration now, ConnectionId connection, ByteView bytes) {
  return to_public(implementation_->endpoint.send(at(now), connection, Body::borrowed(bytes)));
}

void Endpoint::close(Duration now, ConnectionId connection, std::string_view text) {
  implementation_->endpoint.close(at(now), connection, text);
}

bool Endpoint::poll_transmit(Duration now, Transmit& transmit) {
  GODWIT_ASSERT(!implementation_->guard.in_child());
  implementation_->buffer.reset();
  const auto run = implementation_->endpoint.poll_transmit(at(now), implementation_->buffer);
  if (!run) return false;
  transmit = {.remote = to_address(run->remote), .bytes = run->bytes, .segment_size = run->segment_size};
  return true;
}

bool Endpoint::poll_event(Event& event) {
  while (EndpointEvent* next = implementation_->endpoint.poll_event()) {
    if (auto happened = to_public(next->connection, next->event)) {
      event = std::move(*happened);
      return true;
    }
  }
  return false;
}

std::optional<Duration> Endpoint::next_timeout() const {
  const auto deadline = implementation_->endpoint.next_timeout();
  if (!deadline) return std::nullopt;
  return deadline->time_since_epoch();
}

std::optional<Statistics> Endpoint::statistics(ConnectionId connection) const {
  const auto found = implementation_->endpoint.statistics(connection);
  if (!found) return std::nullopt;
  return to_public(*found);
}

}  // namespace godwit::v1
