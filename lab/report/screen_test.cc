#include "report/screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "measure/sample_results.h"
#include "support/format.h"
#include "support/text_width.h"

namespace godwit::report {
namespace {

using measure::Breakdown;
using measure::BreakdownStep;
using measure::Results;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using trace::CostStep;

Breakdown breakdown(const std::string& name, const std::string& side,
                    const std::vector<std::pair<CostStep, double>>& steps, double remainder_share = 0) {
  Breakdown made;
  made.name = name;
  made.side = side;
  made.packets = 1000;
  made.payload_bytes = 1'130'000;
  for (const auto& [step, nanoseconds] : steps) {
    made.steps.push_back({.step = step, .nanoseconds = nanoseconds, .share = 0, .samples = 1});
    made.sum_nanoseconds += nanoseconds;
  }
  const double whole = made.sum_nanoseconds / (1 - remainder_share);
  made.plain_nanoseconds = measure::Interval{.estimate = whole, .low = whole * 0.99, .high = whole * 1.01};
  return made;
}

// Round figures, so that every figure on the screen can be computed by hand.
Results two_scenarios(double sender_remainder = 0, double receiver_remainder = 0) {
  Results results;
  results.version = "1.2.3";
  results.mode = "full";
  results.started_at = "2026-01-31T12:00:00Z";
  results.fingerprint.processor = "A processor";
  results.fingerprint.processors = 2;
  results.fingerprint.virtualization = "none";
  results.fingerprint.kernel = "6.1";
  results.fingerprint.build_type = "Release";
  results.fingerprint.cipher = "ipsec-mb";
  results.breakdowns = {
      breakdown(measure::kShippedScenario, "sender",
                {{CostStep::kSendCall, 80},
                 {CostStep::kSeal, 100},
                 {CostStep::kDigest, 30},
                 {CostStep::kEncode, 20},
                 {CostStep::kBookkeeping, 18},
                 {CostStep::kApplication, 2}},
                sender_remainder),
      breakdown(measure::kShippedScenario, "receiver",
                {{CostStep::kReceiveCall, 50},
                 {CostStep::kOpen, 70},
                 {CostStep::kDigest, 20},
                 {CostStep::kReassemble, 30},
                 {CostStep::kApplication, 30}},
                receiver_remainder),
      breakdown(measure::kSingleScenario, "sender", {{CostStep::kSendCall, 2400}, {CostStep::kSeal, 100}}),
      breakdown(measure::kSingleScenario, "receiver", {{CostStep::kReceiveCall, 1000}, {CostStep::kOpen, 70}})};
  return results;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string screen_of(const Results& results, std::size_t width = kScreenColumns) {
  return print_screen(results, {.terminal = {.colour = false, .width = width}, .page = "page.html"});
}

std::string row_beginning(const std::string& screen, const std::string& label) {
  for (const std::string& line : lines_of(screen)) {
    if (line.starts_with(label)) return line;
  }
  return "";
}

// Single spaces, whatever the columns are.
std::string words(const std::string& text) {
  std::istringstream stream(text);
  std::string all;
  for (std::string word; stream >> word;) all += (all.empty() ? "" : " ") + word;
  return all;
}

TEST(Screen, ShowsEachComponentOfBothSidesWithItsShare) {
  const std::string screen = screen_of(two_scenarios());
  EXPECT_EQ(row_beginning(screen, "Component"), "Component     sender ns      %  receiver ns      %");
  EXPECT_EQ(row_beginning(screen, "kernel calls"), "kernel calls       80.0   32 %         50.0   25 %");
  EXPECT_EQ(row_beginning(screen, "cipher"), "cipher              100   40 %         70.0   35 %");
  EXPECT_EQ(row_beginning(screen, "digest"), "digest             30.0   12 %         20.0   10 %");
  EXPECT_EQ(row_beginning(screen, "transport"), "transport          38.0   15 %         30.0   15 %");
  EXPECT_EQ(row_beginning(screen, "application"), "application        2.00  0.8 %         30.0   15 %");
  EXPECT_EQ(row_beginning(screen, "total"), "total               250  100 %          200  100 %");
}

TEST(Screen, ShowsTheLimitsOfBothShapes) {
  const std::string screen = screen_of(two_scenarios());
  // 250 ns; without calls 170 ns. One per call: 2500 ns; without calls 100 ns. 9040 bits per packet.
  const auto shipped = row_beginning(screen, "as shipped");
  EXPECT_THAT(shipped, HasSubstr("4.00 M"));
  EXPECT_THAT(shipped, HasSubstr("36.2"));
  EXPECT_THAT(shipped, HasSubstr("53.2"));
  const auto single = row_beginning(screen, "one per call");
  EXPECT_THAT(single, HasSubstr("400 k"));
  EXPECT_THAT(single, HasSubstr("3.62"));
  EXPECT_THAT(single, HasSubstr("90.4"));
}

TEST(Screen, NamesTheThreeChangesThatGainMostByTheMeasuredParts) {
  std::string screen = screen_of(two_scenarios());
  // Without the cipher: max(150, 130) = 150 ns, +67 %; half of it: 200 ns, +25 %.
  EXPECT_THAT(row_beginning(screen, "1. cipher"), HasSubstr("+25 %"));
  EXPECT_THAT(row_beginning(screen, "1. cipher"), HasSubstr("+67 %"));
  EXPECT_THAT(row_beginning(screen, "1. cipher"), HasSubstr("6.67 M"));
  EXPECT_THAT(row_beginning(screen, "2. system calls"), HasSubstr("+47 %"));
  EXPECT_THAT(row_beginning(screen, "3. digest"), HasSubstr("+14 %"));
  EXPECT_THAT(screen, Not(HasSubstr("4. ")));
  // Other parts, other changes.
  Results dear_books = two_scenarios();
  dear_books.breakdowns[0] =
      breakdown(measure::kShippedScenario, "sender", {{CostStep::kSendCall, 80}, {CostStep::kBookkeeping, 900}});
  screen = screen_of(dear_books);
  EXPECT_NE(row_beginning(screen, "1. bookkeeping"), "");
  EXPECT_NE(row_beginning(screen, "2. system calls"), "");
}

TEST(Screen, FindsInOneSentenceWhoSetsThePaceAndWhatOneDatagramPerCallCosts) {
  const std::string screen = screen_of(two_scenarios(), 0);
  EXPECT_THAT(words(screen),
              HasSubstr("Finding: The sender sets the pace with 250 ns per packet, of which the cipher takes 40 % and "
                        "Godwit's own transport takes 15 %; one datagram per system call costs 10.0 times as much, "
                        "96 % of it in kernel calls."));
}

TEST(Screen, ShowsRangesWhereThePartsDoNotSumUp) {
  // The steps are 250 ns of a whole of 312.5: any part may be larger by 62.5.
  const std::string screen = screen_of(two_scenarios(0.2));
  EXPECT_EQ(words(row_beginning(screen, "kernel calls")), "kernel calls 80.0–142 26–46 % 50.0 25 %");
  EXPECT_THAT(row_beginning(screen, "total"), HasSubstr("250–312"));
  EXPECT_THAT(row_beginning(screen, "as shipped"), HasSubstr("3.20–4.00 M"));
  EXPECT_THAT(row_beginning(screen, "1. cipher"), HasSubstr(" … "));
  EXPECT_THAT(words(screen), HasSubstr("ranges stand for figures"));
  EXPECT_EQ(words(row_beginning(screen_of(two_scenarios(0.04)), "kernel calls")), "kernel calls 80.0 32 % 50.0 25 %");
}

TEST(Screen, ARangeIsNeverBelowZero) {
  // The steps exceed the whole by a quarter: 62.5 ns too much.
  const std::string screen = screen_of(two_scenarios(-0.3333));
  EXPECT_THAT(words(row_beginning(screen, "application")), StartsWith("application 0–2.00 "));
  EXPECT_THAT(screen, Not(HasSubstr("−")));
}

TEST(Screen, SaysAtLeastWhereNothingBoundsAFigure) {
  Results results = two_scenarios();
  results.breakdowns = {
      breakdown(measure::kShippedScenario, "sender", {{CostStep::kSendCall, 150}, {CostStep::kSeal, 50}}, -1)};
  EXPECT_THAT(words(row_beginning(screen_of(results), "as shipped")),
              StartsWith("as shipped 5.00–10.0 M 45.2–90.4 ≥ 181"));
}

TEST(Screen, FitsItsLinesAndColumnsWhateverItHasToSay) {
  const std::vector<Results> all = {two_scenarios(), two_scenarios(0.2, -0.3), measure::make_sample_results(1, 1.0)};
  for (Results results : all) {
    for (const bool unfit : {false, true}) {
      if (unfit) {
        measure::Findings findings;
        findings.invalid("load.processes", std::string(300, 'x'), {0, 1, 2, 3}, "noise", "end them");
        for (int i = 0; i < 20; ++i) findings.costs("area.number" + std::to_string(i), "value", "cost", "fix");
        results.environment.findings = findings.take();
      }
      for (const std::size_t width :
           {std::size_t{0}, std::size_t{60}, std::size_t{80}, std::size_t{100}, std::size_t{200}}) {
        const std::vector<std::string> lines = lines_of(screen_of(results, width));
        EXPECT_LE(lines.size(), kScreenLines) << width;
        for (const std::string& line : lines) {
          EXPECT_LE(display_width(line), width == 0 ? kScreenColumns : std::min(width, kScreenColumns)) << line;
        }
      }
    }
  }
}

TEST(Screen, AnUnfitMachineStandsInTheFirstAndTheLastLine) {
  Results results = two_scenarios();
  measure::Findings findings;
  findings.invalid("load.processes", "61 % of a processor: cc1plus", {0, 1, 2, 3}, "noise", "end them");
  results.environment.findings = findings.take();
  const std::vector<std::string> lines = lines_of(screen_of(results));
  for (const std::string& line : {lines.front(), lines.back()}) {
    EXPECT_THAT(line, StartsWith("NOT FIT TO MEASURE ON"));
    EXPECT_THAT(line, HasSubstr("load.processes: 61 %"));
  }
  // What invalidates another level does not matter here.
  results.environment.findings.front().levels = {3};
  EXPECT_THAT(screen_of(results), Not(HasSubstr("NOT FIT")));
  EXPECT_THAT(lines_of(screen_of(results)).back(), StartsWith("The machine was fit to measure on"));
  // A build without optimisation measures nothing of use.
  results.fingerprint.build_type = "Debug";
  EXPECT_THAT(lines_of(screen_of(results)).front(), HasSubstr("type Debug"));
}

TEST(Screen, SaysWhereEverythingElseIs) {
  EXPECT_THAT(screen_of(two_scenarios()), HasSubstr("Everything else: page.html"));
  EXPECT_THAT(print_screen(two_scenarios(), {}), HasSubstr("No page was written"));
}

TEST(Screen, InventsNoFigure) {
  Results results = two_scenarios();
  results.breakdowns.pop_back();
  results.breakdowns.erase(results.breakdowns.begin() + 1);
  for (Breakdown& each : results.breakdowns) each.plain_nanoseconds.reset();
  const std::string screen = screen_of(results);
  // One side only: the other is a dash, and nothing is said about a whole that was not measured.
  EXPECT_EQ(row_beginning(screen, "cipher"), "cipher              100   40 %            –  –");
  EXPECT_THAT(screen, Not(HasSubstr("measured whole")));
  EXPECT_THAT(row_beginning(screen, "as shipped"), HasSubstr("–"));  // no run from end to end
  // Without a breakdown there is no table at all.
  results.breakdowns.clear();
  const std::string empty = screen_of(results);
  EXPECT_THAT(empty, Not(HasSubstr("Component")));
  EXPECT_THAT(empty, Not(HasSubstr("Finding")));
}

TEST(Screen, SaysWhatAComparisonFound) {
  Results results = measure::make_sample_results(1, 1.0);
  const std::string screen = screen_of(results);
  EXPECT_THAT(screen, HasSubstr("Compared: 2 slower"));
  EXPECT_THAT(screen, HasSubstr("level1/queue/capacity/1 +12 %"));
  results.benchmarks.front().verified = false;
  EXPECT_THAT(screen_of(results), HasSubstr("1 are NOT verified"));
}

}  // namespace
}  // namespace godwit::report
