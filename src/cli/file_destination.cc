#include "cli/file_destination.h"

#include <poll.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "cli/download_folder.h"

namespace godwit::cli {
namespace {

// How long a wait for the reader lasts before the thread looks whether the program ends.
constexpr int kPollMilliseconds = 100;

}  // namespace

Result<std::unique_ptr<FileDestination>> FileDestination::open(const Options& options) {
  std::unique_ptr<FileDestination> made(new FileDestination);
  FileStore::Options store{.folder = options.output, .sync = options.sync, .wake = options.wake};
  if (options.output == "-") {
    auto end = ByteEnd::take_standard(STDOUT_FILENO);
    if (!end) return std::unexpected(end.error());
    made->standard_output_ = std::move(*end);
    store.output = [destination = made.get()](ByteView bytes) { return destination->pass_on(bytes); };
  } else if (options.output.empty()) {
    auto standard = default_output_folder();
    if (!standard) return std::unexpected(standard.error());
    store.folder = std::move(*standard);
  }
  if (!made->is_standard_output()) made->folder_ = store.folder;
  auto opened = FileStore::open(std::move(store));
  if (!opened) return std::unexpected(opened.error());
  made->store_ = std::move(*opened);
  return made;
}

FileDestination::~FileDestination() {
  stopping_.store(true, std::memory_order_relaxed);
}

// A reader that takes its time holds up the sender, by the credit that its bytes do not give, and nothing else.
Status FileDestination::pass_on(ByteView bytes) {
  while (!bytes.empty()) {
    const ByteCount written = standard_output_.write(bytes);
    if (written.state == ByteCount::State::kFailed) {
      return failure(ErrorCode::kSystem,
                     std::string("standard output cannot be written: ") + std::strerror(written.error));
    }
    bytes = bytes.subspan(written.bytes);
    if (written.state != ByteCount::State::kWait) continue;
    if (stopping_.load(std::memory_order_relaxed)) return failure(ErrorCode::kClosed, "the receiver ends");
    pollfd waiting{.fd = standard_output_.descriptor(), .events = POLLOUT, .revents = 0};
    static_cast<void>(::poll(&waiting, 1, kPollMilliseconds));
  }
  return {};
}

}  // namespace godwit::cli
