// Two or more endpoints in memory, datagrams handed over at once: the whole core without kernel and clock. Used by
// level 1 and by the rows of level 3 that count connections.
#pragma once

#include <memory>
#include <vector>

#include "base/random.h"
#include "transport/endpoint.h"

namespace godwit::bench {

// One server and any number of clients, each with its own address.
class EndpointNet {
 public:
  explicit EndpointNet(const Config& config, std::size_t clients = 1, trace::Sink* sink = nullptr);

  // Dials from every client and runs until all are established. False when one is not.
  [[nodiscard]] bool connect();
  // Moves datagrams between all endpoints until none is left; time goes on by `step` a round.
  void exchange(Duration step = std::chrono::microseconds(20));
  // Between one client and the server only.
  void exchange_with(std::size_t client, Duration step = std::chrono::microseconds(20));

  [[nodiscard]] Endpoint& server() { return *server_; }
  [[nodiscard]] Endpoint& client(std::size_t index) { return *clients_[index]; }
  [[nodiscard]] ConnectionId connection(std::size_t client) const { return connections_[client]; }
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] std::size_t clients() const { return clients_.size(); }

  // What came out at either side.
  std::uint64_t delivered_bytes = 0;
  std::uint64_t delivered_messages = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t closed = 0;
  std::uint64_t connected = 0;
  std::uint64_t datagrams = 0;
  std::uint64_t wire_bytes = 0;

 private:
  static SocketAddress client_address(std::size_t index);
  bool flush(Endpoint& from, const SocketAddress& from_address, bool to_server, std::size_t client);
  void collect(Endpoint& endpoint);

  DeterministicRandom random_{11};
  KeyPair server_keys_;
  std::unique_ptr<Endpoint> server_;
  std::vector<std::unique_ptr<Endpoint>> clients_;
  std::vector<ConnectionId> connections_;
  TransmitBuffer buffer_{128 * 1024};
  Instant now_{std::chrono::seconds(1000)};
  bool counting_ = true;
};

}  // namespace godwit::bench
