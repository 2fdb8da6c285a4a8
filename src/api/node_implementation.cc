#include "api/node_implementation.h"

#include <algorithm>

namespace godwit::v1 {

void Node::Implementation::on_event(::godwit::Node&, ::godwit::ConnectionId connection, ::godwit::Event& event) {
  if (give_to_races(connection, event)) return;
  const Event happened = calls.take(connection, event);
  if (happened.kind == Event::Kind::kClosed) {
    std::erase_if(closing_, [&](const Closing& closing) { return closing.connection == connection; });
  }
  (*handler)(*owner, happened);
}

void Node::Implementation::on_turn(::godwit::Node&) {
  const Instant now = node->now();
  if (mapper_ != nullptr && mapper_->changes() != port_changes_) tend_port(now);
  tend_registration(now);
  tend_end(now);
  // By index: a callback may begin another race.
  for (std::size_t i = 0; i < races_.size(); ++i) {
    races_[i].search->on_turn(now);
    if (const auto code = races_[i].search->poll_code()) {
      if (const auto tell = std::exchange(races_[i].new_code, nullptr)) tell(*owner, *code);
    }
    report(races_[i]);
  }
  // A race that has been decided stays until its other attempts have ended, so that their events find it.
  std::erase_if(races_, [](const Race& race) { return !race.then && race.search->finished(); });
  std::vector<Closing> due;
  std::erase_if(closing_, [&](Closing& closing) {
    if (calls.unacknowledged(closing.connection) > 0 && now < closing.deadline) return false;
    due.push_back(std::move(closing));
    return true;
  });
  for (const Closing& closing : due) node->close(closing.connection, closing.text, closing.code);
  for (const Race& race : races_) {
    if (const auto next = race.search->next_timeout()) node->wake_at(*next);
  }
  for (const Closing& closing : closing_) node->wake_at(closing.deadline);
  // A turn waits at its end: not when the last peer has answered in it.
  if (shutting_down_ && node->endpoint().closing_count() == 0) node->wake_at(now);
}

void Node::Implementation::turn(const Node::Handler& with, Duration longest_wait) {
  handler = &with;
  if (foreign_loop_owner_ != nullptr) foreign_loop_owner_->begin_turn();
  node->turn(*this, longest_wait);
  if (foreign_loop_owner_ != nullptr) foreign_loop_owner_->end_turn(node->backend());
}

void Node::Implementation::shut_down(const Node::Handler& with, Duration longest, std::string_view text) {
  const Instant begin = node->now();
  node->endpoint().close_all(begin, text);
  shutting_down_ = true;
  // What is left of `longest` bounds each wait, so that a peer that never answers ends nothing late.
  Duration left = longest;
  do {
    turn(with, std::max(left, Duration::zero()));
    left = longest - (node->now() - begin);
  } while (node->endpoint().closing_count() > 0 && left > Duration::zero());
  shutting_down_ = false;
}

void Node::Implementation::end(Duration longest, std::string_view text) {
  const Instant now = node->now();
  node->endpoint().close_all(now, text);
  ends_by_ = now + std::clamp<Duration>(longest, Duration::zero(), std::chrono::years{1});
}

void Node::Implementation::tend_end(Instant now) {
  if (!ends_by_) return;
  const bool over = node->endpoint().connection_count() + node->endpoint().closing_count() == 0;
  if (!over && now < *ends_by_) return node->wake_at(*ends_by_);
  ends_by_.reset();
  node->stop();
}

int Node::Implementation::descriptor() {
  if (foreign_loop_owner_ == nullptr) {
    auto opened = ForeignLoop::open(node->backend());
    if (!opened) return -1;
    foreign_loop_owner_ = std::move(*opened);
    foreign_loop_.store(foreign_loop_owner_.get(), std::memory_order_release);
  }
  return foreign_loop_owner_->descriptor();
}

void Node::Implementation::wake_foreign_loop() noexcept {
  if (ForeignLoop* const loop = foreign_loop_.load(std::memory_order_acquire)) loop->wake();
}

bool Node::Implementation::give_to_races(ConnectionId connection, const ::godwit::Event& event) {
  if (registration_ != nullptr && registration_->on_event(node->now(), connection, event)) return true;
  for (std::size_t i = 0; i < races_.size(); ++i) {
    const bool theirs = races_[i].search->on_event(node->now(), connection, event);
    report(races_[i]);
    if (theirs) return true;
  }
  return false;
}

void Node::Implementation::report(Race& race) {
  if (!race.then) return;
  const std::optional<Error> failure =
      race.search->failure() ? std::optional<Error>(to_public(*race.search->failure()).error()) : std::nullopt;
  const ConnectionId winner = race.search->connection();
  if (!failure && winner == 0) return;
  const auto then = std::exchange(race.then, nullptr);
  if (failure) {
    then(*owner, std::unexpected(*failure));
  } else {
    then(*owner, winner);
  }
}

Result<void> Node::Implementation::connect(PeerPlace place, std::function<void(Node&, Result<ConnectionId>)> then) {
  auto search = std::make_unique<PeerSearch>(node->endpoint(), std::move(place), own_addresses());
  if (const Status started = search->start(node->now()); !started) return to_public(started.error());
  races_.push_back({.search = std::move(search), .then = std::move(then)});
  node->wake();
  return {};
}

void Node::Implementation::register_at(RendezvousPlace place, std::function<void(Node&, std::string_view)> notice) {
  registration_ = std::make_unique<RendezvousClient>(node->endpoint(), std::move(place), own_addresses());
  registration_notice_ = std::move(notice);
  new_code_ = nullptr;
  code_then_ = nullptr;
  node->wake();
}

void Node::Implementation::tend_registration(Instant now) {
  if (registration_ == nullptr) return;
  registration_->on_turn(now);
  while (const auto text = registration_->poll_notice()) {
    // Called through a copy: it may register elsewhere.
    if (const auto notice = registration_notice_) notice(*owner, *text);
  }
  if (registration_->exchange() != nullptr) tend_code();
  if (const auto next = registration_->next_timeout()) node->wake_at(*next);
}

Result<void> Node::Implementation::close_when_sent(ConnectionId connection, Duration longest, std::string_view text,
                                                   std::uint64_t code) {
  if (!calls.is_open(connection)) return std::unexpected(Error{ErrorCode::kNotFound, "the connection has ended"});
  const Duration bound = std::clamp<Duration>(longest, Duration::zero(), std::chrono::years{1});
  closing_.push_back(
      {.connection = connection, .deadline = node->now() + bound, .text = std::string(text), .code = code});
  node->wake();
  return {};
}

}  // namespace godwit::v1
