#include "commands/analyze_details.h"

#include <fmt/format.h>

#include "report/interval_text.h"
#include "report/tables.h"
#include "support/format.h"

namespace godwit::cli {
namespace {

std::string side_details(const SideAnalysis& side, const report::TerminalOptions& terminal) {
  const SideFacts& facts = side.facts;
  return report::print_table(report::breakdown_table(side.breakdown), terminal) +
         fmt::format(
             "\nThe build without probes takes {} ns of processor time per packet, of which {} ns are polling, "
             "sleeping "
             "and waking ({} waits per packet); the build with probes takes {} ns. The {} waited for {} ns per packet. "
             "A loop of probes alone takes {} ns per probe. Others had the processor for {} of the measured time.\n",
             report::format_number(facts.plain_nanoseconds), report::format_number(facts.wait_nanoseconds),
             report::format_number(facts.waits), report::format_number(facts.probed_nanoseconds), side.breakdown.side,
             report::format_number(side.breakdown.idle_nanoseconds),
             report::format_number(facts.loop_probe_nanoseconds), report::format_percent(facts.held_up_share));
}

}  // namespace

std::string print_details(const DetailsInput& input, const Analysis& analysis, const measure::Results& results,
                          const report::TerminalOptions& terminal) {
  const measure::Interval goodput = measure::bootstrap_median(analysis.plain_goodput);
  std::string text = "\n" + report::paint(fmt::format("== {}: {} delivered and verified, cipher {} ==", input.title,
                                                      report::format_interval(goodput, "bit/s"), analysis.cipher),
                                          report::Tone::kStrong, terminal);
  text += fmt::format(
      "\n{} datagrams per send call, {} per receive call; {} packets retransmitted, {} dropped by the kernel\n",
      report::format_number(analysis.datagrams_per_send_call),
      report::format_number(analysis.datagrams_per_receive_call), analysis.retransmitted_packets,
      analysis.kernel_drops);
  if (input.messages) text += "A packet is a message or its reply: each side sends the one and receives the other.\n";
  for (const SideAnalysis* side : {&analysis.sender, &analysis.receiver}) text += "\n" + side_details(*side, terminal);
  for (const report::Table& table :
       {report::path_table(results, input.name), report::occupancy_table(results, input.name),
        report::drops_table(results, input.name)}) {
    text += "\n" + report::print_table(table, terminal);
  }
  if (input.serial) {
    return text +
           "\nThe sides take turns: a round trip is twice the sum of both, and the time that each takes to wake up.\n";
  }
  const measure::PipelineLimit limit = limit_without_system_calls(analysis);
  return text + "\n" + report::print_table(report::limits_table(results, input.name), terminal) +
         fmt::format("Without any system call: {}, {} ({}).\n",
                     report::format_value(limit.packets_per_second, "packets/s"),
                     report::format_value(limit.bits_per_second, "bit/s"), report::format_change(limit.gain));
}

}  // namespace godwit::cli
