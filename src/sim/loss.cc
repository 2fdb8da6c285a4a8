#include "sim/loss.h"

namespace godwit::sim {

double LossSpec::expected() const {
  double lost = rate;
  if (to_bad > 0) lost += (1 - rate) * bad_rate * to_bad / (to_bad + to_good);
  if (every > 0) lost += (1 - lost) / static_cast<double>(every);
  return lost < 1 ? lost : 1;
}

bool LossModel::loses_next() {
  const std::uint64_t number = number_++;
  bool lost = false;
  if (next_script_ < spec_->packets.size() && spec_->packets[next_script_] == number) {
    ++next_script_;
    lost = true;
  }
  if (spec_->every > 0 && number % spec_->every == spec_->every - 1) lost = true;
  if (spec_->to_bad > 0) {
    if (random_->unit() < (bad_ ? spec_->to_good : spec_->to_bad)) bad_ = !bad_;
    if (bad_ && random_->unit() < spec_->bad_rate) lost = true;
  }
  if (spec_->rate > 0 && random_->unit() < spec_->rate) lost = true;
  return lost;
}

}  // namespace godwit::sim
