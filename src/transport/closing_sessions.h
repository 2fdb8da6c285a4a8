// Sessions that this side has closed: their close packet is repeated until the peer answers it or a second is over, so
// that one lost datagram does not leave the peer with a dead connection for its idle time-out. A Godwit answers with a
// close packet of its own; a deployed peer does not, and gets all repetitions, which it takes for datagrams of nobody.
// Owned by Endpoint, which frees the connection at once: a name that is closed is closed. Bounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/datagram_batch.h"
#include "base/time.h"
#include "handshake/session.h"
#include "transport/transmit_buffer.h"

namespace godwit {

class ClosingSessions {
 public:
  static constexpr std::size_t kMaxSessions = 256;
  // Of the repetitions, after the first close packet. Another one may go early, as the answer to a datagram that shows
  // that the peer has not heard of the end.
  static constexpr std::array<Duration, 3> kRepeatAfter = {200ms, 500ms, 1s};

  // The close packet `datagram` was sent a moment ago. Without effect beyond kMaxSessions: counted.
  void add(Instant now, const SocketAddress& local, const SocketAddress& remote, std::vector<std::uint8_t> datagram,
           std::unique_ptr<Session> session);
  // True when the symmetric datagram is authentic in a session that is being closed. Leaves it intact otherwise: a
  // handshake at the same address may need it.
  bool receive(Instant now, const SocketAddress& remote, MutableBytes datagram);
  // The peer has a new connection: nothing is said about the old one any more. A mere intro is no reason: it may be
  // forged.
  void forget(const SocketAddress& remote);

  [[nodiscard]] std::optional<DatagramBatch> poll_transmit(Instant now, TransmitBuffer& buffer);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }

 private:
  struct Closing {
    SocketAddress local;
    SocketAddress remote;
    std::vector<std::uint8_t> datagram;
    std::unique_ptr<Session> session;
    Instant closed_at;
    Instant last_sent;
    std::size_t repeats = 0;

    [[nodiscard]] Instant next() const { return closed_at + kRepeatAfter[repeats]; }
  };
  std::vector<Closing> sessions_;
};

}  // namespace godwit
