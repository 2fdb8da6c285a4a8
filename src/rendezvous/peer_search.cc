#include "rendezvous/peer_search.h"

#include <utility>

namespace godwit {
PeerSearch::PeerSearch(Endpoint& endpoint, PeerPlace place, Candidates own)
    : endpoint_(endpoint), place_(std::move(place)), own_(std::move(own)) {}

Status PeerSearch::start(Instant now) {
  if (place_.rendezvous.empty()) {
    connector_.emplace(endpoint_, place_.addresses, place_.key);
    return connector_->start(now);
  }
  ask_next(now);
  return failure_ ? std::unexpected(*failure_) : Status{};
}

// Whoever answers is asked no more; when nobody is left, what the ticket says by itself is tried.
void PeerSearch::ask_next(Instant now) {
  while (next_ < place_.rendezvous.size()) {
    auto seeker = std::make_unique<RendezvousSeeker>(endpoint_, place_.rendezvous[next_++], place_.key, own_, true);
    if (const Status started = seeker->start(now); !started) {
      add_reason(started.error().message);
      continue;
    }
    give_up_at_ = now + (exchange_ ? kCodePatience : RendezvousSeeker::kPatience);
    if (exchange_) seeker->meet_by_code(*std::exchange(exchange_, std::nullopt));
    seeker_ = std::move(seeker);
    return;
  }
  if (place_.addresses.empty()) {
    failure_ = Error{.code = ErrorCode::kNotFound, .message = reasons_};
  } else {
    connect(now, place_.addresses);
  }
}

std::optional<std::string> PeerSearch::poll_code() {
  CodeExchange* const exchange = seeker_ == nullptr ? nullptr : seeker_->exchange();
  return exchange == nullptr ? std::nullopt : exchange->poll_code();
}

bool PeerSearch::on_event(Instant now, ConnectionId connection, const Event& event) {
  if (seeker_ != nullptr && seeker_->on_event(now, connection, event)) return true;
  for (const auto& ended : ended_) {
    if (ended->on_event(now, connection, event)) return true;
  }
  if (!connector_ || !connector_->on_event(now, connection, event)) return false;
  if (connector_->failure()) failure_ = connector_->failure();
  return true;
}

void PeerSearch::on_turn(Instant now) {
  if (seeker_ != nullptr) {
    seeker_->on_turn(now);
    if (seeker_->answer() || now >= give_up_at_) take_answer(now);
  }
  for (const auto& ended : ended_) ended->on_turn(now);
  std::erase_if(ended_, [](const auto& ended) { return ended->finished(); });
  if (!connector_) return;
  connector_->on_turn(now);
  if (connector_->failure()) failure_ = connector_->failure();
}

void PeerSearch::take_answer(Instant now) {
  seeker_->stop(now);
  const auto answer = seeker_->answer();
  place_.key = seeker_->wanted();
  ended_.push_back(std::move(seeker_));
  if (!answer || !*answer) {
    add_reason(answer ? answer->error().message : "the rendezvous does not answer");
    return ask_next(now);
  }
  connect(now, ways_to(**answer, place_.addresses));
}

void PeerSearch::connect(Instant now, std::vector<SocketAddress> addresses) {
  connector_.emplace(endpoint_, std::move(addresses), place_.key);
  if (const Status started = connector_->start(now); !started) failure_ = started.error();
}

void PeerSearch::add_reason(const std::string& reason) {
  if (!reasons_.empty()) reasons_ += "; ";
  reasons_ += reason;
}

std::optional<Instant> PeerSearch::next_timeout() const {
  std::optional<Instant> next;
  if (seeker_ != nullptr) {
    next = earliest(next, seeker_->next_timeout());
    next = earliest(next, give_up_at_);
  }
  for (const auto& ended : ended_) next = earliest(next, ended->next_timeout());
  if (connector_) next = earliest(next, connector_->next_timeout());
  return next;
}

bool PeerSearch::finished() const {
  return seeker_ == nullptr && ended_.empty() && (!connector_ || connector_->finished());
}

}  // namespace godwit
