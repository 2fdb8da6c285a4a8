// `godwit bench`: the benchmark suite, which is a program of its own (benches/), run in place of this one.

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/exit_code.h"
#include "commands/lab_commands.h"
#include "commands/perf_pair.h"

namespace godwit::cli {

void add_bench_command(CLI::App& app, int& exit_code) {
  CLI::App* const command =
      app.add_subcommand("bench", "Runs the benchmark suite (transport_perf) with the arguments given");
  command->prefix_command();
  command->set_help_flag();  // of the suite, not of this command
  command->callback([command, &exit_code] {
    const std::string program = sibling_program("transport_perf");
    if (program.empty()) {
      print_error("transport_perf is not installed with this program; build and install the preset `release`");
      exit_code = kUsage;
      return;
    }
    std::vector<std::string> words = command->remaining();
    words.insert(words.begin(), program);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    restore_signals();
    execv(program.c_str(), arguments.data());
    print_error(program + ": " + std::strerror(errno));
    exit_code = kFailure;
  });
}

}  // namespace godwit::cli
