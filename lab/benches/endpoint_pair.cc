#include "benches/endpoint_pair.h"

#include <algorithm>
#include <cstring>

namespace godwit::bench {
namespace {

using namespace std::chrono_literals;

// The server is reached at one address for each connection, and sees each come from that address: as many peers as
// connections, with two endpoints.
constexpr std::uint16_t kServerPort = 31337;
constexpr std::uint16_t kClientPort = 2000;

SocketAddress server_address(std::size_t index) {
  return SocketAddress::ipv4({10, static_cast<std::uint8_t>(index >> 16U), static_cast<std::uint8_t>(index >> 8U),
                              static_cast<std::uint8_t>(index)},
                             kServerPort);
}

}  // namespace

EndpointNet::EndpointNet(const Config& config, std::size_t connections, trace::Sink* sink)
    : server_keys_(*KeyPair::generate(random_)), wanted_(connections) {
  server_ = std::make_unique<Endpoint>(config, *KeyPair::from_secret(server_keys_.secret().bytes()), random_, sink);
  client_ = std::make_unique<Endpoint>(config, *KeyPair::generate(random_), random_, sink);
}

std::optional<ConnectionId> EndpointNet::initiate(std::size_t index) {
  const auto started = client_->connect(now_, server_address(index), server_keys_.public_key());
  if (!started) return std::nullopt;
  return *started;
}

bool EndpointNet::connect() {
  // Admission meters asymmetric work by time: a thousand attempts a second are within its bounds.
  constexpr std::size_t kAtOnce = 64;
  for (std::size_t i = 0; i < wanted_; ++i) {
    const auto started = initiate(i);
    if (!started) return false;
    connections_.push_back(*started);
    if ((i + 1) % kAtOnce != 0 && i + 1 != wanted_) continue;
    for (int round = 0; round < 8; ++round) exchange(8ms);
  }
  return connected >= 2 * wanted_;
}

bool EndpointNet::flush(Endpoint& from, Endpoint& to, std::uint16_t from_port) {
  bool any = false;
  while (true) {
    buffer_.reset();
    bool full = false;
    while (auto batch = from.poll_transmit(now_, buffer_)) {
      any = true;
      full = true;
      datagrams += batch->segment_count();
      wire_bytes += batch->bytes.size();
      const DatagramBatch arriving{.local = batch->remote,
                                   .remote = batch->remote.with_port(from_port),
                                   .bytes = batch->bytes,
                                   .segment_size = batch->segment_size};
      to.receive(now_, arriving);
      collect(to);
    }
    if (!full) return any;
  }
}

void EndpointNet::compare(ByteView bytes, std::uint64_t offset) {
  if (expected_.empty()) return;
  compared_bytes += bytes.size();
  if (offset + bytes.size() > expected_.size() ||
      std::memcmp(bytes.data(), expected_.data() + offset, bytes.size()) != 0)
    ++differences;
}

void EndpointNet::collect(Endpoint& endpoint) {
  while (EndpointEvent* event = endpoint.poll_event()) {
    if (const auto* chunks = std::get_if<StreamChunks>(&event->event)) {
      for (std::uint32_t i = 0; i < chunks->count; ++i) {
        const StreamChunk chunk = chunks->chunk(i);
        delivered_bytes += chunk.bytes.size();
        compare(chunk.bytes, chunk.offset);
      }
    } else if (const auto* chunk = std::get_if<StreamChunk>(&event->event)) {
      delivered_bytes += chunk->bytes.size();
      compare(chunk->bytes, chunk->offset);
    } else if (const auto* message = std::get_if<MessageReceived>(&event->event)) {
      delivered_bytes += message->payload.size();
      ++delivered_messages;
      compare(message->payload, 0);
    } else if (std::holds_alternative<MessageConfirmed>(event->event)) {
      ++confirmed;
    } else if (std::holds_alternative<MessageFailed>(event->event)) {
      ++failed;
    } else if (const auto* begun = std::get_if<Connected>(&event->event)) {
      ++connected;
      if (begun->form == SessionForm::kExtended) ++extended_;
    } else if (std::holds_alternative<Closed>(event->event)) {
      ++closed;
    }
  }
}

void EndpointNet::run_timers(Endpoint& endpoint) {
  const auto timeout = endpoint.next_timeout();
  if (!timeout || *timeout > now_) return;
  ++timers;
  endpoint.handle_timeout(now_);
  collect(endpoint);
}

bool EndpointNet::exchange(Duration step) {
  now_ += step;
  run_timers(*client_);
  run_timers(*server_);
  const bool there = flush(*client_, *server_, kClientPort);
  const bool back = flush(*server_, *client_, kServerPort);
  // What a call of the application itself made happen.
  collect(*client_);
  collect(*server_);
  return there || back;
}

bool EndpointNet::sleep_until_next_timer(Instant end) {
  Instant next = end;
  for (Endpoint* endpoint : {client_.get(), server_.get()}) {
    if (const auto timeout = endpoint->next_timeout()) next = std::min(next, std::max(*timeout, now_));
  }
  if (next >= end) return false;
  exchange(next - now_);
  return true;
}

}  // namespace godwit::bench
