#include "report/terminal.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/format.h"
#include "support/text_width.h"

namespace godwit::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Table sample() {
  return {.title = "Rows",
          .columns = {{.title = "name"},
                      {.title = "median", .right = true},
                      {.title = "spread", .minor = true},
                      {.title = "note"}},
          .rows = {{{"level0/seal"}, {"315 ns"}, {"1 %"}, {"fine"}},
                   {{"level2/gso"}, {"4.51 µs", Tone::kBad}, {"12 %"}, {"a longer remark that may need two lines"}}},
          .note = {}};
}

TEST(Terminal, AlignsColumnsByWhatIsSeen) {
  EXPECT_EQ(print_table(sample(), {}),
            "Rows\n"
            "name          median  spread  note\n"
            "level0/seal   315 ns  1 %     fine\n"
            "level2/gso   4.51 µs  12 %    a longer remark that may need two lines\n");
}

TEST(Terminal, LeavesMinorColumnsOutAndWrapsTheLast) {
  const std::string text = print_table(sample(), {.colour = false, .width = 48});
  EXPECT_THAT(text, Not(HasSubstr("spread")));
  EXPECT_EQ(text,
            "Rows\n"
            "name          median  note\n"
            "level0/seal   315 ns  fine\n"
            "level2/gso   4.51 µs  a longer remark that may\n"
            "                      need two lines\n");
}

TEST(Terminal, ColoursOnlyWhenAsked) {
  EXPECT_THAT(print_table(sample(), {}), Not(HasSubstr("\033")));
  EXPECT_THAT(print_table(sample(), {.colour = true, .width = 0}), HasSubstr("\033[1;31m4.51 µs\033[0m"));
}

TEST(Terminal, AFileHasNeitherColourNorWidth) {
  const int descriptor = ::open("/dev/null", O_WRONLY);
  const TerminalOptions options = terminal_options(descriptor);
  ::close(descriptor);
  EXPECT_FALSE(options.colour);
  EXPECT_EQ(options.width, 0U);
}

TEST(Terminal, ProgressIsRedrawnOnATerminalAndAPlainLineNowAndThenElsewhere) {
  ProgressPrinter terminal({.colour = false, .width = 60});
  EXPECT_EQ(terminal.update(1, 4, "stream", 2), "\r\033[K[1/4] stream  0:06 left");
  EXPECT_EQ(terminal.update(2, 4, "stream", 3), "\r\033[K[2/4] stream  0:03 left");
  EXPECT_EQ(terminal.finish(), "\r\033[K");
  ProgressPrinter pipe({}, 10);
  EXPECT_EQ(pipe.update(0, 4, "stream", 0), "[0/4] stream\n");
  EXPECT_EQ(pipe.update(1, 4, "stream", 9.9), "");
  EXPECT_EQ(pipe.update(2, 4, "stream", 10), "[2/4] stream  0:10 left\n");
  EXPECT_EQ(pipe.update(3, 4, "stream", 15), "");
  EXPECT_EQ(pipe.finish(), "");
}

TEST(Terminal, PrintsTheDoctorsFindingsWithCostAndRemedy) {
  measure::Findings findings;
  findings.ok("cpu.model", "Fast");
  findings.costs("cpu.smt", "on", "up to 40 %", "turn it off");
  findings.invalid("load.processes", "cc1plus", {2, 3}, "everything", "wait");
  const measure::EnvironmentReport report{findings.take()};
  EXPECT_EQ(print_environment(report, {}),
            "ok        cpu.model       Fast\n"
            "costs     cpu.smt         on\n"
            "          costs  up to 40 %\n"
            "          fix    turn it off\n"
            "invalid   load.processes  cc1plus\n"
            "          costs  everything\n"
            "          fix    wait\n"
            "          voids  level 2, 3\n"
            "\n1 ok, 1 cost, 1 invalid, 0 unknown. Not fit for gating on level 2, 3.\n");
  EXPECT_THAT(print_environment(report, {}, false), Not(HasSubstr("cpu.model")));
}

TEST(Terminal, NeverPrintsALineWiderThanTheTerminal) {
  measure::Findings findings;
  findings.costs("cpu.isolation", "a value of many words that goes on and on",
                 "a cost of many words that goes on and on", "a remedy of many words that goes on and on and on");
  for (const std::size_t width : {60U, 80U}) {
    measure::Findings copy = findings;
    const std::string text = print_environment({copy.take()}, {.colour = false, .width = width});
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = text.find('\n', begin);
      EXPECT_LE(display_width(text.substr(begin, end - begin)), width) << text;
      begin = end + 1;
    }
  }
}

TEST(Progress, EstimatesTheTimeLeft) {
  EXPECT_EQ(print_progress(12, 60, "level0/seal", 10, {}), "[12/60] level0/seal  0:40 left\n");
  EXPECT_EQ(print_progress(0, 60, "level0/seal", 0, {}), "[0/60] level0/seal\n");
  EXPECT_EQ(print_progress(60, 60, "done", 100, {}), "[60/60] done  1:40\n");
}

TEST(Progress, RewritesItsLineOnATerminal) {
  const std::string text = print_progress(1, 2, "a benchmark with a long name", 5, {.colour = false, .width = 20});
  EXPECT_EQ(text, "\r\033[K[1/2] a benchmark …");
}

}  // namespace
}  // namespace godwit::report
