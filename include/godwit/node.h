// A peer with its own event loop: one socket, one thread, all its connections. The easy way to use Godwit; for a loop
// of your own see endpoint.h. Only stop(), wake() and post() may be called from other threads.
// A Node does not survive fork(): used in a child it aborts, as its parent goes on with the same keys and nonces. Open
// a Node after the fork, or exec another program.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "godwit/types.h"

namespace godwit::v1 {

struct NodeOptions {
  Options transport;
  // "ADDR:PORT"; port 0 lets the system choose. "[::]:31337" takes IPv4 too. A link-local address names its interface:
  // "[fe80::1%eth0]:31337".
  std::string bind = "[::]:0";
  // "auto", "sendto", "connected", "mmsg", "gso", "uring".
  std::string backend = "auto";
  std::size_t receive_buffer_bytes = std::size_t{16} << 20;
};

class NodeGroup;

class Node {
 public:
  using Handler = std::function<void(Node&, const Event&)>;

  // Errors: kInvalidArgument for options that cannot be read, and what the system says of the socket.
  [[nodiscard]] static Result<std::unique_ptr<Node>> open(const NodeOptions& options, const SecretKey& key);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] std::string local_address() const;
  [[nodiscard]] std::string public_key() const;

  // Dials `address` ("192.0.2.7:31337"), known by its public key (64 hexadecimal digits). kConnected or kClosed
  // follows. A group's Node dials the peers of its own shard only (node_group.h).
  [[nodiscard]] Result<ConnectionId> connect(std::string_view address, std::string_view public_key);
  // Sends a message of any size up to 165,675,008 bytes. The first copies, the second takes over, the third borrows:
  // the bytes stay alive and unchanged until kConfirmed or kFailed names the message. When the second fails, `bytes` is
  // as it was.
  [[nodiscard]] Result<MessageId> send(ConnectionId connection, ByteView bytes);
  [[nodiscard]] Result<MessageId> send(ConnectionId connection, std::vector<std::uint8_t>&& bytes);
  [[nodiscard]] Result<MessageId> send_borrowed(ConnectionId connection, ByteView bytes);
  void ping(ConnectionId connection);
  void close(ConnectionId connection, std::string_view text = {});
  [[nodiscard]] std::optional<Statistics> statistics(ConnectionId connection) const;

  // Handles events until stop().
  void run(const Handler& handler);
  // One turn of the loop: waits at most `longest_wait`, handles what happened.
  void turn(const Handler& handler, Duration longest_wait);
  void stop() noexcept;
  void wake() noexcept;
  // Runs `call` on the loop's thread. False when too many wait.
  [[nodiscard]] bool post(std::function<void(Node&)> call);

 private:
  friend class NodeGroup;
  class Implementation;
  explicit Node(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace godwit::v1
