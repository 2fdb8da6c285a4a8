// The decisions of a search for ports, by themselves: who opens, who asks, how much, and when it is over. That it finds
// a way is for the pairs of translations in cli/nat_matrix_test.cc.
#include "transport/port_search.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace godwit::port_search_test {
namespace {

const SocketAddress kPeer = SocketAddress::ipv4({192, 0, 2, 1}, 4000);
constexpr PortHabit kSteady{};
constexpr PortHabit kRandom{.changes = true, .in_sequence = false, .latest = 30'000};
constexpr PortHabit kInSequence{.changes = true, .in_sequence = true, .latest = 20'000};

std::vector<SocketAddress> sockets(std::size_t count) {
  std::vector<SocketAddress> result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(SocketAddress::ipv4({10, 0, 0, 2}, static_cast<std::uint16_t>(40'000 + i)));
  }
  return result;
}

class PortSearchTest : public testing::Test {
 protected:
  // All questions until the search is over, at the times that it asks for.
  std::vector<SocketAddress> ask(PortSearch& search) {
    std::vector<SocketAddress> asked;
    while (const auto due = search.next_timeout()) {
      now = std::max(now, *due);
      search.handle_timeout(now);
      while (const auto guess = search.poll_guess(now)) {
        latest = *guess;
        asked.push_back(guess->path.remote);
      }
    }
    return asked;
  }

  DeterministicRandom random{3};
  Instant now{1h};
  PortSearchBudget budget;
  PathValidation::Challenge latest;
};

TEST_F(PortSearchTest, ASteadyMappingOpensNothing) {
  PortSearch search(kPeer, budget, random);
  search.begin_opening(kSteady, kRandom);
  EXPECT_FALSE(search.wants_ports());
  EXPECT_FALSE(budget.waiting);
}

TEST_F(PortSearchTest, OpenersGoOneAtATimeFromEachSocketAndThenThePeerIsTold) {
  PortSearch search(kPeer, budget, random);
  search.begin_opening(kRandom, kSteady);
  ASSERT_TRUE(search.wants_ports());
  EXPECT_TRUE(budget.waiting);
  search.give_ports(now, sockets(300));
  EXPECT_FALSE(budget.waiting);
  std::set<SocketAddress> from;
  EXPECT_EQ(search.poll_request(now), std::nullopt) << "nothing is open yet";
  while (from.size() < PortSearch::kPorts) {
    now = *search.next_timeout();
    const auto opener = search.poll_opener(now);
    ASSERT_TRUE(opener);
    EXPECT_EQ(opener->remote, kPeer);
    from.insert(opener->local);
    ASSERT_FALSE(search.poll_opener(now)) << "one at a time";
  }
  std::size_t requests = 0;
  while (const auto due = search.next_timeout()) {
    now = *due;
    search.handle_timeout(now);
    ASSERT_FALSE(search.poll_opener(now));
    if (search.poll_request(now)) ++requests;
  }
  EXPECT_EQ(requests, PortSearch::kMostRequests);
  EXPECT_FALSE(search.holds_ports()) << "given back when nobody has come";
  EXPECT_FALSE(budget.opening);
  EXPECT_EQ(budget.openers, PortSearch::kPorts);
}

TEST_F(PortSearchTest, OnlyOneSessionOpensPortsAtATime) {
  PortSearch first(kPeer, budget, random);
  PortSearch second(kPeer, budget, random);
  first.begin_opening(kRandom, kSteady);
  second.begin_opening(kRandom, kSteady);
  EXPECT_FALSE(second.wants_ports());
  first.end();
  second.begin_opening(kRandom, kSteady);
  EXPECT_TRUE(second.wants_ports());
  second.give_ports(now, {});
  EXPECT_FALSE(second.running()) << "there are no sockets to be had";
  EXPECT_FALSE(budget.opening);
}

TEST_F(PortSearchTest, QuestionsAreBoundedAndNeverTwoAtATimeAndNeverOfAnotherHost) {
  PortSearch search(kPeer, budget, random);
  ASSERT_TRUE(search.begin_asking(now, kSteady, kRandom));
  std::set<SocketAddress> different;
  std::optional<Instant> before;
  while (const auto due = search.next_timeout()) {
    now = *due;
    search.handle_timeout(now);
    const auto guess = search.poll_guess(now);
    if (!guess) continue;
    EXPECT_EQ(guess->path.remote.with_port(0), kPeer.with_port(0));
    EXPECT_GE(guess->path.remote.port(), PortSearch::kFirstPort);
    EXPECT_TRUE(!before || now - *before >= PortSearch::kGuessInterval);
    before = now;
    different.insert(guess->path.remote);
    ASSERT_FALSE(search.poll_guess(now));
  }
  EXPECT_EQ(different.size(), PortSearch::kMostGuesses) << "each port once";
  EXPECT_EQ(budget.asked, PortSearch::kMostGuesses);
  EXPECT_FALSE(search.begin_asking(now, kSteady, kRandom)) << "once in a session";
}

TEST_F(PortSearchTest, TheSearchesOfAllSessionsHaveABudget) {
  std::size_t begun = 0;
  for (int i = 0; i < 20; ++i) {
    PortSearch search(kPeer, budget, random);
    if (search.begin_asking(now, kSteady, kRandom)) ++begun;
  }
  EXPECT_EQ(begun, PortSearchBudget::kBurst);
  PortSearch later(kPeer, budget, random);
  EXPECT_TRUE(later.begin_asking(now + 61s, kSteady, kRandom));
}

TEST_F(PortSearchTest, LikelyPortsAreAskedFirst) {
  PortSearch search(kPeer, budget, random);
  ASSERT_TRUE(search.begin_asking(now, kSteady, kInSequence));
  const auto asked = ask(search);
  ASSERT_GE(asked.size(), PortSearch::kLikely);
  for (std::size_t i = 0; i < PortSearch::kLikely; ++i) EXPECT_EQ(asked[i].port(), kInSequence.latest + 1 + i);
}

TEST_F(PortSearchTest, OfTwoThatChangeOneHasToBePredictable) {
  PortSearch opens(kPeer, budget, random);
  opens.begin_opening(kRandom, kInSequence);
  EXPECT_FALSE(opens.wants_ports());
  opens.begin_opening(kInSequence, kRandom);
  EXPECT_FALSE(opens.wants_ports());
  opens.begin_opening(kInSequence, kInSequence);
  ASSERT_TRUE(opens.wants_ports());
  opens.give_ports(now, sockets(1));
  EXPECT_EQ(opens.poll_opener(now)->remote, kPeer.with_port(kInSequence.latest + PortSearch::kAhead));
  PortSearch asks(kPeer, budget, random);
  EXPECT_FALSE(asks.begin_asking(now, kRandom, kRandom));
  EXPECT_TRUE(asks.begin_asking(now, kInSequence, kInSequence));
}

TEST_F(PortSearchTest, AnAnswerIsOneToWhatWasAskedThere) {
  PortSearch search(kPeer, budget, random);
  ASSERT_TRUE(search.begin_asking(now, kSteady, kRandom));
  const auto guess = search.poll_guess(now);
  ASSERT_TRUE(guess);
  EXPECT_TRUE(search.is_answer(guess->data, guess->path.remote));
  EXPECT_FALSE(search.is_answer(guess->data + 1, guess->path.remote));
  EXPECT_FALSE(search.is_answer(guess->data, kPeer));
  EXPECT_FALSE(search.is_answer(guess->data, SocketAddress::ipv4({192, 0, 2, 9}, guess->path.remote.port())));
}

}  // namespace
}  // namespace godwit::port_search_test
