// Nothing allocates per packet in the steady state: counted by this program's own operator new.
#include <gtest/gtest.h>

#include <memory>

#include "base/counted_allocations_test_support.h"
#include "udp/conformance_fixture.h"
#include "udp/faulty_backend.h"

namespace godwit {
namespace {

class BackendAllocation : public BackendConformance {
 protected:
  // Allocations over `rounds` of sending, waiting and receiving.
  static std::uint64_t allocations_of(Backend& from, Backend& to, std::span<const DatagramBatch> batches,
                                      ReceivedBatches& inbox, int rounds) {
    const std::uint64_t before = allocation_counts.allocations.load();
    for (int round = 0; round < rounds; ++round) {
      static_cast<void>(from.send(batches));
      from.wait(Duration::zero());
      to.wait(Duration::zero());
      do {
        to.receive(inbox);
      } while (!inbox.empty());
    }
    return allocation_counts.allocations.load() - before;
  }
};

TEST_P(BackendAllocation, NothingAllocatesInTheSteadyState) {
  const OwnedBatch large = run_to_b(1200, 54 * 1200, 1);
  const OwnedBatch small = run_to_b(64, 64, 2);
  const std::vector<DatagramBatch> batches = {large.batch, small.batch, small.batch};
  ReceivedBatches inbox;
  allocations_of(*a_, *b_, batches, inbox, 20);
  EXPECT_EQ(allocations_of(*a_, *b_, batches, inbox, 100), 0U);
}

TEST_P(BackendAllocation, NorWhenOffloadIsRefused) {
  calls_->add({.error = EIO, .shape = ScriptedSendCalls::Shape::kCut});
  const OwnedBatch large = run_to_b(1200, 20 * 1200, 1);
  ReceivedBatches inbox;
  allocations_of(*a_, *b_, {&large.batch, 1}, inbox, 20);
  EXPECT_EQ(allocations_of(*a_, *b_, {&large.batch, 1}, inbox, 100), 0U);
}

TEST_P(BackendAllocation, NorBehindFaultsOnceItsBuffersHaveGrown) {
  FaultyBackend faulty(std::move(a_), {.drop = 0.01, .duplicate = 0.01, .reorder = 0.01, .corrupt = 0.01});
  const OwnedBatch large = run_to_b(1200, 54 * 1200, 1);
  ReceivedBatches inbox;
  allocations_of(faulty, *b_, {&large.batch, 1}, inbox, 300);
  // The number of datagrams held back at once still reaches new heights now and then.
  EXPECT_LE(allocations_of(faulty, *b_, {&large.batch, 1}, inbox, 300), 20U);
}

INSTANTIATE_TEST_SUITE_P(All, BackendAllocation, all_back_ends(), conformance_name);

}  // namespace
}  // namespace godwit
