#include "transport/port_search.h"

#include <algorithm>

namespace godwit {

PortHabit PortHabit::of(std::uint16_t first, std::uint16_t second) {
  const bool near = second > first && second - first <= PortSearch::kMostStep;
  return {.changes = true, .in_sequence = near, .latest = second};
}

// Of two sides whose ports change one has to be met where it is expected.
void PortSearch::begin_opening(const PortHabit& own, const PortHabit& peers) {
  if (stage_ != Stage::kIdle || budget_.opening || !own.changes || !peer_.is_ipv4()) return;
  if (peers.changes) {
    if (!own.in_sequence || !peers.in_sequence || peers.latest > UINT16_MAX - kLikely) return;
    peer_ = peer_.with_port(static_cast<std::uint16_t>(peers.latest + kAhead));
  }
  budget_.opening = budget_.waiting = true;
  stage_ = Stage::kWaiting;
}

void PortSearch::give_ports(Instant now, std::span<const SocketAddress> locals) {
  if (stage_ != Stage::kWaiting) return;
  if (locals.empty()) return end();
  budget_.waiting = false;
  ports_.assign(locals.begin(), locals.begin() + static_cast<std::ptrdiff_t>(std::min(locals.size(), kPorts)));
  stage_ = Stage::kOpening;
  next_ = now;
  until_ = now + kPatience;
}

std::optional<PathAddress> PortSearch::poll_opener(Instant now) {
  if (stage_ != Stage::kOpening || now < next_) return std::nullopt;
  const PathAddress opener{.local = ports_[opened_], .remote = peer_};
  ++budget_.openers;
  next_ = now + kOpenerInterval;
  if (++opened_ == ports_.size()) stage_ = Stage::kOpen;
  return opener;
}

std::optional<std::uint64_t> PortSearch::poll_request(Instant now) {
  if (stage_ != Stage::kOpen || now < next_ || requests_ == kMostRequests) return std::nullopt;
  ++requests_;
  next_ = now + kRequestInterval;
  return ports_.size();
}

bool PortSearch::begin_asking(Instant now, const PortHabit& own, const PortHabit& peers) {
  // Told again: the first time may have been lost.
  if (stage_ == Stage::kAsking) return true;
  if (stage_ != Stage::kIdle || !peer_.is_ipv4()) return false;
  if (own.changes && !(own.in_sequence && peers.in_sequence)) return false;
  if (!budget_.guesses.admit(now)) return false;
  peers_ = peers;
  asked_ = std::make_unique<std::bitset<kAllPorts>>();
  guesses_.reserve(kMostGuesses);
  stage_ = Stage::kAsking;
  next_ = now;
  until_ = now + kPatience;
  return true;
}

std::uint16_t PortSearch::next_port() {
  const std::size_t count = guesses_.size();
  if (peers_.in_sequence && count < kLikely && peers_.latest <= UINT16_MAX - kLikely) {
    return static_cast<std::uint16_t>(peers_.latest + 1 + count);
  }
  for (;;) {
    const auto port = static_cast<std::uint16_t>(kFirstPort + random_.below(kAllPorts - kFirstPort));
    if (!asked_->test(port)) return port;
  }
}

std::optional<PathValidation::Challenge> PortSearch::poll_guess(Instant now) {
  if (stage_ != Stage::kAsking || now < next_ || guesses_.size() == kMostGuesses) return std::nullopt;
  const Guess guess{.port = next_port(), .data = random_.next_u64()};
  asked_->set(guess.port);
  guesses_.push_back(guess);
  ++budget_.asked;
  next_ = now + kGuessInterval;
  return PathValidation::Challenge{.path = {.local = {}, .remote = peer_.with_port(guess.port)}, .data = guess.data};
}

bool PortSearch::is_answer(std::uint64_t data, const SocketAddress& from) const {
  if (stage_ != Stage::kAsking || !from.is_same_host(peer_)) return false;
  return std::ranges::any_of(guesses_,
                             [&](const Guess& guess) { return guess.port == from.port() && guess.data == data; });
}

void PortSearch::end() {
  if (stage_ == Stage::kWaiting || holds_ports()) budget_.opening = budget_.waiting = false;
  if (stage_ != Stage::kIdle) stage_ = Stage::kOver;
  ports_.clear();
  guesses_ = {};
  asked_.reset();
}

void PortSearch::handle_timeout(Instant now) {
  if ((holds_ports() || stage_ == Stage::kAsking) && now >= until_) end();
}

std::optional<Instant> PortSearch::next_timeout() const {
  switch (stage_) {
    case Stage::kIdle:
    case Stage::kWaiting:
    case Stage::kOver: return std::nullopt;
    case Stage::kOpening: return next_;
    case Stage::kOpen: return requests_ == kMostRequests ? until_ : std::min(next_, until_);
    case Stage::kAsking: return guesses_.size() == kMostGuesses ? until_ : std::min(next_, until_);
  }
  return std::nullopt;
}

}  // namespace godwit
