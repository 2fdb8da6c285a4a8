// Moves batches of datagrams between a socket and the rest of Godwit: one interface, several ways to pay the kernel for
// it (a call a datagram, a call for many, segmentation offload, io_uring). Made by make_backend, owned by a Node (or by
// the FaultyBackend that decorates it) and driven by one thread at a time; only wake() may come from elsewhere.
// Every back end behaves alike: backend_conformance_test.cc runs one suite on all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/datagram_batch.h"
#include "base/path_problem.h"
#include "base/result.h"
#include "base/time.h"
#include "udp/backend_statistics.h"
#include "udp/kernel_version.h"
#include "udp/socket.h"

namespace godwit {

class SendCalls;

enum class BackendKind : std::uint8_t {
  kAuto,       // the best that a probe on this machine proves: gso, else mmsg, else sendto; posix without Linux
  kSendto,     // one datagram a call, in both directions
  kConnected,  // as kSendto on a connected socket: only for a client of a single peer (BackendConfig::peer)
  kMmsg,       // sendmmsg and recvmmsg: many datagrams to many peers a call
  kGso,        // a batch a send (UDP_SEGMENT), batches to many peers a sendmmsg, and UDP_GRO with recvmmsg
  kUring,      // io_uring: queued sends with UDP_SEGMENT, multishot receive into provided buffers with UDP_GRO
  kPosix,      // one datagram a call, without anything that only Linux has
};

// All but kAuto, in the order of the table in backend.cc.
[[nodiscard]] std::span<const BackendKind> backend_kinds();
// The words of --backend: "auto", then those of the kinds above.
[[nodiscard]] std::span<const std::string_view> backend_names();
[[nodiscard]] std::string_view to_string(BackendKind kind);
[[nodiscard]] std::optional<BackendKind> parse_backend_kind(std::string_view text);

struct BackendConfig {
  // A longer datagram is counted and dropped (wire spec Appendix B: 1500).
  std::size_t largest_datagram_bytes = 1500;
  // Most datagrams that one receive() takes without receive offload.
  std::size_t receive_datagrams = 64;
  // Most batches of up to 64 KiB that one receive() takes with receive offload; each costs a buffer of 64 KiB.
  std::size_t receive_batches = 16;
  // UDP_SEGMENT, for kGso and kUring.
  bool segmentation_offload = true;
  // UDP_GRO. Unset: on for kGso and kUring, off for the others.
  std::optional<bool> receive_offload;
  // Segmentation offload also on kernels known to damage it (kernel_version.h).
  bool allow_defective_kernel = false;
  // Batches that a path which refused segmentation offload spends without it before it is tried again; 0: never again.
  std::uint32_t offload_retry_batches = 65536;
  // kConnected: the one peer.
  SocketAddress peer;
  // Tests: the kernel's answers to sends, and its version. Null and unset: the real ones.
  std::shared_ptr<SendCalls> send_calls;
  std::optional<KernelVersion> kernel;
};

// What one receive() found. Kept by the caller and passed again, so that its storage is reused.
class ReceivedBatches {
 public:
  // In order of arrival. The bytes belong to the back end and may be written to (decryption in place); they stay until
  // the next receive() of that back end, or its end. `local` is the address that the batch came to.
  [[nodiscard]] std::span<DatagramBatch> batches() { return batches_; }
  [[nodiscard]] std::span<const DatagramBatch> batches() const { return batches_; }
  [[nodiscard]] bool empty() const { return batches_.empty(); }
  // The call stopped at its bound, not at an empty socket: there is probably more.
  [[nodiscard]] bool stopped_at_bound() const { return stopped_at_bound_; }

  // For back ends.
  void clear() {
    batches_.clear();
    stopped_at_bound_ = false;
  }
  void reserve(std::size_t batches) { batches_.reserve(batches); }
  void add(const DatagramBatch& batch) { batches_.push_back(batch); }
  void set_stopped_at_bound() { stopped_at_bound_ = true; }

 private:
  std::vector<DatagramBatch> batches_;
  bool stopped_at_bound_ = false;
};

// Why a wait() ended; none of them after its time-out or a signal.
struct WaitOutcome {
  bool readable = false;  // receive() finds something
  bool writable = false;  // a send that had blocked may go on
  bool woken = false;     // wake() was called
  bool failed = false;    // an error waits on the socket; back ends read it themselves
};

class Backend {
 public:
  virtual ~Backend() = default;

  // Sends the batches in order and returns how many were taken; fewer than given means would-block: offer the rest
  // again after a wait() that reports writable. A batch that the kernel took in part counts as taken: the back end
  // copies its remainder (of at most one batch at a time) and sends it first, in send(), receive() or wait(). Nothing
  // is sent twice. Bytes need to live only for the call. A batch of zero bytes is one empty datagram. A refusal other
  // than would-block is counted by errno, reported, and the rest of that batch is discarded: to the transport, lost
  // datagrams. `local` is honoured on a wildcard socket and ignored elsewhere.
  [[nodiscard]] virtual std::size_t send(std::span<const DatagramBatch> batches) = 0;
  // From now on send() and send_blocked() may be called by several threads, in turn, while the owner does everything
  // else. False, and nothing has changed, where the back end cannot be shared: the owner alone sends.
  [[nodiscard]] virtual bool share_sending() { return false; }
  // Whether the peer that most of what arrives comes from may have a socket of its own, connected to it, beside the one
  // of all (peer_socket.h). Only for an owner that waits with wait(), since descriptor() says nothing of that socket.
  // No effect where the back end has none.
  virtual void connect_busy_peers(bool /*allowed*/) {}
  // Who has one now.
  [[nodiscard]] virtual std::optional<SocketAddress> connected_peer() const { return std::nullopt; }
  // The last send() ended in would-block, or a remainder is still unsent.
  [[nodiscard]] virtual bool send_blocked() const = 0;

  // Takes what has arrived, up to a bound, and never blocks; returns the number of batches. Segments coalesced by the
  // kernel stay one batch. After calls in a row that found nothing, which is polling, one takes what comes first alone.
  virtual std::size_t receive(ReceivedBatches& inbox) = 0;

  // Sleeps until something arrives, a blocked send may go on, wake() is called, or the time-out (nanoseconds; zero
  // polls; none: for ever) is over.
  virtual WaitOutcome wait(std::optional<Duration> timeout) = 0;
  // Ends the current wait(), or the next one. From any thread and from signal handlers.
  virtual void wake() noexcept = 0;

  // What the kernel and ICMP said about datagrams that this back end sent, one report for each peer; nothing when all
  // has been read. Reports come up during send(), receive() and wait().
  [[nodiscard]] virtual std::optional<PathReport> poll_path_report() = 0;

  // Readable when receive() finds something, once receive() has been called: for event loops of others. They also go on
  // while ReceivedBatches::stopped_at_bound(). With kUring it changes when another thread takes the back end over.
  [[nodiscard]] virtual int descriptor() const = 0;
  // Of further sockets, readable when one of them has something for a turn; -1: there are none.
  [[nodiscard]] virtual int further_descriptor() const { return -1; }
  [[nodiscard]] virtual const Socket& socket() const = 0;
  [[nodiscard]] virtual const BackendStatistics& statistics() const = 0;
  // Never kAuto.
  [[nodiscard]] virtual BackendKind kind() const = 0;
  // One line: what was chosen, with which offloads, and why.
  [[nodiscard]] virtual const std::string& choice() const = 0;
};

// Takes the socket over. Errors: kUnsupported with the reason (no io_uring, a kernel with the offload defect when kGso
// is asked for by name, another one than kPosix without Linux), kInvalidArgument (kConnected without a peer).
[[nodiscard]] Result<std::unique_ptr<Backend>> make_backend(BackendKind kind, Socket socket,
                                                            const BackendConfig& config);

}  // namespace godwit
