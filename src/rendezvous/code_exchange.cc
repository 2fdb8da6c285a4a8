#include "rendezvous/code_exchange.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/fields.h"

namespace godwit {
namespace {

// Before the rendezvous's key in the channel identifier, "CI".
constexpr std::string_view kChannel = "godwit code 1";

// Steps of the exchange.
constexpr std::uint8_t kHello = 1;   // session, point, key: of the side that types the code
constexpr std::uint8_t kAnswer = 2;  // point, key, proof: of the side that has made it
constexpr std::uint8_t kProof = 3;

std::vector<std::uint8_t> joined(std::initializer_list<ByteView> parts) {
  std::vector<std::uint8_t> result;
  for (const ByteView part : parts) result.insert(result.end(), part.begin(), part.end());
  return result;
}

}  // namespace

CodeExchange::CodeExchange(RandomSource& random, const PublicKey& own, const PublicKey& rendezvous,
                           std::optional<OneTimeCode> code)
    : random_(random),
      own_(own),
      rendezvous_(rendezvous),
      maker_(!code),
      code_(code ? *code : OneTimeCode::make(random)) {}

CodeExchange::~CodeExchange() {
  wipe();
}

void CodeExchange::wipe() {
  cpace::wipe(scalar_);
  cpace::wipe(expected_);
}

// This side's point; its scalar stays.
cpace::Point CodeExchange::make_share() {
  std::array<std::uint8_t, cpace::kScalarSize> bytes{};
  random_.fill(bytes);
  scalar_ = cpace::scalar_of(bytes);
  cpace::wipe(bytes);
  const auto channel = joined({as_bytes(kChannel), rendezvous_.bytes()});
  const cpace::Point generator = cpace::generator(as_bytes(code_.to_string()), channel, session_);
  // The generator is no neutral element, and neither is the scalar, but for a chance of 2^-252.
  return cpace::multiply(scalar_, generator).value_or(cpace::Point{});
}

RendezvousMessage CodeExchange::begin(Instant now) {
  deadline_ = now + kPatience;
  if (maker_) {
    state_ = State::kOpening;
    return RendezvousCodeOpen{};
  }
  state_ = State::kJoined;
  random_.fill(session_);
  share_ = make_share();
  return RendezvousCodeStep{
      .nameplate = code_.nameplate, .step = kHello, .bytes = joined({session_, share_, own_.bytes()})};
}

std::optional<RendezvousMessage> CodeExchange::on_message(Instant now, const RendezvousMessage& message) {
  if (const auto* const opened = std::get_if<RendezvousCodeOpened>(&message)) return on_opened(now, *opened);
  if (const auto* const ended = std::get_if<RendezvousCodeEnded>(&message)) {
    if (ended->nameplate == code_.nameplate) on_ended(ended->code);
    return std::nullopt;
  }
  const auto* const step = std::get_if<RendezvousCodeStep>(&message);
  if (step == nullptr || step->nameplate != code_.nameplate) return std::nullopt;
  // What is not due, as a message that was sent again, changes nothing: each step is taken once.
  if (step->step == kHello && state_ == State::kWaiting) return on_hello(now, step->bytes);
  if (step->step == kAnswer && state_ == State::kJoined) return on_answer(now, step->bytes);
  if (step->step == kProof && state_ == State::kAnswered) return on_proof(step->bytes);
  return std::nullopt;
}

std::optional<RendezvousMessage> CodeExchange::on_opened(Instant now, const RendezvousCodeOpened& opened) {
  if (state_ != State::kOpening) return std::nullopt;
  const bool usable = opened.nameplate >= 1 && opened.nameplate <= OneTimeCode::kMaxNameplate;
  if (opened.code != RendezvousCode::kDone || !usable) {
    fail("the rendezvous gives no code: " + std::string(rendezvous_code_text(opened.code)));
    return std::nullopt;
  }
  code_.nameplate = opened.nameplate;
  state_ = State::kWaiting;
  announced_ = false;
  deadline_ = now + std::chrono::seconds(opened.lifetime_seconds);
  return std::nullopt;
}

std::optional<RendezvousMessage> CodeExchange::on_hello(Instant now, ByteView bytes) {
  wire::FieldReader in(bytes);
  session_ = in.array<16>();
  const cpace::Point point = in.array<cpace::kPointSize>();
  claimed_ = PublicKey(in.array<kPublicKeySize>());
  if (!in.complete()) return give_up(RendezvousCode::kWrongCode);
  share_ = make_share();
  const auto secret = cpace::multiply(scalar_, point);
  if (!secret) return give_up(RendezvousCode::kWrongCode);
  const cpace::Share theirs{point, claimed_.bytes()};
  const cpace::Share ours{share_, own_.bytes()};
  cpace::Key key = cpace::session_key(session_, *secret, theirs, ours);
  expected_ = cpace::confirmation(session_, key, theirs);
  const cpace::Key proof = cpace::confirmation(session_, key, ours);
  cpace::wipe(key);
  state_ = State::kAnswered;
  deadline_ = now + kPatience;
  return RendezvousCodeStep{
      .nameplate = code_.nameplate, .step = kAnswer, .bytes = joined({share_, own_.bytes(), proof})};
}

std::optional<RendezvousMessage> CodeExchange::on_answer(Instant now, ByteView bytes) {
  wire::FieldReader in(bytes);
  const cpace::Point point = in.array<cpace::kPointSize>();
  claimed_ = PublicKey(in.array<kPublicKeySize>());
  const cpace::Key proof = in.array<cpace::kKeySize>();
  const auto secret = in.complete() ? cpace::multiply(scalar_, point) : std::nullopt;
  if (!secret) return give_up(RendezvousCode::kWrongCode);
  const cpace::Share ours{share_, own_.bytes()};
  const cpace::Share theirs{point, claimed_.bytes()};
  cpace::Key key = cpace::session_key(session_, *secret, ours, theirs);
  const bool proven = cpace::equal(proof, cpace::confirmation(session_, key, theirs));
  const cpace::Key answer = cpace::confirmation(session_, key, ours);
  cpace::wipe(key);
  // Whoever does not have the code learns nothing from this side's silence but that.
  if (!proven) return give_up(RendezvousCode::kWrongCode);
  peer_ = claimed_;
  state_ = State::kConfirmed;
  deadline_ = now + kPatience;
  wipe();
  return RendezvousCodeStep{.nameplate = code_.nameplate, .step = kProof, .bytes = joined({answer})};
}

std::optional<RendezvousMessage> CodeExchange::on_proof(ByteView bytes) {
  if (!cpace::equal(bytes, expected_)) return give_up(RendezvousCode::kWrongCode);
  peer_ = claimed_;
  state_ = State::kFinished;
  wipe();
  return RendezvousCodeEnded{.nameplate = code_.nameplate, .code = RendezvousCode::kDone};
}

void CodeExchange::on_ended(RendezvousCode code) {
  if (!begun() || finished() || failure_) return;
  if (code == RendezvousCode::kDone && state_ == State::kConfirmed) {
    state_ = State::kFinished;
    return;
  }
  fail(words_of(code == RendezvousCode::kDone ? RendezvousCode::kLeft : code));
}

std::optional<RendezvousMessage> CodeExchange::give_up(RendezvousCode code) {
  fail(words_of(code));
  return RendezvousCodeEnded{.nameplate = code_.nameplate, .code = code};
}

std::string CodeExchange::words_of(RendezvousCode code) const {
  if (code == RendezvousCode::kWrongCode || (code == RendezvousCode::kLeft && state_ == State::kAnswered)) {
    return maker_
               ? "somebody has tried the code with wrong words: it is used up, make another one"
               : "the code is wrong, or something on the way has changed the exchange: it is used up, ask for another "
                 "one";
  }
  if (code == RendezvousCode::kCodeExpired) return "nobody has used the code in time: it is used up, make another one";
  return std::string(rendezvous_code_text(code));
}

void CodeExchange::fail(std::string why) {
  if (failure_) return;
  state_ = State::kFailed;
  peer_.reset();
  wipe();
  failure_ = Error{.code = ErrorCode::kNotFound, .message = std::move(why)};
}

void CodeExchange::on_closed() {
  if (begun() && !finished()) fail("the rendezvous was lost before the code was used: make another one");
}

void CodeExchange::on_turn(Instant now) {
  const auto deadline = next_timeout();
  if (!deadline || now < *deadline) return;
  if (state_ == State::kWaiting) return fail(words_of(RendezvousCode::kCodeExpired));
  if (state_ == State::kOpening) return fail("the rendezvous gives no codes");
  fail(state_ == State::kAnswered ? words_of(RendezvousCode::kWrongCode)
                                  : "the other side of the code does not answer");
}

std::optional<Instant> CodeExchange::next_timeout() const {
  const bool waits = begun() && !finished() && !failure_;
  return waits ? std::optional(deadline_) : std::nullopt;
}

std::optional<std::string> CodeExchange::poll_code() {
  if (std::exchange(announced_, true)) return std::nullopt;
  return code_.to_string();
}

}  // namespace godwit
