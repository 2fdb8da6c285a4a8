#include "benches/worker.h"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <sstream>

#include "benches/output.h"
#include "support/json.h"

namespace godwit::bench {
namespace {

using measure::Json;

Json figures_to_json(const measure::Figures& figures) {
  Json result = Json::object();
  for (const auto& [name, value] : figures) result[name] = measure::number_or_null(value);
  return result;
}

measure::Figures figures_from_json(const Json& object) {
  measure::Figures result;
  for (const auto& [name, value] : object.items()) {
    if (value.is_number()) result.emplace_back(name, value.get<double>());
  }
  return result;
}

Json reply_of(const Repetition& repetition) {
  const Outcome& outcome = repetition.outcome;
  return {{"value", measure::number_or_null(repetition.value)},
          {"iterations", repetition.iterations},
          {"error", repetition.error},
          {"skipped", outcome.skipped},
          {"verified", outcome.verified},
          {"proof", outcome.proof},
          {"counts", figures_to_json(outcome.counts)},
          {"metrics", figures_to_json(outcome.metrics)},
          {"evidence", figures_to_json(outcome.evidence)},
          {"marks", outcome.marks},
          {"distribution", outcome.distribution ? to_json(*outcome.distribution) : Json()},
          {"distribution_unit", outcome.distribution_unit}};
}

Repetition repetition_of(const Json& reply) {
  Repetition repetition;
  repetition.value = reply.at("value").is_number() ? reply.at("value").get<double>() : 0;
  repetition.iterations = reply.at("iterations").get<std::uint64_t>();
  repetition.error = reply.at("error").get<std::string>();
  Outcome& outcome = repetition.outcome;
  outcome.skipped = reply.at("skipped").get<std::string>();
  outcome.verified = reply.at("verified").get<bool>();
  outcome.proof = reply.at("proof").get<std::string>();
  outcome.counts = figures_from_json(reply.at("counts"));
  outcome.metrics = figures_from_json(reply.at("metrics"));
  outcome.evidence = figures_from_json(reply.at("evidence"));
  outcome.marks = reply.at("marks").get<std::vector<std::string>>();
  if (reply.at("distribution").is_object()) {
    std::vector<std::string> problems;
    outcome.distribution = measure::histogram_from_json(measure::JsonReader(reply.at("distribution"), "", problems));
    outcome.distribution_unit = reply.at("distribution_unit").get<std::string>();
  }
  return repetition;
}

}  // namespace

int serve_requests(int repeat_every) {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string name;
    RepetitionOptions options;
    words >> name >> options.iterations >> options.seconds;
    options.repeat_every = repeat_every;
    const Case* const bench_case = find_case(name);
    Repetition repetition;
    if (bench_case == nullptr) {
      repetition.error = "no such case";
    } else {
      repetition = execute(*bench_case, options);
    }
    put(stdout, "{}\n", reply_of(repetition).dump());
    std::fflush(stdout);
  }
  return 0;
}

Worker::Worker(const std::string& program, int core, int repeat_every) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
  const std::string repeat = std::to_string(repeat_every);
  id_ = fork();
  if (id_ == 0) {
    dup2(ends[1], STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    if (core >= 0) {
      cpu_set_t cores;
      CPU_ZERO(&cores);
      CPU_SET(static_cast<std::size_t>(core), &cores);
      sched_setaffinity(0, sizeof cores, &cores);
    }
    execl(program.c_str(), program.c_str(), "--worker", "--repeat-every", repeat.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  channel_ = ends[0];
}

Worker::~Worker() {
  if (channel_ >= 0) close(channel_);
  if (id_ > 0) {
    // Its input has ended; it goes by itself unless it hangs.
    for (int i = 0; i < 200; ++i) {
      if (waitpid(id_, nullptr, WNOHANG) == id_) return;
      usleep(10'000);
    }
    kill(id_, SIGKILL);
    waitpid(id_, nullptr, 0);
  }
}

Result<Repetition> Worker::run(const std::string& bench_case, std::uint64_t iterations, double seconds) {
  const std::string request = fmt::format("{} {} {}\n", bench_case, iterations, seconds);
  if (channel_ < 0 ||
      send(channel_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return failure(ErrorCode::kSystem, "the worker has died");
  }
  // A soak lasts several times as long as it is told.
  const int patience_milliseconds = 120'000 + static_cast<int>(std::min(seconds, 86'400.0) * 20'000);
  std::size_t end = 0;
  while ((end = received_.find('\n')) == std::string::npos) {
    pollfd waiting{.fd = channel_, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, patience_milliseconds) <= 0)
      return failure(ErrorCode::kTimeout, bench_case + ": no answer in time");
    std::array<char, 65536> buffer;
    const ssize_t count = read(channel_, buffer.data(), buffer.size());
    if (count <= 0) return failure(ErrorCode::kSystem, bench_case + ": the worker has died");
    received_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  const std::string line = received_.substr(0, end);
  received_.erase(0, end + 1);
  try {
    Repetition repetition = repetition_of(Json::parse(line));
    if (repetition.error == "no such case") return failure(ErrorCode::kNotFound, bench_case + ": " + repetition.error);
    return repetition;
  } catch (const Json::exception& error) {
    return failure(ErrorCode::kProtocol, bench_case + ": " + error.what());
  }
}

}  // namespace godwit::bench
