// One `godwit perf` run as a figure: two fresh processes of the shipped program, verified by digest. Shared by levels 2
// and 3.
#pragma once

#include <string>
#include <vector>

#include "benches/raw_path.h"
#include "benches/suite.h"
#include "commands/perf_pair.h"

namespace godwit::bench {

struct PerfRunPlan {
  std::vector<std::string> server_arguments;
  std::vector<std::string> client_arguments;
  std::string bind = "127.0.0.1:0";
  std::vector<std::string> server_prefix;
  double seconds = 0;  // instead of bench.seconds()
  int max_datagram = 1200;
  bool pinned = true;  // each side to a processor of its own; else the system chooses, as several threads need it
};

// Runs for bench.seconds() and fills the outcome: goodput as its value, counts, proof and evidence. Nothing when it
// failed: the case is then not verified, with the reason as its proof.
[[nodiscard]] std::optional<measure::Json> run_perf(Bench& bench, const PerfRunPlan& plan);

// The cipher of the cases that do not name one: --cipher of the suite, handed to its workers in the environment.
void choose_cipher(CipherKind kind);
[[nodiscard]] CipherKind chosen_cipher();

// Which half of a pair goes first: drawn anew for each.
[[nodiscard]] bool first_goes_first();

// Goodput of a run in bit/s.
[[nodiscard]] double goodput_of(const measure::Json& run);

// Runs the raw path likewise; nothing when it failed.
[[nodiscard]] std::optional<RawResult> run_raw(Bench& bench, RawConfig config);

// A case that forms godwit perf ÷ a raw path, one after the other in random order, and takes the ratio as its figure.
[[nodiscard]] Case ratio_case(std::string name, std::string title, PerfRunPlan plan, RawConfig raw);

// Two network namespaces joined by a veth pair, made by and for this process tree: receiver behind `receiver`. `cut`:
// the kernel really segments every packet. Empty text, or why it cannot be had.
struct VethPair {
  static constexpr const char* kReceiverNamespace = "godwit-bench";
  static constexpr const char* kSenderAddress = "10.213.7.1";
  static constexpr const char* kReceiverAddress = "10.213.7.2";
  [[nodiscard]] static std::string ensure(bool cut);
  // From now on the receiver's end of the pair drops each datagram of more than 200 bytes with this probability, in
  // 1/1000; at 0 the rule stands as well and strikes nothing, so that both cost the same. Empty text, or why not.
  [[nodiscard]] static std::string set_loss(unsigned permille);
  static void clear_loss();
  static void remove();
};

}  // namespace godwit::bench
