// One performance run between two fresh processes, server and client pinned to a core each, as `godwit analyze` and the
// benchmark suite take it: starts them, reads the server's address and key, returns the client's JSON (docs/json.md,
// godwit-perf). A run that delivered nothing, whose digests differ or that hangs is an error, never a figure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "support/json.h"

namespace godwit::cli {

struct PerfPairOptions {
  std::string server_program;  // godwit or godwit-probed
  std::string client_program;
  double seconds = 1;
  std::vector<std::string> server_arguments;
  std::vector<std::string> client_arguments;
  std::string bind = "127.0.0.1:0";
  std::vector<std::string> server_prefix;  // "ip netns exec NAME"
  int sender_core = 1;                     // ignored on a machine with one core
  int receiver_core = 0;
  int max_datagram = 1200;       // bytes, on both sides: figures are those of packets of 1200 unless they say otherwise
  double patience_seconds = 20;  // beyond `seconds`
  double close_packet_seconds = 5;  // that the server may take to notice that the client has gone; it is ended then
};

[[nodiscard]] Result<measure::Json> run_perf_pair(const PerfPairOptions& options);

// The path of a program of this build: beside the running one or, after an installation, where the programs of the
// laboratory or `godwit` are; empty when there is none.
[[nodiscard]] std::string sibling_program(const std::string& name);

// A child with its standard output read by us. Killed and reaped with its owner.
class ChildProgram {
 public:
  // `core` below 0: not pinned. `folder` becomes the configuration folder, so that keys of a run end with it.
  ChildProgram(const std::vector<std::string>& command, int core, const std::string& folder);
  ~ChildProgram();
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;

  // Reads until the word after `label` and a space has been printed to its end; empty when output ended before, or
  // `seconds` are over.
  [[nodiscard]] std::string read_word(const std::string& label, double seconds);
  // Reads to the end of output and waits; the exit code, or nothing when `seconds` are over.
  [[nodiscard]] std::optional<int> finish(double seconds);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  [[nodiscard]] bool read_some(double seconds);
  [[nodiscard]] std::string word_after(const std::string& label) const;

  int id_ = -1;
  int output_ = -1;
  std::string text_;
};

}  // namespace godwit::cli
