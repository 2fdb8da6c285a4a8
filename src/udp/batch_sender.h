// The sending half of every back end: turns batches into messages for the kernel, passes them through a Transmitter,
// and knows what to do with each answer. All rules about splitting, would-block, refusals and fall-back live here,
// once. Owned by a back end. Invariant: while a remainder is held, nothing newer is sent.
#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/datagram_batch.h"
#include "udp/backend_statistics.h"
#include "udp/error_queue.h"
#include "udp/offload_paths.h"
#include "udp/platform.h"
#include "udp/sockaddr.h"

namespace godwit {

inline constexpr std::size_t kMaxMessagesPerCall = 64;
// UDP_MAX_SEGMENTS of every kernel with UDP_SEGMENT (newer ones take 128).
inline constexpr std::size_t kMaxSegmentsPerMessage = 64;
// The largest UDP payload: 65535 less an IPv4 and a UDP header. It bounds a message before it is cut, too.
inline constexpr std::size_t kMaxMessageBytes = 65507;

// A datagram above it leaves whole or not at all: it is a probe of the path's size, or was allowed by one
// (docs/extended_sessions.md, section 10). One of at most this size may be fragmented (docs/adr/0011-small-paths.md).
inline constexpr std::size_t kLargestFragmented = 1200;

struct TransmitOutcome {
  std::size_t taken = 0;  // messages, from the first
  int error = 0;          // the errno that the message after them met; 0: none, or it shows when offered again
};

// One way of passing prepared messages to the kernel, in order. Counts its own system calls.
class Transmitter {
 public:
  virtual ~Transmitter() = default;
  [[nodiscard]] virtual TransmitOutcome transmit(std::span<KernelMessage> messages) = 0;
};

class BatchSender {
 public:
  struct Options {
    int descriptor = -1;
    SocketFamily family = SocketFamily::kIpv4;
    bool is_wildcard = false;  // a batch's local address is passed on
    bool segmentation_offload = false;
    std::uint32_t offload_retry_batches = 0;
    SocketAddress connected_peer;  // specified: messages carry no name, other peers are refused (EISCONN)
  };

  BatchSender(const Options& options, std::unique_ptr<Transmitter> transmitter, BackendStatistics& statistics,
              ErrorQueue& errors);
  ~BatchSender();

  // As Backend::send.
  [[nodiscard]] std::size_t send(std::span<const DatagramBatch> batches);
  // Sends what is left of a batch taken in part. True when nothing is left.
  bool flush();
  // Any thread.
  [[nodiscard]] bool blocked() const { return blocked_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool has_remainder() const { return remainder_.has_value(); }

 private:
  // A place in a span of batches: everything before it has been sent or given up.
  struct Position {
    std::size_t batch = 0;
    std::size_t offset = 0;  // bytes
  };
  // What one prepared message stands for.
  struct Piece {
    Position end;
    std::size_t datagrams = 0;
    std::size_t bytes = 0;
  };
  struct Storage;
  // What stands in the first place of the storage: name and control bytes of the first batch of the last call. The next
  // one goes to the same peer as a rule.
  struct Header {
    SocketAddress remote;  // unspecified: there is nothing
    SocketAddress local;
    Ecn ecn = Ecn::kNone;
    std::uint8_t hop_limit = 0;
    std::size_t control_bytes = 0;

    [[nodiscard]] bool fits(const DatagramBatch& batch) const {
      return remote == batch.remote && local == batch.local && ecn == batch.ecn && hop_limit == batch.hop_limit;
    }
  };

  // True when all batches are done; false when blocked at `at`.
  [[nodiscard]] bool advance(std::span<const DatagramBatch> batches, Position& at);
  [[nodiscard]] std::size_t prepare(std::span<const DatagramBatch> batches, Position at);
  // Prepares the messages of one batch; false when there is no room for all of it.
  [[nodiscard]] bool prepare_batch(const DatagramBatch& batch, std::size_t index, std::size_t offset,
                                   std::size_t& count);
  [[nodiscard]] std::size_t write_control(const DatagramBatch& batch, std::size_t slot, std::size_t segment_size);
  // The class of service (DSCP) that the application has given the socket, in its place in the byte.
  [[nodiscard]] int service_class(bool ipv4);
  void account(std::span<const Piece> pieces, Position& at);
  void account_calls(std::span<const Piece> taken, std::uint64_t calls);
  void on_refusal(const DatagramBatch& batch, Position& at, int error, bool was_cut);
  void discard_rest(const DatagramBatch& batch, Position& at, int error);
  void keep_remainder(const DatagramBatch& batch, std::size_t offset);
  [[nodiscard]] int refusal_of(const DatagramBatch& batch) const;
  // Whether the socket treats fragmentation as this batch needs it; a small datagram does not care.
  [[nodiscard]] bool is_set_for(const DatagramBatch& batch) const;
  // Makes it so. False when the system cannot.
  [[nodiscard]] bool set_for(const DatagramBatch& batch);
  [[nodiscard]] bool goes_by_ipv6(const DatagramBatch& batch) const {
    return options_.family == SocketFamily::kIpv6 && !batch.remote.is_ipv4();
  }

  Options options_;
  std::unique_ptr<Transmitter> transmitter_;
  BackendStatistics& statistics_;
  ErrorQueue& errors_;
  OffloadPaths paths_;
  std::unique_ptr<Storage> storage_;
  Header header_;
  // The path whose offloaded message was refused last, until its first single datagram shows whether offload was the
  // cause.
  std::optional<SocketAddress> suspect_;
  std::uint32_t retries_ = 0;  // of the message at hand, which met pending errors of earlier ones
  std::atomic<bool> blocked_ = false;
  std::array<bool, 2> kept_whole_{};  // what goes by IPv4, by IPv6
  std::array<std::optional<int>, 2> service_class_;
  std::optional<DatagramBatch> remainder_;  // its bytes are remainder_bytes_
  std::vector<std::uint8_t> remainder_bytes_;
};

}  // namespace godwit
