// What a command tells the shell. The same table stands in `godwit --help`.
#pragma once

namespace godwit::cli {

enum ExitCode : int {
  kSuccess = 0,
  kFailure = 1,        // the work failed: refused, cut off, not verified, nothing delivered
  kUsage = 2,          // wrong arguments, unusable key or file, nothing was tried
  kUnreachable = 3,    // the peer could not be reached, or is not who it should be
  kInterrupted = 130,  // by a signal, before the work was done
};

}  // namespace godwit::cli
