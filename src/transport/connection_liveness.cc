// Whether the peer of a connection is still there, and what it is asked and not sent meanwhile (connection.h).

#include <algorithm>
#include <string>
#include <utility>

#include "transport/connection.h"

namespace godwit {
namespace {

// Without any sign of life while packets are outstanding, the peer is asked for one after this long.
constexpr Duration kOverdue = 1s;

}  // namespace

Duration Connection::patience() const {
  constexpr int kRoundTrips = 2;
  constexpr Duration kLeast = 100ms;
  return std::max(established()->recovery.rtt().smoothed() * kRoundTrips, kLeast);
}

void Connection::hold_data(Instant now) {
  Established* session = established();
  if (session == nullptr) return;
  session->hold = std::make_unique<Hold>(Hold{.until = now + context_.config.handshake.confirmation_wait,
                                              .since = now,
                                              .ping_at = now + patience(),
                                              .pings_before = session->keepalive.pings_sent()});
  session->ping_due = true;
}

// Who answers a ping of now is in this session. Data that came before the intro and was overtaken by it says nothing,
// and a copy of it neither.
void Connection::release_if_alive(Instant now, Established& session) {
  if (session.hold == nullptr) [[likely]]
    return;
  constexpr int kReordering = 4;  // packets overtake each other by less than such a part of a round trip
  const Duration overtaken = std::max<Duration>(session.recovery.rtt().smoothed() / kReordering, 5ms);
  const bool answered = session.keepalive.answered_after(session.hold->pings_before);
  if (answered || (session.newer_packet && now - session.hold->since >= overtaken)) session.hold.reset();
}

Duration Connection::unanswered_for(Instant now) const {
  const Established* session = established();
  return session == nullptr ? Duration::zero() : session->keepalive.unanswered_for(now);
}

void Connection::on_path_problem(Instant now, PathProblem problem) {
  path_problem_ = problem;
  path_problem_at_ = now;
  // Others than these say nothing about whether the peer is there.
  if (problem == PathProblem::kDatagramTooLong || problem == PathProblem::kForbidden) return;
  expect_answer(now, Duration::zero());
}

void Connection::expect_answer(Instant now, Duration patience) {
  if (Established* session = established()) session->keepalive.expect_answer(now, patience);
}

bool Connection::is_suspect() const {
  const Established* session = established();
  return unanswered_ || (session != nullptr && session->keepalive.suspect());
}

PathProblem Connection::path_problem() const {
  const Established* session = established();
  if (session != nullptr && path_problem_at_ < session->keepalive.last_authentic()) return PathProblem::kNone;
  return path_problem_;
}

std::string Connection::with_path_problem(std::string text) const {
  const PathProblem problem = path_problem();
  if (problem != PathProblem::kNone) text.append(": ").append(path_problem_name(problem));
  return text;
}

// Packets that nobody acknowledges, and no other sign of life: the peer may have gone, or the path has changed. It is
// asked, long before the idle time-out.
void Connection::watch_for_silence(Instant now, Established& session) {
  if (!session.recovery.outstanding()) return;
  constexpr int kProbeTimeouts = 3;
  const Duration patience = session.recovery.rtt().probe_timeout() * kProbeTimeouts;
  if (session.keepalive.silent_for(now) < std::max(kOverdue, patience)) return;
  session.keepalive.expect_answer(now, patience);
}

}  // namespace godwit
