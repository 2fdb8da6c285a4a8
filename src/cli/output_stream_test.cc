#include "cli/output_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>

namespace godwit::cli {
namespace {

class Pipe {
 public:
  Pipe() {
    if (::pipe(ends_.data()) != 0) ends_ = {-1, -1};
    std::signal(SIGPIPE, SIG_IGN);
  }
  ~Pipe() {
    close_reader();
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] int writer() const { return ends_[1]; }
  void close_reader() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }
  [[nodiscard]] std::string read_some() const {
    std::array<char, 65536> buffer;
    const ssize_t count = ::read(ends_[0], buffer.data(), buffer.size());
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

 private:
  std::array<int, 2> ends_{};
};

TEST(OutputStream, AFullDiskIsAnErrorThatIsRememberedAndNotThrown) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  OutputStream stream(full);
  stream.write("one\n");
  stream.write("two\n");
  EXPECT_EQ(stream.error(), ENOSPC);
  EXPECT_EQ(stream.lost_texts(), 2U);
  ::close(full);
}

TEST(OutputStream, AReaderThatHasGoneIsAnErrorToo) {
  Pipe pipe;
  OutputStream stream(pipe.writer());
  stream.write("one\n");
  EXPECT_FALSE(stream.error());
  pipe.close_reader();
  stream.write("two\n");
  EXPECT_EQ(stream.error(), EPIPE);
}

TEST(OutputStream, ADescriptorThatWasClosedAtTheStartIsNeverWrittenTo) {
  Pipe pipe;
  OutputStream stream(pipe.writer());
  stream.mark_closed_at_start();
  stream.write("one\n");
  EXPECT_EQ(stream.error(), EBADF);
  stream.close(Duration::zero());
}

TEST(OutputStream, ASlowReaderHoldsNobodyUpAndGetsEverythingInTheEnd) {
  Pipe pipe;
  OutputStream stream(pipe.writer());
  stream.set_never_waits(true);
  const std::string line(1000, 'x');
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    const std::string text = std::to_string(i) + line + "\n";
    stream.write(text);
    expected += text;
  }
  EXPECT_TRUE(stream.pending());  // a pipe holds 64 KiB
  std::string read;
  while (read.size() < expected.size()) {
    read += pipe.read_some();
    stream.flush_ready();
  }
  EXPECT_EQ(read, expected);
  EXPECT_FALSE(stream.pending());
  EXPECT_FALSE(stream.error());
}

TEST(OutputStream, WhatASlowReaderLeavesNoRoomForIsCountedAndWhatWasKeptStaysWhole) {
  Pipe pipe;
  OutputStream stream(pipe.writer());
  stream.set_never_waits(true);
  const std::string line = std::string(9'999, 'x') + "\n";
  for (int i = 0; i < 1000; ++i) stream.write(line);
  EXPECT_EQ(stream.error(), ENOBUFS);
  EXPECT_GT(stream.lost_texts(), 800U);
  std::size_t read = 0;
  while (stream.pending()) {
    read += pipe.read_some().size();
    stream.flush_ready();
  }
  read += pipe.read_some().size();
  EXPECT_EQ(read % line.size(), 0U);
  stream.flush(Duration::zero());
}

}  // namespace
}  // namespace godwit::cli
