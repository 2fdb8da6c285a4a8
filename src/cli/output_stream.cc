#include "cli/output_stream.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace godwit::cli {
namespace {

// Ready means that a pipe takes at least this much without waiting (pipe(7)).
constexpr std::size_t kReadyBytes = PIPE_BUF;

bool ready(int descriptor, int milliseconds) {
  pollfd waiting{.fd = descriptor, .events = POLLOUT, .revents = 0};
  return ::poll(&waiting, 1, milliseconds) > 0;
}

}  // namespace

void OutputStream::write(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (text.empty()) return;
  if (closed_at_start_) return lose(EBADF);
  if (never_waits_ && !pending_.empty() && pending_.size() + text.size() > kMostPending) {
    write_pending(false);
    if (!pending_.empty() && pending_.size() + text.size() > kMostPending) return lose(ENOBUFS);
  }
  if (inside_line_ && pending_.empty()) pending_ = "\n";
  pending_ += text;
  write_pending(!never_waits_);
}

void OutputStream::set_never_waits(bool never_waits) {
  const std::lock_guard lock(mutex_);
  never_waits_ = never_waits;
}

void OutputStream::flush_ready() {
  if (!pending()) return;
  const std::lock_guard lock(mutex_);
  write_pending(false);
}

void OutputStream::flush(Duration patience) {
  const std::lock_guard lock(mutex_);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  write_pending(false);
  while (!pending_.empty()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) {
      return lose(ETIMEDOUT);
    }
    static_cast<void>(ready(descriptor_, static_cast<int>(std::min<long long>(left, 1000))));
    write_pending(false);
  }
}

void OutputStream::close(Duration patience) {
  flush(patience);
  const std::lock_guard lock(mutex_);
  if (::close(descriptor_) != 0 && errno != EINTR && !closed_at_start_) lose(errno);
}

std::optional<int> OutputStream::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

std::uint64_t OutputStream::lost_texts() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

void OutputStream::write_pending(bool wait) {
  while (!pending_.empty()) {
    if (!wait && !ready(descriptor_, 0)) {
      kept_ = true;
      return;
    }
    const std::size_t piece = wait ? pending_.size() : std::min(pending_.size(), kReadyBytes);
    const ssize_t written = ::write(descriptor_, pending_.data(), piece);
    if (written > 0) {
      inside_line_ = pending_[static_cast<std::size_t>(written) - 1] != '\n';
      pending_.erase(0, static_cast<std::size_t>(written));
      continue;
    }
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      // Another program that shares the terminal or pipe may have made it non-blocking.
      if (!wait) {
        kept_ = true;
        return;
      }
      static_cast<void>(ready(descriptor_, -1));
      continue;
    }
    return lose(written == 0 ? EIO : errno);
  }
  kept_ = false;
  // What ends without a line feed, as a progress bar, is complete: only an error leaves a line cut off.
  inside_line_ = false;
}

void OutputStream::lose(int error) {
  if (!error_) error_ = error;
  ++lost_;
  // A text that a slow reader leaves no room for does not take those before it along.
  if (error == ENOBUFS) return;
  pending_.clear();
  kept_ = false;
}

}  // namespace godwit::cli
