// From runs of `godwit perf` to the breakdown of a packet: interleaved runs of the plain and of the probed build. What
// a probe costs is the processor time by which the probed build exceeds the plain one, divided by the probes: measured
// where they stand, on each side by itself, and never more than a loop of probes says. (Doubling every probe instead
// tells what the second of two costs, which has no work left to overlap with: twice too much.) The whole that the parts
// must sum up to is the processor time of the plain runs, without what was spent on polling, going to sleep and waking;
// what no sample covers is missing from the sum. Pure computation; analyze_command.cc takes the runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "measure/breakdown.h"
#include "support/json.h"

namespace godwit::cli {

// One round: two runs (docs/json.md, godwit-perf), taken in random order.
struct AnalysisRound {
  measure::Json plain;
  measure::Json probed;
};

// What belongs to a side beside its steps, a packet.
struct SideFacts {
  double waits = 0;
  double wait_nanoseconds = 0;        // processor time of polling, going to sleep and waking
  double loop_probe_nanoseconds = 0;  // what a loop of probes alone says a probe costs
  double plain_nanoseconds = 0;       // plain, with the waiting
  double probed_nanoseconds = 0;      // the same of the probed build: the slow-down by the probes
  double held_up_share = 0;  // of the samples' time, in which others had the processor: taken off every step alike
};

struct SideAnalysis {
  measure::Breakdown breakdown;
  SideFacts facts;
};

struct Analysis {
  SideAnalysis sender;
  SideAnalysis receiver;
  std::vector<double> plain_goodput;  // bit/s, one a round
  std::vector<double> probed_goodput;
  double datagrams_per_send_call = 0;
  double datagrams_per_receive_call = 0;
  double ack_packets = 0;             // a delivered packet
  std::uint64_t delivered_bytes = 0;  // of the plain runs
  std::uint64_t retransmitted_packets = 0;
  std::uint64_t kernel_drops = 0;
  std::string backend;
  std::string cipher;
};

// At least one round. kProtocol when a run lacks what the analysis needs: probes in the probed runs, none in the plain
// ones.
[[nodiscard]] Result<Analysis> analyze_rounds(const std::string& name, const std::vector<AnalysisRound>& rounds);

// Both sides on a processor each and no system call at all.
[[nodiscard]] measure::PipelineLimit limit_without_system_calls(const Analysis& analysis);

}  // namespace godwit::cli
