// What a command tells the shell. One table: --help prints it, and docs/command_line.md is compared with it by a test.
#pragma once

namespace godwit::cli {

enum ExitCode : int {
  kSuccess = 0,
  kFailure = 1,
  kUsage = 2,
  kUnreachable = 3,
  kOutputLost = 4,
  kInterrupted = 130,
};

struct ExitCodeText {
  int code;
  const char* meaning;
};

inline constexpr ExitCodeText kExitCodes[] = {
    {kSuccess, "done"},
    {kFailure, "the work failed: refused, cut off, not verified, nothing delivered"},
    {kUsage, "wrong arguments, or a key or file that cannot be used; nothing was tried"},
    {kUnreachable, "the peer could not be reached, or did not prove its key"},
    {kOutputLost, "done, but the results could not be written"},
    {kInterrupted, "interrupted by a signal before the work was done"},
};

}  // namespace godwit::cli
