// `godwit` with the laboratory's commands.

#include "cli/program.h"
#include "commands/lab_commands.h"
#include "commands/lab_exit_code.h"
#include "commands/lab_instruments.h"

int main(int count, char** arguments) {
  namespace cli = godwit::cli;
  cli::LabInstruments instruments;
  const cli::ProgramExtension laboratory{
      .commands = {&cli::add_analyze_command, &cli::add_bench_command, &cli::add_doctor_command,
                   &cli::add_report_command},
      .schemas = {{"analyze", "", cli::kResultsSchema, 2}, {"doctor", "", "godwit-doctor", 2}},
      .exit_codes = {{cli::kMachineCosts, "doctor: something of this machine costs, or is unknown"},
                     {cli::kMachineUnfit, "doctor: figures measured on this machine are void"}},
      .perf = &instruments};
  return cli::run_program(count, arguments, laboratory);
}
