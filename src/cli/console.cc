#include "cli/console.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iomanip>
#include <mutex>
#include <sstream>

#include "cli/exit_code.h"
#include "cli/output_stream.h"

namespace godwit::cli {
namespace {

// A reader that does not read is not waited for longer than this at the end.
constexpr Duration kClosePatience = 5s;
constexpr std::size_t kLongestLine = 500;  // columns of an error or a warning

OutputStream& results() {
  static OutputStream stream(STDOUT_FILENO);
  return stream;
}

OutputStream& notes() {
  static OutputStream stream(STDERR_FILENO);
  return stream;
}

struct Settings {
  std::mutex mutex;
  std::string timestamps;
  std::optional<std::string> first_error;
};

Settings& settings() {
  static Settings instance;
  return instance;
}

bool wants_colour() {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return ::isatty(STDERR_FILENO) == 1 && !dumb && (no_colour == nullptr || *no_colour == '\0');
}

std::string timestamp() {
  Settings& shared = settings();
  const std::lock_guard lock(shared.mutex);
  if (shared.timestamps.empty()) return {};
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  if (::localtime_r(&now, &parts) == nullptr) return {};
  std::ostringstream text;
  text << std::put_time(&parts, shared.timestamps.c_str());
  return text.str();
}

void print_diagnostic(std::string_view kind, std::string_view colour, std::string_view text) {
  const bool coloured = wants_colour();
  notes().write(fmt::format("{}godwit: {}{}:{} {}\n", timestamp(), coloured ? colour : "", kind,
                            coloured ? "\033[0m" : "", printable_text(text, kLongestLine)));
}

}  // namespace

void print_error(std::string_view text) {
  {
    Settings& shared = settings();
    const std::lock_guard lock(shared.mutex);
    if (!shared.first_error) shared.first_error = printable_text(text, kLongestLine);
  }
  print_diagnostic("error", "\033[1;31m", text);
}

void print_peer_error(std::string_view text) {
  print_diagnostic("error", "\033[1;31m", text);
}

void print_warning(std::string_view text) {
  print_diagnostic("warning", "\033[1;33m", text);
}

void print_line(std::string_view text) {
  results().write(fmt::format("{}{}\n", timestamp(), text));
}

void print_text(std::string_view text) {
  results().write(text);
}

void print_note(std::string_view text) {
  notes().write(fmt::format("{}{}\n", timestamp(), text));
}

void print_progress_text(std::string_view text) {
  notes().write(text);
}

std::optional<std::string> first_error() {
  Settings& shared = settings();
  const std::lock_guard lock(shared.mutex);
  return shared.first_error;
}

void set_timestamps(const std::string& format) {
  Settings& shared = settings();
  const std::lock_guard lock(shared.mutex);
  shared.timestamps = format;
}

Status redirect_output(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const bool opened = file >= 0 && ::dup2(file, STDOUT_FILENO) >= 0 && ::dup2(file, STDERR_FILENO) >= 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  if (!opened) return failure(ErrorCode::kInvalidArgument, "cannot write " + path + ": " + std::strerror(error));
  results().mark_closed_at_start(false);
  notes().mark_closed_at_start(false);
  return {};
}

bool output_lost() {
  return results().error().has_value();
}

PromptOutput::PromptOutput() {
  results().set_never_waits(true);
  notes().set_never_waits(true);
}

PromptOutput::~PromptOutput() {
  results().set_never_waits(false);
  notes().set_never_waits(false);
}

bool flush_ready_output() {
  results().flush_ready();
  notes().flush_ready();
  return results().pending() || notes().pending();
}

int close_output(int exit_code) {
  notes().flush(kClosePatience);
  results().close(kClosePatience);
  const std::optional<int> error = results().error();
  if (!error) return exit_code;
  if (*error != EPIPE) {
    const char* const why = *error == EBADF ? "it was closed when the program started" : std::strerror(*error);
    print_error(fmt::format("cannot write to standard output: {}", why));
  }
  return exit_code == kSuccess ? static_cast<int>(kOutputLost) : exit_code;
}

void prepare_output() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is this one, since those below are open.
    const int opened = ::open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY);
    if (opened != descriptor) std::abort();  // no descriptor at all: nothing could be said about it either
    if (descriptor == STDOUT_FILENO) results().mark_closed_at_start();
    if (descriptor == STDERR_FILENO) notes().mark_closed_at_start();
  }
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  sigemptyset(&ignore.sa_mask);
  ::sigaction(SIGPIPE, &ignore, nullptr);
  ::sigaction(SIGXFSZ, &ignore, nullptr);
}

void restore_signals() {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  sigemptyset(&standard.sa_mask);
  ::sigaction(SIGPIPE, &standard, nullptr);
  ::sigaction(SIGXFSZ, &standard, nullptr);
}

}  // namespace godwit::cli
