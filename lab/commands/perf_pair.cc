#include "commands/perf_pair.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "measure/stopwatch.h"
#include "runtime/system_random.h"

namespace godwit::cli {
namespace {

// A folder of its own for the keys of one run.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::error_code error;
    std::string pattern = (std::filesystem::temp_directory_path(error) / "godwit-run-XXXXXX").string();
    if (!error && mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove_all(path_, error);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A key for both programs of a run, so that neither makes one and says so.
bool make_key(const std::filesystem::path& folder) {
  std::array<std::uint8_t, 32> secret{};
  SystemRandom().fill(secret);
  std::string digits;
  for (const std::uint8_t byte : secret) digits += fmt::format("{:02x}", byte);
  std::error_code error;
  std::filesystem::create_directory(folder / "godwit", error);
  if (error || ::chmod((folder / "godwit").c_str(), 0700) != 0) return false;
  const int file = ::open((folder / "godwit" / "key").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool written =
      ::write(file, (digits + "\n").data(), digits.size() + 1) == static_cast<ssize_t>(digits.size() + 1);
  return ::close(file) == 0 && written;
}

void pin(int core) {
  if (core < 0) return;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(core), &cores);
  sched_setaffinity(0, sizeof cores, &cores);  // where there is no such core, the scheduler chooses
}

double seconds_of(const measure::Stopwatch& watch) {
  return static_cast<double>(watch.elapsed().count()) * 1e-9;
}

}  // namespace

ChildProgram::ChildProgram(const std::vector<std::string>& command, int core, const std::string& folder) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return;
  id_ = fork();
  if (id_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    if (!folder.empty()) setenv("XDG_CONFIG_HOME", folder.c_str(), 1);
    pin(core);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(ends[1]);
  output_ = ends[0];
}

ChildProgram::~ChildProgram() {
  if (output_ >= 0) close(output_);
  if (id_ > 0) {
    kill(id_, SIGKILL);
    waitpid(id_, nullptr, 0);
  }
}

bool ChildProgram::read_some(double seconds) {
  if (output_ < 0 || seconds <= 0) return false;
  pollfd waiting{.fd = output_, .events = POLLIN, .revents = 0};
  if (poll(&waiting, 1, static_cast<int>(seconds * 1000) + 1) <= 0) return false;
  std::array<char, 65536> buffer;
  const ssize_t count = read(output_, buffer.data(), buffer.size());
  if (count <= 0) {
    close(output_);
    output_ = -1;
    return false;
  }
  text_.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

std::string ChildProgram::read_word(const std::string& label, double seconds) {
  const measure::Stopwatch watch;
  while (true) {
    if (std::string word = word_after(label); !word.empty()) return word;
    if (!read_some(seconds - seconds_of(watch))) return {};
  }
}

std::optional<int> ChildProgram::finish(double seconds) {
  const measure::Stopwatch watch;
  while (read_some(seconds - seconds_of(watch))) {
  }
  if (output_ >= 0 || id_ <= 0) return std::nullopt;
  int status = 0;
  waitpid(id_, &status, 0);
  id_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

std::string ChildProgram::word_after(const std::string& label) const {
  const std::size_t begin = text_.find(label + " ");
  if (begin == std::string::npos) return {};
  const std::size_t word = begin + label.size() + 1;
  const std::size_t end = text_.find_first_of(" \n", word);
  return end == std::string::npos ? std::string{} : text_.substr(word, end - word);
}

std::string sibling_program(const std::string& name) {
  std::error_code error;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const std::filesystem::path folder = own.parent_path();
  // Beside it, or in the build tree, or as installed: the one in bin, the others in libexec.
  for (const std::filesystem::path& place : {folder, folder.parent_path(), folder / "lab" / "benches",
                                             folder / GODWIT_PROGRAMS_FROM_BIN, folder / GODWIT_BIN_FROM_PROGRAMS}) {
    if (std::filesystem::exists(place / name, error)) return (place / name).lexically_normal().string();
  }
  return {};
}

Result<measure::Json> run_perf_pair(const PerfPairOptions& options) {
  const ScratchFolder folder;
  if (folder.path().empty() || !make_key(folder.path())) {
    return failure(ErrorCode::kSystem, "no folder for temporary files");
  }
  std::vector<std::string> command = options.server_prefix;
  command.insert(command.end(), {options.server_program, "perf", "server", "--bind", options.bind, "--once"});
  const std::string max_datagram = std::to_string(options.max_datagram);
  command.insert(command.end(), {"--max-datagram", max_datagram});
  command.insert(command.end(), options.server_arguments.begin(), options.server_arguments.end());
  ChildProgram server(command, options.receiver_core, folder.path());
  constexpr double kStart = 10;
  const std::string address = server.read_word("listening on", kStart);
  const std::string key = server.read_word("public key", kStart);
  if (key.empty()) return failure(ErrorCode::kSystem, "the server did not start");
  command = {options.client_program, "perf", "client", "--to", address,
             "--peer-key",           key,    "--json", "-t",   fmt::format("{:.3f}", options.seconds)};
  command.insert(command.end(), {"--max-datagram", max_datagram});
  command.insert(command.end(), options.client_arguments.begin(), options.client_arguments.end());
  ChildProgram client(command, options.sender_core, folder.path());
  const std::optional<int> code = client.finish(options.seconds + options.patience_seconds);
  if (!code) return failure(ErrorCode::kTimeout, "the run did not end");
  if (*code != 0) return failure(ErrorCode::kSystem, fmt::format("the client ended with code {}", *code));
  auto json = measure::parse_json(client.text());
  if (!json) return std::unexpected(json.error());
  static_cast<void>(server.finish(options.close_packet_seconds));
  return json;
}

}  // namespace godwit::cli
