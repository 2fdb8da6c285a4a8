// What a back end counted since it was made: plain integers, written by the thread that drives it.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace godwit {

// Refusals by errno: a bounded table in order of first appearance; errno values beyond its capacity share `other`.
class ErrnoCounts {
 public:
  struct Entry {
    int error = 0;  // an errno value
    std::uint64_t count = 0;
  };
  static constexpr std::size_t kCapacity = 16;

  void add(int error, std::uint64_t count = 1) {
    for (std::size_t i = 0; i < size_; ++i) {
      if (entries_[i].error == error) {
        entries_[i].count += count;
        return;
      }
    }
    if (size_ == kCapacity) return add_other(count);
    entries_[size_++] = Entry{error, count};
  }
  void add_other(std::uint64_t count) { other_ += count; }
  [[nodiscard]] std::uint64_t of(int error) const {
    for (const Entry& entry : entries()) {
      if (entry.error == error) return entry.count;
    }
    return 0;
  }
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = other_;
    for (const Entry& entry : entries()) sum += entry.count;
    return sum;
  }
  [[nodiscard]] std::span<const Entry> entries() const { return {entries_.data(), size_}; }
  [[nodiscard]] std::uint64_t other() const { return other_; }

 private:
  std::array<Entry, kCapacity> entries_{};
  std::size_t size_ = 0;
  std::uint64_t other_ = 0;
};

// How full system calls were: calls by the datagrams that each moved, in classes that double: 0, 1, 2, up to 4, up to
// 8, …; the last class also holds whatever is beyond.
class CallOccupancy {
 public:
  static constexpr std::size_t kClasses = 14;

  void add(std::uint64_t datagrams, std::uint64_t calls = 1) { calls_[class_of(datagrams)] += calls; }
  [[nodiscard]] std::uint64_t calls(std::size_t index) const { return calls_[index]; }
  [[nodiscard]] static constexpr std::size_t class_of(std::uint64_t datagrams) {
    if (datagrams < 2) return static_cast<std::size_t>(datagrams);
    return std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(datagrams - 1)) + 1, kClasses - 1);
  }
  // The most datagrams that a call of this class moved (the last class: at least so many are possible).
  [[nodiscard]] static constexpr std::uint64_t most_of(std::size_t index) {
    return index < 2 ? index : std::uint64_t{1} << (index - 1);
  }

 private:
  std::array<std::uint64_t, kClasses> calls_{};
};

struct BackendStatistics {
  // Sending. A batch counts as sent when its last datagram was taken by the kernel or given up.
  std::uint64_t batches_sent = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t send_calls = 0;              // system calls that tried to send
  CallOccupancy send_occupancy;              // of send_calls
  std::uint64_t blocked_sends = 0;           // the socket's send buffer was full; the rest goes later
  std::uint64_t datagrams_discarded = 0;     // given up after a refusal: lost datagrams to the transport
  ErrnoCounts send_refusals;                 // every errno but would-block, also those that a fall-back repaired
  std::uint64_t offloaded_datagrams = 0;     // of datagrams_sent: through segmentation offload
  std::uint64_t offload_fallbacks = 0;       // paths that segmentation offload was switched off for
  std::uint64_t offload_resent_batches = 0;  // batches that were resent at once datagram by datagram
  std::uint64_t batch_fallbacks = 0;         // sendmmsg itself was forbidden (seccomp): one call a message from then on

  // Receiving.
  std::uint64_t batches_received = 0;
  std::uint64_t datagrams_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t receive_calls = 0;  // system calls that tried to receive
  // Of receive_calls, by datagrams_received; with io_uring, where datagrams arrive without a call, of receive().
  CallOccupancy receive_occupancy;
  std::uint64_t failed_receive_calls = 0;  // of receive_calls, for another reason than an empty socket
  ErrnoCounts receive_errors;              // of them, by errno: what ICMP left on the socket, above all
  std::uint64_t truncated_datagrams = 0;   // longer than BackendConfig::largest_datagram_bytes: dropped
  std::uint64_t empty_datagrams = 0;       // of zero bytes: dropped
  std::uint64_t foreign_datagrams = 0;     // from an address of no known family: dropped
  std::uint64_t kernel_drops = 0;          // SO_RXQ_OVFL: buffers dropped because the receive buffer was full
  std::uint64_t path_errors = 0;           // ICMP errors about datagrams that this socket sent
  std::uint64_t path_reports_dropped = 0;  // of them and of refused sends: about more peers than ErrorQueue holds

  // Waiting.
  std::uint64_t wait_calls = 0;  // system calls that could sleep
};

}  // namespace godwit
