// Every bug that a random scenario has found, kept as its seed.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/scenario_random.h"
#include "sim/simulator.h"

namespace godwit::sim {
namespace {

void expect_clean(std::uint64_t seed) {
  const SimulationResult result = Simulator(random_scenario(seed)).run();
  for (const Violation& violation : result.violations) {
    ADD_FAILURE() << fmt::format("seed {}: {}: {}", seed, rule_name(violation.rule), violation.text);
  }
}

// A handshake that ends by its own timer begins a session whose first ping is due at the same instant.
TEST(Seeds, PingAtOnceAfterAHandshakeEndedByATimer) {
  for (const std::uint64_t seed : {993u, 1989u, 2150u, 2981u, 6398u}) expect_clean(seed);
}

// A pong that proves the path makes time-outs due that had been backed off, several of them at one instant.
TEST(Seeds, SettleTimersThatAPongMakesDue) {
  for (const std::uint64_t seed : {45795u, 51387u}) expect_clean(seed);
}

// A shared budget changes a connection's pacing rate without any event of its own.
TEST(Seeds, KeepThePacersPromiseUnderASharedBudget) {
  expect_clean(17468);
}

// Acknowledgements that ride on a short message are beyond what window and pacer granted, by no more than 64 of them.
TEST(Seeds, LetAcksRideOnAFullWindow) {
  expect_clean(1180);
}

// An application connects to a peer whose own attempt it is answering: what the peer had queued is reported, never
// lost.
TEST(Seeds, ReportWhatACrossedAttemptReplaces) {
  for (const std::uint64_t seed : {344u, 668u, 749u, 1198u, 2163u}) expect_clean(seed);
}

// In a simultaneous open a late ack under the key of the intro looks like a peer that begins anew; the ordinary packets
// that came under that key before it show that it is the same session.
TEST(Seeds, TakeALateAckOfASimultaneousOpenForWhatItIs) {
  for (const std::uint64_t seed : {129023u, 210201u}) expect_clean(seed);
}

// A peer that begins a new session has a new duplicate filter: what may have arrived is not sent to it again, and what
// it sent in the former session does not mix with the streams of the new one.
TEST(Seeds, RepeatNothingIntoANewSessionOfThePeer) {
  for (const std::uint64_t seed : {243488u, 831u, 8341u, 11693u}) expect_clean(seed);
}

// A fixed rate beyond what the path carries, a queue shorter than a burst, two links that lose every third packet in
// bursts: messages may fail there, and take their time to.
TEST(Seeds, EndWithinTheBoundsOfWhatTheirPathsAllow) {
  for (const std::uint64_t seed : {118670u, 156660u, 185258u, 350980u, 366791u, 392154u}) expect_clean(seed);
}

// A run of short messages that is longer than the pacer's bucket: credit for the bucket is not credit for the run.
TEST(Seeds, FillNoBatchBeyondThePacersBucket) {
  for (const std::uint64_t seed : {2326u, 2648u, 4731u, 23740u}) expect_clean(seed);
}

// A simultaneous open in which only one side demands proof: a key that was answered once may be given up by its owner
// the moment after.
TEST(Seeds, SendUnderTheKeyThatThePeerKeeps) {
  expect_clean(136087);
}

// A connection that ends with the input that completed stored fragments: the events that show them are polled later.
TEST(Seeds, KeepStoredFragmentsUntilTheirEventsArePolled) {
  for (const std::uint64_t seed : {478770u, 804864u, 906518u}) expect_clean(seed);
}

// A round trip 8 us below the least sample was taken for the late acknowledgement of a first transmission, and
// measured; and what was sent again more than ten minutes late was acknowledged unread.
TEST(Seeds, MeasureNoRoundTripByARepair) {
  expect_clean(963803);
}

// A host that demands no proof asks for the key that its peer had before it restarted, and gets the peer with its new
// key, in the deployed form.
TEST(Seeds, HaveTheDeployedFormWithAPeerWhoseKeyIsNotTheOneAskedFor) {
  for (const std::uint64_t seed : {21808u, 59719u, 77292u, 96019u}) expect_clean(seed);
}

// All intros of an attempt are lost, or wait for a host that stands still, and the answers to two attempts come
// together.
TEST(Seeds, ReportWhatASecondAttemptReplacesWhereTheFirstOneWasLost) {
  for (const std::uint64_t seed : {41837u, 108589u, 414898u, 745336u}) expect_clean(seed);
}

// An answer of a simultaneous opener arrives 1.2 s after the session has begun, and names the peer's second key.
TEST(Seeds, TakeNoLateAnswerForANewSession) {
  expect_clean(330482);
}

TEST(Seeds, FiveHundredFreshOnesBreakNoRule) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) expect_clean(seed);
}

}  // namespace
}  // namespace godwit::sim
