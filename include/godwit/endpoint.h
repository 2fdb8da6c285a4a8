// The transport without I/O, for a loop of your own: bytes and time go in, bytes and events come out. Times are
// nanoseconds on a clock of yours that never goes back (CLOCK_BOOTTIME is a good one). An Endpoint does not survive
// fork(): in a child, poll_transmit() aborts, as the parent goes on with the same keys and nonces.
//
//   on input:        receive(now, …), or handle_timeout(now) when next_timeout() has come
//   after any input: while (poll_event(event)) …;  while (poll_transmit(now, …)) send it
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "godwit/types.h"

namespace godwit::v1 {

// A UDP address without text: IPv4 in the first four octets. `scope_id` is the number of the interface of a link-local
// IPv6 address (sin6_scope_id); 0 for all others.
struct Address {
  std::array<std::uint8_t, 16> octets{};
  std::uint16_t port = 0;
  bool ipv6 = false;
  std::uint32_t scope_id = 0;

  // Reads "192.0.2.7:31337", "[2001:db8::1]:31337" and "[fe80::1%3]:31337". No name of a host or of an interface is
  // looked up. Nothing if the text is no address.
  [[nodiscard]] static std::optional<Address> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
};

// One peer's datagrams end to end: each of `segment_size` bytes, the last one perhaps shorter. What UDP_SEGMENT takes.
struct Transmit {
  Address remote;
  ByteView bytes;
  std::size_t segment_size = 0;
};

class Endpoint {
 public:
  // Randomness comes from the system. kInvalidArgument for options that cannot be read.
  [[nodiscard]] static Result<std::unique_ptr<Endpoint>> make(const Options& options, const SecretKey& key);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // A wildcard address means loopback; a link-local one needs its scope_id. Errors: kInvalidArgument for an address
  // that no peer can have or what is no public key, kWouldBlock when the connection table is full.
  [[nodiscard]] Result<ConnectionId> connect(Duration now, const Address& remote, std::string_view public_key);
  // `bytes` may hold several datagrams of one peer end to end (UDP_GRO), each of `segment_size`. They are decrypted in
  // place, and events point into them: they must stay until poll_event() has returned false. The same holds for each of
  // several calls without polling in between.
  void receive(Duration now, const Address& remote, MutableBytes bytes, std::size_t segment_size);
  void handle_timeout(Duration now);
  // When it fails, `bytes` is as it was.
  [[nodiscard]] Result<MessageId> send(Duration now, ConnectionId connection, std::vector<std::uint8_t>&& bytes);
  [[nodiscard]] Result<MessageId> send_borrowed(Duration now, ConnectionId connection, ByteView bytes);
  void close(Duration now, ConnectionId connection, std::string_view text = {});

  // The next run to send; its bytes are valid until the next call. False when there is nothing to send now.
  [[nodiscard]] bool poll_transmit(Duration now, Transmit& transmit);
  // False when nothing has happened.
  [[nodiscard]] bool poll_event(Event& event);
  // When handle_timeout() wants to be called; nothing: only after input.
  [[nodiscard]] std::optional<Duration> next_timeout() const;

  [[nodiscard]] std::optional<Statistics> statistics(ConnectionId connection) const;

 private:
  class Implementation;
  explicit Endpoint(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace godwit::v1
