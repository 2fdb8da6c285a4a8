#include "transfer/peer_watch.h"

namespace godwit {

std::optional<std::string> PeerWatch::check(Instant now, Endpoint& endpoint, ConnectionId connection) {
  if (now < next_check_) return std::nullopt;
  next_check_ = now + kInterval;
  const auto statistics = endpoint.statistics(connection);
  if (!statistics) return std::nullopt;
  if (connection != connection_ || statistics->packets_received != packets_received_) {
    connection_ = connection;
    packets_received_ = statistics->packets_received;
    heard_at_ = now;
    return std::nullopt;
  }
  const Duration silence = now - heard_at_;
  if (silence >= kAskAfter) endpoint.expect_answer(now, connection, Duration::zero());
  const Endpoint::Liveness alive = endpoint.liveness(connection);
  if (!alive.suspect) return std::nullopt;
  if (alive.problem != PathProblem::kPortUnreachable && silence < kGoneAfter) return std::nullopt;
  return silence_reason(endpoint, connection, "the peer does not answer");
}

std::string silence_reason(const Endpoint& endpoint, ConnectionId connection, std::string_view otherwise) {
  const Endpoint::Liveness alive = endpoint.liveness(connection);
  std::string why(alive.suspect ? "the peer does not answer" : otherwise);
  if (alive.problem == PathProblem::kPortUnreachable) why = "the peer has gone";
  if (alive.problem != PathProblem::kNone) why.append(": ").append(path_problem_name(alive.problem));
  return why;
}

}  // namespace godwit
