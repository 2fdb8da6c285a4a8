// One of the two standard descriptors as a place to write lines to, on the assumption that every write may fail: the
// disk is full, the reader has gone, the terminal was closed. A failure is remembered and never thrown.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace godwit::cli {

// May be used by several threads: each text is written in one piece.
class OutputStream {
 public:
  // `descriptor` is not owned.
  explicit OutputStream(int descriptor) : descriptor_(descriptor) {}
  OutputStream(const OutputStream&) = delete;
  OutputStream& operator=(const OutputStream&) = delete;

  void write(std::string_view text);
  // While `true`, write() never waits for a slow reader: what the descriptor does not take at once is kept for
  // flush_ready(), and texts beyond kMostPending bytes are dropped and counted. Otherwise write() waits.
  void set_never_waits(bool never_waits);
  // Writes as much of what was kept as the descriptor takes at once.
  void flush_ready();
  [[nodiscard]] bool pending() const { return kept_.load(std::memory_order_relaxed); }
  // Waits until all that was kept has been written, has failed, or `patience` is over.
  void flush(Duration patience);
  // flush() and close(), whose error counts as one of writing.
  void close(Duration patience);

  // The descriptor was closed when the program started: whatever is written is lost.
  void mark_closed_at_start(bool closed = true) { closed_at_start_ = closed; }
  // errno of the first text that was lost, ENOBUFS when it was dropped for a slow reader.
  [[nodiscard]] std::optional<int> error() const;
  [[nodiscard]] std::uint64_t lost_texts() const;

  static constexpr std::size_t kMostPending = std::size_t{1} << 20;

 private:
  void write_pending(bool wait);
  void lose(int error);

  int descriptor_;
  bool closed_at_start_ = false;
  mutable std::mutex mutex_;
  bool never_waits_ = false;
  std::string pending_;
  std::atomic<bool> kept_{false};  // pending_ is not empty; read without the mutex, by loops in every turn
  bool inside_line_ = false;       // a line was cut off by an error: the next text starts on a line of its own
  std::optional<int> error_;
  std::uint64_t lost_ = 0;
};

}  // namespace godwit::cli
