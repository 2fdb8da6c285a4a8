#include "cli/process_options.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "cli/console.h"
#include "cli/exit_code.h"

namespace godwit::cli {
namespace {

constexpr const char* kGroup = "Process";
constexpr const char* kIsoTime = "%Y-%m-%dT%H:%M:%S%z ";

void replace_descriptor(int descriptor, int flags) {
  const int null = ::open("/dev/null", flags | O_CLOEXEC);
  if (null < 0) return;
  ::dup2(null, descriptor);
  ::close(null);
}

}  // namespace

void add_process_options(CLI::App& app, ProcessOptions& options) {
  app.add_option("--logfile", options.log_file, "append all output, results included, to this file")
      ->group(kGroup)
      ->type_name("FILE");
  app.add_option("--timestamps", options.timestamps,
                 "begin each line with the time, in a format of strftime(3); default ISO 8601")
      ->expected(0, 1)
      ->default_str(kIsoTime)
      ->group(kGroup)
      ->type_name("FORMAT");
  app.add_option("-A,--affinity", options.processor, "run on this processor alone")
      ->check(CLI::Range(0, CPU_SETSIZE - 1))
      ->group(kGroup)
      ->type_name("CPU");
}

Status apply(const ProcessOptions& options) {
  if (!options.log_file.empty()) {
    if (const Status opened = redirect_output(options.log_file); !opened) return opened;
  }
  if (!options.timestamps.empty()) set_timestamps(options.timestamps);
  if (!options.processor) return {};
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET(static_cast<std::size_t>(*options.processor), &processors);
  if (::sched_setaffinity(0, sizeof processors, &processors) == 0) return {};
  return failure(ErrorCode::kInvalidArgument,
                 "cannot run on processor " + std::to_string(*options.processor) + ": " + std::strerror(errno));
}

Daemon::Daemon() {
  std::array<int, 2> ends{};
  const bool piped = ::pipe2(ends.data(), O_CLOEXEC) == 0;
  const pid_t child = piped ? ::fork() : -1;
  if (child < 0) {
    print_error(std::string("cannot go into the background: ") + std::strerror(errno));
    parent_exit_code_ = kFailure;
    return;
  }
  if (child == 0) {
    ::close(ends[0]);
    parent_ = ends[1];
    ::setsid();
    return;
  }
  ::close(ends[1]);
  char byte = 0;
  ssize_t count = 0;
  while ((count = ::read(ends[0], &byte, 1)) < 0 && errno == EINTR) {
  }
  ::close(ends[0]);
  parent_exit_code_ = kSuccess;
  if (count == 1) return;
  // It has ended, and has said why.
  int status = 0;
  ::waitpid(child, &status, 0);
  parent_exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : static_cast<int>(kFailure);
}

Daemon::~Daemon() {
  if (parent_ >= 0) ::close(parent_);
}

void Daemon::ready(bool keep_output) {
  replace_descriptor(STDIN_FILENO, O_RDONLY);
  if (!keep_output) {
    replace_descriptor(STDOUT_FILENO, O_WRONLY);
    replace_descriptor(STDERR_FILENO, O_WRONLY);
  }
  const char byte = 1;
  while (::write(parent_, &byte, 1) < 0 && errno == EINTR) {
  }
  ::close(parent_);
  parent_ = -1;
}

}  // namespace godwit::cli
