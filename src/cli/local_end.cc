#include "cli/local_end.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace godwit::cli {

LocalEnd::~LocalEnd() {
  forget();
}

void LocalEnd::attach(ByteEnd input, ByteEnd output) {
  input_ = std::move(input);
  output_ = std::move(output);
  attached_ = true;
}

void LocalEnd::attach_socket(int socket) {
  input_ = ByteEnd(socket, ByteEnd::Kind::kSocket);
  socket_ = true;
  attached_ = true;
}

std::optional<EndFailure> LocalEnd::pump(Instant now) {
  if (!attached_) return std::nullopt;
  if (auto failed = write_on(now)) return failed;
  if (auto failed = read_on()) return failed;
  watch();
  return std::nullopt;
}

std::optional<EndFailure> LocalEnd::read_on() {
  if (!pending_.empty()) {
    if (!mux_.append(channel_, pending_)) return std::nullopt;
    pending_.clear();
  }
  std::array<std::uint8_t, kBlock> block;
  for (int i = 0; i < kRounds && reads(); ++i) {
    const ByteCount count = input_.read(block);
    if (count.state == ByteCount::State::kWait) break;
    if (count.state == ByteCount::State::kFailed) {
      const ChannelCode code = socket_ ? ChannelCode::kReset : ChannelCode::kReadFailed;
      return EndFailure{.code = code, .error = count.error, .output = false};
    }
    if (count.state == ByteCount::State::kEnd) {
      input_ended_ = true;
      mux_.finish(channel_);
      break;
    }
    bytes_in_ += count.bytes;
    const ByteView read = ByteView(block).first(count.bytes);
    // What the channel does not take now stays here, and nothing more is read.
    if (!mux_.append(channel_, read)) pending_.assign(read.begin(), read.end());
  }
  return std::nullopt;
}

std::optional<EndFailure> LocalEnd::write_on(Instant now) {
  std::uint64_t written = 0;
  std::optional<EndFailure> failed;
  while (!to_write_.empty()) {
    const ByteCount count = output().write(to_write_.front());
    if (count.state == ByteCount::State::kFailed) {
      const ChannelCode code = socket_ ? ChannelCode::kReset : ChannelCode::kReaderGone;
      failed = EndFailure{.code = code, .error = count.error, .output = true};
    }
    if (count.state != ByteCount::State::kSome) break;
    to_write_.pop(count.bytes);
    written += count.bytes;
  }
  bytes_out_ += written;
  if (written > 0) mux_.consume(channel_, written);
  if (failed) return failed;
  if (!channel_ended_ || !to_write_.empty() || output_closed_) return std::nullopt;
  output_closed_ = true;
  if (!socket_) set_.forget(output_.descriptor());
  const int error = (socket_ ? input_ : output_).end_writing();
  if (error != 0) return EndFailure{.code = ChannelCode::kReaderGone, .error = error, .output = true};
  mux_.delivered(now, channel_);
  return std::nullopt;
}

std::optional<EndFailure> LocalEnd::on_broken(int descriptor) {
  if (!attached_) return std::nullopt;
  if (!socket_) {
    // The writer of an input that has gone is found by reading, the reader of an output only here.
    if (descriptor != output_.descriptor() || output_closed_) return std::nullopt;
    return EndFailure{.code = ChannelCode::kReaderGone, .error = EPIPE, .output = true};
  }
  int error = 0;
  socklen_t size = sizeof error;
  static_cast<void>(::getsockopt(input_.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size));
  if (error != 0) return EndFailure{.code = ChannelCode::kReset, .error = error, .output = false};
  hung_up_ = true;
  return std::nullopt;
}

void LocalEnd::watch() {
  if (socket_) {
    const bool write = !to_write_.empty();
    if (hung_up_ && !reads() && !write) return forget();
    return set_.watch(input_.descriptor(), token_, reads(), write);
  }
  if (reads()) {
    set_.watch(input_.descriptor(), token_, true, false);
  } else if (input_.is_open()) {
    set_.forget(input_.descriptor());
  }
  if (output_.is_open()) set_.watch(output_.descriptor(), token_, false, !to_write_.empty());
}

void LocalEnd::forget() {
  if (input_.is_open()) set_.forget(input_.descriptor());
  if (output_.is_open()) set_.forget(output_.descriptor());
}

void LocalEnd::abort() {
  forget();
  if (socket_ && input_.is_open()) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    static_cast<void>(::setsockopt(input_.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
  }
  input_.close();
  output_.close();
  attached_ = false;
}

}  // namespace godwit::cli
