// A child process whose standard output is read line by line, for tests against real programs. Ends with its owner.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

namespace godwit::testing {

class ChildProcess {
 public:
  explicit ChildProcess(const std::vector<std::string>& command) {
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return;
    id_ = fork();
    if (id_ == 0) {
      dup2(pipe_ends[1], STDOUT_FILENO);
      close(pipe_ends[0]);
      close(pipe_ends[1]);
      std::vector<char*> arguments;
      for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
      arguments.push_back(nullptr);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(pipe_ends[1]);
    output_ = pipe_ends[0];
  }
  ~ChildProcess() {
    kill(SIGKILL);
    if (output_ >= 0) close(output_);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void kill(int signal) {
    if (id_ <= 0) return;
    ::kill(id_, signal);
    if (signal == SIGKILL) {
      waitpid(id_, nullptr, 0);
      id_ = -1;
    }
  }

  // Reads what has been printed, without waiting.
  void poll_output() {
    while (output_ >= 0) {
      pollfd waiting{.fd = output_, .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, 0) <= 0) return;
      char buffer[4096];
      const ssize_t count = read(output_, buffer, sizeof buffer);
      if (count <= 0) return;
      text_.append(buffer, static_cast<std::size_t>(count));
    }
  }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool printed(std::string_view words) const { return text_.find(words) != std::string::npos; }
  [[nodiscard]] std::size_t count(std::string_view words) const {
    std::size_t found = 0;
    for (std::size_t at = text_.find(words); at != std::string::npos; at = text_.find(words, at + 1)) ++found;
    return found;
  }
  // The word after `label` and a space; empty if it has not been printed, or not to its end.
  [[nodiscard]] std::string word_after(std::string_view label) const {
    const std::size_t begin = text_.find(std::string(label) + " ");
    if (begin == std::string::npos) return {};
    const std::size_t word = begin + label.size() + 1;
    const std::size_t end = text_.find_first_of(" \n", word);
    return end == std::string::npos ? std::string{} : text_.substr(word, end - word);
  }

 private:
  pid_t id_ = -1;
  int output_ = -1;
  std::string text_;
};

}  // namespace godwit::testing
