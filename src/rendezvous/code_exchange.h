// One side of an exchange by a one-time code (docs/rendezvous.md section 7), without I/O: the side that makes the code
// and the side that types it prove to one another, through a rendezvous that neither believes, that they have the same
// code, and with it whose public keys they have. There is one try: whatever goes wrong ends the exchange, and the code.
// Whoever has the connection to the rendezvous sends what the calls return.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "code/cpace.h"
#include "code/one_time_code.h"
#include "crypto/keypair.h"
#include "rendezvous/rendezvous_codec.h"

namespace godwit {

class CodeExchange {
 public:
  static constexpr Duration kPatience = 15s;  // for an answer of the rendezvous or the other side

  // `own` and `rendezvous` are the keys of this side and of the one that it is connected to; `random` outlives it.
  // `code`: what the other side has made; nothing: one is made here. There must be cpace::available().
  CodeExchange(RandomSource& random, const PublicKey& own, const PublicKey& rendezvous,
               std::optional<OneTimeCode> code);
  CodeExchange(CodeExchange&&) = default;
  CodeExchange(const CodeExchange&) = delete;
  ~CodeExchange();

  // The first message; once, when the connection to the rendezvous is there.
  [[nodiscard]] RendezvousMessage begin(Instant now);
  // What is to be sent in answer, if anything. Other messages of a rendezvous are no business of an exchange.
  [[nodiscard]] std::optional<RendezvousMessage> on_message(Instant now, const RendezvousMessage& message);
  // The connection to the rendezvous has ended: so has the exchange.
  void on_closed();
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  [[nodiscard]] bool begun() const { return state_ != State::kNew; }
  // The code that was made here, for the user, once the rendezvous has given it its number; once.
  [[nodiscard]] std::optional<std::string> poll_code();
  // The key of the other side, as soon as that side has proved that it has the code and the key.
  [[nodiscard]] const std::optional<PublicKey>& peer() const { return peer_; }
  // Both sides know.
  [[nodiscard]] bool finished() const { return state_ == State::kFinished; }
  // One line for the user of this side.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  enum class State : std::uint8_t {
    kNew,
    kOpening,    // the maker waits for its number
    kWaiting,    // for somebody who has the code
    kAnswered,   // for the proof of whoever came
    kJoined,     // the other side waits for the answer
    kConfirmed,  // for the word that all is well
    kFinished,
    kFailed,
  };

  std::optional<RendezvousMessage> on_opened(Instant now, const RendezvousCodeOpened& opened);
  std::optional<RendezvousMessage> on_hello(Instant now, ByteView bytes);
  std::optional<RendezvousMessage> on_answer(Instant now, ByteView bytes);
  std::optional<RendezvousMessage> on_proof(ByteView bytes);
  void on_ended(RendezvousCode code);
  // Ends it, and says so to the other side.
  std::optional<RendezvousMessage> give_up(RendezvousCode code);
  void fail(std::string why);
  [[nodiscard]] std::string words_of(RendezvousCode code) const;
  [[nodiscard]] cpace::Point make_share();
  void wipe();

  RandomSource& random_;
  PublicKey own_;
  PublicKey rendezvous_;
  bool maker_;
  OneTimeCode code_;
  State state_ = State::kNew;
  bool announced_ = true;
  Instant deadline_{};
  std::array<std::uint8_t, 16> session_{};
  cpace::Scalar scalar_{};
  cpace::Point share_{};
  cpace::Key expected_{};  // proof of the other side
  PublicKey claimed_;      // key of the other side, until it has proved that it has the code
  std::optional<PublicKey> peer_;
  std::optional<Error> failure_;
};

}  // namespace godwit
