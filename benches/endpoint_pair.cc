#include "benches/endpoint_pair.h"

#include <algorithm>

namespace godwit::bench {
namespace {
const SocketAddress kServer = SocketAddress::ipv4({192, 0, 2, 1}, 31337);
}

EndpointNet::EndpointNet(const Config& config, std::size_t clients, trace::Sink* sink)
    : server_keys_(*KeyPair::generate(random_)) {
  server_ = std::make_unique<Endpoint>(config, *KeyPair::from_secret(server_keys_.secret().bytes()), random_, sink);
  const KeyPair keys = *KeyPair::generate(random_);
  for (std::size_t i = 0; i < clients; ++i) {
    clients_.push_back(std::make_unique<Endpoint>(config, *KeyPair::from_secret(keys.secret().bytes()), random_, sink));
  }
}

SocketAddress EndpointNet::client_address(std::size_t index) {
  return SocketAddress::ipv4({10, static_cast<std::uint8_t>(index >> 16U), static_cast<std::uint8_t>(index >> 8U),
                              static_cast<std::uint8_t>(index)},
                             static_cast<std::uint16_t>(2000 + index % 60'000));
}

bool EndpointNet::connect() {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const auto dialled = clients_[i]->connect(now_, kServer, server_keys_.public_key());
    if (!dialled) return false;
    connections_.push_back(*dialled);
    // Admission counts asymmetric work by time: leave it some.
    for (int round = 0; round < 6; ++round) exchange_with(i, std::chrono::milliseconds(5));
  }
  return connected >= 2 * clients_.size();
}

bool EndpointNet::flush(Endpoint& from, const SocketAddress& from_address, bool to_server, std::size_t client) {
  bool any = false;
  while (true) {
    buffer_.reset();
    bool full = false;
    while (auto run = from.poll_transmit(now_, buffer_)) {
      any = true;
      full = true;
      datagrams += run->segment_count();
      wire_bytes += run->bytes.size();
      DatagramRun arriving{
          .local = run->remote, .remote = from_address, .bytes = run->bytes, .segment_size = run->segment_size};
      if (to_server) {
        server_->receive(now_, arriving);
        collect(*server_);
      } else {
        clients_[client]->receive(now_, arriving);
        collect(*clients_[client]);
      }
    }
    if (!full) return any;
  }
}

void EndpointNet::collect(Endpoint& endpoint) {
  while (EndpointEvent* event = endpoint.poll_event()) {
    if (const auto* chunk = std::get_if<StreamChunk>(&event->event)) {
      delivered_bytes += chunk->bytes.size();
    } else if (const auto* message = std::get_if<MessageReceived>(&event->event)) {
      delivered_bytes += message->payload.size();
      ++delivered_messages;
    } else if (std::holds_alternative<MessageConfirmed>(event->event)) {
      ++confirmed;
    } else if (std::holds_alternative<Connected>(event->event)) {
      ++connected;
    } else if (std::holds_alternative<Closed>(event->event)) {
      ++closed;
    }
  }
}

void EndpointNet::exchange_with(std::size_t client, Duration step) {
  now_ += step;
  Endpoint& dialler = *clients_[client];
  for (Endpoint* endpoint : {&dialler, server_.get()}) {
    if (const auto timeout = endpoint->next_timeout(); timeout && *timeout <= now_) {
      endpoint->handle_timeout(now_);
      collect(*endpoint);
    }
  }
  flush(dialler, client_address(client), true, client);
  flush(*server_, kServer, false, client);
}

void EndpointNet::exchange(Duration step) {
  for (std::size_t i = 0; i < clients_.size(); ++i) exchange_with(i, step);
}

}  // namespace godwit::bench
