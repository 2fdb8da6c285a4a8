// Both sides of a one-time code and the rendezvous between them, with every message in the test's hands.
#include "rendezvous/code_exchange.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rendezvous/code_slots.h"

namespace godwit::code_exchange_test {
namespace {

constexpr ConnectionId kMaker = 1;
constexpr ConnectionId kTypist = 2;
constexpr ConnectionId kStranger = 3;

PublicKey key_of(std::uint8_t value) {
  std::array<std::uint8_t, kPublicKeySize> bytes{};
  bytes.fill(value);
  return PublicKey(bytes);
}

class CodeExchangeTest : public testing::Test {
 protected:
  explicit CodeExchangeTest(const CodeLimits& limits = {})
      : slots_(limits, [this](Instant, ConnectionId to, const RendezvousMessage& message) {
          // What crosses the wire is what arrives.
          to_sides_.emplace_back(to, *decode_rendezvous(encode_rendezvous(message)));
        }) {}
  void SetUp() override {
    if (!cpace::available()) GTEST_SKIP() << "built without libsodium";
  }

  std::unique_ptr<CodeExchange> make(std::uint8_t own, std::optional<OneTimeCode> code, std::uint8_t rendezvous = 9) {
    return std::make_unique<CodeExchange>(random_, key_of(own), key_of(rendezvous), code);
  }
  // The maker has its code.
  OneTimeCode open() {
    // On connections of their own.
    slots_.on_closed(now_, kMaker);
    slots_.on_closed(now_, kTypist);
    to_sides_.clear();
    maker_ = make(1, std::nullopt);
    to_rendezvous(kMaker, maker_->begin(now_));
    deliver();
    const auto text = maker_->poll_code();
    EXPECT_TRUE(text) << (maker_->failure() ? maker_->failure()->message : "");
    EXPECT_FALSE(maker_->poll_code()) << "once";
    return OneTimeCode::parse(text.value_or("1-tiger-tiger-tiger")).value();
  }
  void type(const OneTimeCode& code, ConnectionId connection = kTypist) {
    typist_ = make(2, code);
    to_rendezvous(connection, typist_->begin(now_));
  }
  static OneTimeCode with_wrong_word(OneTimeCode code) {
    ++code.words[2];
    return code;
  }

  void to_rendezvous(ConnectionId from, const RendezvousMessage& message) {
    const RendezvousMessage arrived = *decode_rendezvous(encode_rendezvous(message));
    if (std::holds_alternative<RendezvousCodeOpen>(arrived)) {
      to_sides_.emplace_back(from, slots_.open(now_, from, *SocketAddress::parse("192.0.2.1:0")));
    } else if (const auto* const step = std::get_if<RendezvousCodeStep>(&arrived)) {
      slots_.on_step(now_, from, *step);
    } else if (const auto* const ended = std::get_if<RendezvousCodeEnded>(&arrived)) {
      slots_.on_ended(now_, from, *ended);
    }
  }
  // Until nothing is on its way. `meddle` may change what the rendezvous passes on.
  void deliver(const std::function<void(ConnectionId to, RendezvousMessage&)>& meddle = {}) {
    while (!to_sides_.empty()) {
      auto [to, message] = std::move(to_sides_.front());
      to_sides_.pop_front();
      if (meddle) meddle(to, message);
      passed_.emplace_back(to, message);
      CodeExchange* const side = to == kMaker ? maker_.get() : typist_.get();
      if (side == nullptr) continue;
      if (const auto answer = side->on_message(now_, message)) to_rendezvous(to, *answer);
    }
  }
  static std::string why(const std::unique_ptr<CodeExchange>& side) {
    return side->failure() ? side->failure()->message : "";
  }
  void expect_wrong_on_both_sides() {
    EXPECT_NE(why(maker_).find("wrong words"), std::string::npos) << why(maker_);
    EXPECT_NE(why(typist_).find("the code is wrong"), std::string::npos) << why(typist_);
    EXPECT_FALSE(maker_->peer());
    EXPECT_FALSE(typist_->peer());
    EXPECT_EQ(slots_.size(), 0U) << "it is used up";
  }

  DeterministicRandom random_{1};
  Instant now_ = Instant(1s);
  CodeSlots slots_;
  std::unique_ptr<CodeExchange> maker_;
  std::unique_ptr<CodeExchange> typist_;
  std::deque<std::pair<ConnectionId, RendezvousMessage>> to_sides_;
  std::vector<std::pair<ConnectionId, RendezvousMessage>> passed_;
};

TEST_F(CodeExchangeTest, TheRightCodeGivesEachSideTheKeyOfTheOther) {
  type(open());
  deliver();
  ASSERT_TRUE(maker_->finished()) << why(maker_);
  ASSERT_TRUE(typist_->finished()) << why(typist_);
  EXPECT_EQ(*maker_->peer(), key_of(2));
  EXPECT_EQ(*typist_->peer(), key_of(1));
  EXPECT_EQ(slots_.size(), 0U);
  EXPECT_EQ(slots_.statistics().matched, 1U);
  EXPECT_FALSE(maker_->next_timeout());
  EXPECT_FALSE(typist_->next_timeout());
}

TEST_F(CodeExchangeTest, AWrongCodeHasOneTryAndBothSidesAreTold) {
  const OneTimeCode code = open();
  type(with_wrong_word(code));
  deliver();
  expect_wrong_on_both_sides();
  EXPECT_EQ(slots_.statistics().wrong, 1U);
  type(code);
  deliver();
  EXPECT_NE(why(typist_).find("no such code"), std::string::npos) << "not even with the right words: " << why(typist_);
}

TEST_F(CodeExchangeTest, ASecondThatNamesTheNumberIsTooLate) {
  const OneTimeCode code = open();
  type(code);
  slots_.on_step(now_, kStranger, {.nameplate = code.nameplate, .step = 1, .bytes = {}});
  EXPECT_EQ(slots_.statistics().unknown, 1U);
  deliver([](ConnectionId to, RendezvousMessage& message) {
    if (to != kStranger) return;
    EXPECT_EQ(std::get<RendezvousCodeEnded>(message).code, RendezvousCode::kUnknownCode);
    message = RendezvousCodeOpen{};  // is nobody's business
  });
  EXPECT_TRUE(maker_->finished());
  EXPECT_TRUE(typist_->finished());
}

TEST_F(CodeExchangeTest, ANumberThatIsNoneIsSaid) {
  OneTimeCode code = open();
  code.nameplate = 7777;
  type(code);
  deliver();
  EXPECT_NE(why(typist_).find("no such code"), std::string::npos);
  EXPECT_TRUE(maker_->next_timeout()) << "the code is still there";
  EXPECT_EQ(slots_.size(), 1U);
}

TEST_F(CodeExchangeTest, ACodeEndsWithItsTimeAtTheRendezvousAndAtItsMaker) {
  const OneTimeCode code = open();
  EXPECT_EQ(*maker_->next_timeout(), now_ + CodeLimits{}.lifetime);
  now_ += CodeLimits{}.lifetime;
  type(code);
  deliver();
  EXPECT_NE(why(typist_).find("no such code"), std::string::npos);
  EXPECT_NE(why(maker_).find("in time"), std::string::npos);
  EXPECT_EQ(slots_.statistics().expired, 1U);
  // And if the rendezvous says nothing.
  open();
  now_ += CodeLimits{}.lifetime;
  maker_->on_turn(now_);
  EXPECT_NE(why(maker_).find("in time"), std::string::npos);
}

TEST_F(CodeExchangeTest, EveryBitThatTheRendezvousChangesEndsTheExchange) {
  constexpr std::array<std::size_t, 4> kSizes = {0, 80, 128, 64};
  for (const std::size_t step : {1U, 2U, 3U}) {
    for (std::size_t at = 0; at < kSizes[step]; at += 5) {
      type(open());
      deliver([&](ConnectionId, RendezvousMessage& message) {
        auto* const passed = std::get_if<RendezvousCodeStep>(&message);
        if (passed == nullptr || passed->step != step) return;
        ASSERT_EQ(passed->bytes.size(), kSizes[step]);
        passed->bytes[at] ^= 1;
      });
      EXPECT_FALSE(maker_->finished()) << step << " " << at;
      EXPECT_FALSE(typist_->finished()) << step << " " << at;
      EXPECT_FALSE(maker_->peer());
      EXPECT_FALSE(typist_->peer()) << "the maker has said that it does not believe it";
      expect_wrong_on_both_sides();
    }
  }
}

TEST_F(CodeExchangeTest, AStepThatIsCutShortOrEmptyEndsIt) {
  for (const std::size_t step : {1U, 2U, 3U}) {
    for (const std::size_t size : {0U, 31U, 63U}) {
      type(open());
      deliver([&](ConnectionId, RendezvousMessage& message) {
        auto* const passed = std::get_if<RendezvousCodeStep>(&message);
        if (passed != nullptr && passed->step == step) passed->bytes.resize(size);
      });
      expect_wrong_on_both_sides();
    }
  }
}

TEST_F(CodeExchangeTest, ARendezvousThatPutsItsOwnKeyInPlaceOfASidesIsRefused) {
  for (const std::size_t step : {1U, 2U}) {
    type(open());
    deliver([&](ConnectionId, RendezvousMessage& message) {
      auto* const passed = std::get_if<RendezvousCodeStep>(&message);
      if (passed == nullptr || passed->step != step) return;
      const std::size_t at = step == 1 ? 48 : 32;
      std::fill_n(passed->bytes.begin() + static_cast<std::ptrdiff_t>(at), kPublicKeySize, std::uint8_t{9});
    });
    expect_wrong_on_both_sides();
  }
}

TEST_F(CodeExchangeTest, SidesThatAreConnectedToDifferentRendezvousDoNotMeet) {
  const OneTimeCode code = open();
  typist_ = make(2, code, 8);
  to_rendezvous(kTypist, typist_->begin(now_));
  deliver();
  expect_wrong_on_both_sides();
}

TEST_F(CodeExchangeTest, AnEarlierExchangeThatIsPlayedBackOpensNothing) {
  const OneTimeCode code = open();
  type(code);
  deliver();
  ASSERT_TRUE(typist_->finished());
  const auto record = passed_;
  // The maker makes the same code again: the words by accident, the number by the rendezvous.
  maker_ = make(1, std::nullopt);
  static_cast<void>(maker_->begin(now_));
  static_cast<void>(maker_->on_message(now_, RendezvousCodeOpened{.nameplate = code.nameplate, .lifetime_seconds = 9}));
  for (const auto& [to, message] : record) {
    if (to == kMaker) static_cast<void>(maker_->on_message(now_, message));
  }
  EXPECT_FALSE(maker_->finished());
  EXPECT_FALSE(maker_->peer());
  EXPECT_TRUE(maker_->failure()) << "the proof was of another exchange";
}

TEST_F(CodeExchangeTest, AStepThatComesTwiceIsTakenOnce) {
  type(open());
  int answers = 0;
  deliver([&](ConnectionId to, RendezvousMessage& message) {
    CodeExchange* const side = to == kMaker ? maker_.get() : typist_.get();
    const auto* const step = std::get_if<RendezvousCodeStep>(&message);
    if (step == nullptr || step->step == 3) return;
    // The first one is answered here, the second one must not be.
    if (const auto answer = side->on_message(now_, message)) to_rendezvous(to, *answer);
    if (side->on_message(now_, message)) ++answers;
  });
  EXPECT_EQ(answers, 0);
  EXPECT_TRUE(maker_->finished()) << why(maker_);
  EXPECT_TRUE(typist_->finished()) << why(typist_);
}

TEST_F(CodeExchangeTest, WhoeverLeavesUsesTheCodeUp) {
  const OneTimeCode code = open();
  type(code);
  ASSERT_EQ(to_sides_.size(), 1U);
  slots_.on_closed(now_, kTypist);
  deliver();
  EXPECT_NE(why(maker_).find("wrong words"), std::string::npos) << "it may have compared them: " << why(maker_);
  type(code);
  deliver();
  EXPECT_NE(why(typist_).find("no such code"), std::string::npos);

  type(open());
  slots_.on_closed(now_, kMaker);
  deliver([](ConnectionId to, RendezvousMessage& message) {
    if (to == kMaker) message = RendezvousCodeOpen{};
  });
  EXPECT_NE(why(typist_).find("gone"), std::string::npos) << why(typist_);
}

TEST_F(CodeExchangeTest, SilenceEndsIt) {
  const auto silence = [&](std::unique_ptr<CodeExchange>& side, const char* words) {
    ASSERT_TRUE(side->next_timeout());
    side->on_turn(*side->next_timeout() - 1ns);
    EXPECT_FALSE(side->failure());
    side->on_turn(*side->next_timeout());
    EXPECT_NE(why(side).find(words), std::string::npos) << why(side);
  };
  maker_ = make(1, std::nullopt);
  static_cast<void>(maker_->begin(now_));
  silence(maker_, "gives no codes");
  type(open());
  silence(typist_, "does not answer");
  type(open());
  deliver([](ConnectionId to, RendezvousMessage& message) {
    if (to == kTypist) message = RendezvousCodeOpen{};
  });
  silence(maker_, "wrong words");
  open();
  maker_->on_closed();
  EXPECT_NE(why(maker_).find("lost"), std::string::npos);
}

class FewCodesTest : public CodeExchangeTest {
 protected:
  FewCodesTest() : CodeExchangeTest({.codes = 3, .codes_per_prefix = 2, .lifetime = 60s}) {}
};

TEST_F(FewCodesTest, PlacesAreBoundedInAllForANetworkAndForAConnection) {
  const auto open = [&](ConnectionId connection, const char* prefix) {
    return slots_.open(now_, connection, *SocketAddress::parse(prefix)).code;
  };
  EXPECT_EQ(open(1, "192.0.2.1:0"), RendezvousCode::kDone);
  EXPECT_EQ(open(1, "192.0.2.1:0"), RendezvousCode::kFull) << "one for a connection";
  EXPECT_EQ(open(2, "192.0.2.1:0"), RendezvousCode::kDone);
  EXPECT_EQ(open(3, "192.0.2.1:0"), RendezvousCode::kFull) << "two for a network";
  EXPECT_EQ(open(3, "192.0.2.2:0"), RendezvousCode::kDone);
  EXPECT_EQ(open(4, "192.0.2.3:0"), RendezvousCode::kFull) << "three in all";
  EXPECT_EQ(slots_.statistics().refused, 3U);
  now_ += 60s;
  EXPECT_EQ(open(4, "192.0.2.3:0"), RendezvousCode::kDone) << "the others' time is over";
  EXPECT_EQ(slots_.size(), 1U);
}

TEST_F(FewCodesTest, NumbersComeRoundAsLateAsPossible) {
  std::uint32_t last = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto opened = slots_.open(now_, kMaker, *SocketAddress::parse("192.0.2.1:0"));
    ASSERT_EQ(opened.nameplate, last % OneTimeCode::kMaxNameplate + 1);
    last = opened.nameplate;
    slots_.on_closed(now_, kMaker);
  }
}

TEST_F(FewCodesTest, StepsThatAreNotDueArePassedToNobody) {
  const auto opened = slots_.open(now_, kMaker, *SocketAddress::parse("192.0.2.1:0"));
  const std::uint32_t nameplate = opened.nameplate;
  const auto step = [&](ConnectionId from, std::uint8_t number) {
    slots_.on_step(now_, from, {.nameplate = nameplate, .step = number, .bytes = {1}});
  };
  step(kMaker, 2);
  step(kTypist, 3);
  step(kTypist, 0);
  slots_.on_ended(now_, kTypist, {.nameplate = nameplate, .code = RendezvousCode::kWrongCode});
  EXPECT_EQ(slots_.statistics().ignored, 4U);
  EXPECT_TRUE(to_sides_.empty());
  step(kTypist, 1);
  step(kTypist, 2);
  step(kMaker, 3);
  step(kMaker, 2);
  step(kMaker, 2);
  step(kMaker, 3);
  step(kTypist, 3);
  step(kTypist, 4);
  step(kTypist, 5);
  EXPECT_EQ(to_sides_.size(), 3U) << "the three steps, once each";
}

}  // namespace
}  // namespace godwit::code_exchange_test
