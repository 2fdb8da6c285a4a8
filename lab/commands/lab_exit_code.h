// Exit codes of the laboratory's commands, beside those of cli/exit_code.h.
#pragma once

namespace godwit::cli {

enum LabExitCode : int {
  kMachineCosts = 10,
  kMachineUnfit = 11,
};

}  // namespace godwit::cli
