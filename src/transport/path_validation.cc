#include "transport/path_validation.h"

namespace godwit {

bool PathValidation::on_packet(Instant now, const PathAddress& path, std::size_t bytes, RandomSource& random) {
  if (candidate_ && candidate_->path == path) {
    candidate_->received += bytes;
    return true;
  }
  if (candidate_ && now - candidate_->begun < kLeastInterval) return false;
  candidate_ = Candidate{.path = path, .data = random.next_u64(), .received = bytes, .begun = now, .next = now};
  return true;
}

std::optional<PathValidation::Challenge> PathValidation::poll(Instant now, std::size_t bytes) {
  if (!candidate_ || now < candidate_->next || candidate_->challenges == kMostChallenges) return std::nullopt;
  candidate_->next = now + kFirstRepeat * (1 << candidate_->challenges++);
  if (candidate_->sent + bytes > kAmplification * candidate_->received) return std::nullopt;
  candidate_->sent += bytes;
  return Challenge{.path = candidate_->path, .data = candidate_->data};
}

bool PathValidation::on_response(std::uint64_t data, const PathAddress& path) {
  if (!candidate_ || candidate_->challenges == 0 || candidate_->data != data || candidate_->path != path) return false;
  candidate_.reset();
  return true;
}

void PathValidation::handle_timeout(Instant now) {
  if (candidate_ && candidate_->challenges == kMostChallenges && now >= candidate_->next) candidate_.reset();
}

std::optional<Instant> PathValidation::next_timeout() const {
  return candidate_ ? std::optional(candidate_->next) : std::nullopt;
}

}  // namespace godwit
