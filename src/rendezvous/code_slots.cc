#include "rendezvous/code_slots.h"

#include <algorithm>

#include "code/one_time_code.h"

namespace godwit {

RendezvousCodeOpened CodeSlots::open(Instant now, ConnectionId connection, const SocketAddress& prefix) {
  end_old(now);
  const auto of_prefix = std::ranges::count_if(slots_, [&](const auto& slot) { return slot.second.prefix == prefix; });
  const std::size_t most = std::min<std::size_t>(limits_.codes, OneTimeCode::kMaxNameplate);
  if (slots_.size() >= most || static_cast<std::size_t>(of_prefix) >= limits_.codes_per_prefix ||
      parties_.contains(connection)) {
    ++statistics_.refused;
    return {.code = RendezvousCode::kFull};
  }
  // Numbers come round again as late as possible: who types an old code is told so, and spends nobody else's try.
  do {
    last_nameplate_ = last_nameplate_ % OneTimeCode::kMaxNameplate + 1;
  } while (slots_.contains(last_nameplate_));
  slots_[last_nameplate_] = {.maker = connection, .prefix = prefix, .until = now + limits_.lifetime};
  parties_[connection] = last_nameplate_;
  ++statistics_.opened;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limits_.lifetime).count();
  return {.code = RendezvousCode::kDone,
          .nameplate = last_nameplate_,
          .lifetime_seconds = static_cast<std::uint16_t>(std::min<std::int64_t>(seconds, UINT16_MAX))};
}

void CodeSlots::on_step(Instant now, ConnectionId connection, const RendezvousCodeStep& step) {
  end_old(now);
  if (step.step == 1) return join(now, connection, step);
  const auto found = slot_of(connection);
  if (found == slots_.end() || found->first != step.nameplate || step.step != found->second.next_step) {
    ++statistics_.ignored;
    return;
  }
  Slot& slot = found->second;
  // The sides take turns: even steps are the maker's.
  if ((step.step % 2 == 0) != (connection == slot.maker) || step.step > 3) {
    ++statistics_.ignored;
    return;
  }
  ++slot.next_step;
  send_(now, connection == slot.maker ? slot.other : slot.maker, step);
}

// The first that names a number has its one try; from here on nobody else has.
void CodeSlots::join(Instant now, ConnectionId connection, const RendezvousCodeStep& step) {
  const auto found = slots_.find(step.nameplate);
  if (found == slots_.end() || found->second.other != 0 || parties_.contains(connection)) {
    ++statistics_.unknown;
    return send_(now, connection,
                 RendezvousCodeEnded{.nameplate = step.nameplate, .code = RendezvousCode::kUnknownCode});
  }
  found->second.other = connection;
  found->second.next_step = 2;
  parties_[connection] = step.nameplate;
  ++statistics_.joined;
  send_(now, found->second.maker, step);
}

void CodeSlots::on_ended(Instant now, ConnectionId connection, const RendezvousCodeEnded& ended) {
  const auto found = slot_of(connection);
  if (found == slots_.end() || found->first != ended.nameplate) {
    ++statistics_.ignored;
    return;
  }
  const ConnectionId other = connection == found->second.maker ? found->second.other : found->second.maker;
  if (ended.code == RendezvousCode::kDone) ++statistics_.matched;
  if (ended.code == RendezvousCode::kWrongCode) ++statistics_.wrong;
  erase(found);
  if (other != 0) send_(now, other, ended);
}

void CodeSlots::on_closed(Instant now, ConnectionId connection) {
  const auto found = slot_of(connection);
  if (found == slots_.end()) return;
  on_ended(now, connection, {.nameplate = found->first, .code = RendezvousCode::kLeft});
}

void CodeSlots::end_old(Instant now) {
  for (auto slot = slots_.begin(); slot != slots_.end();) {
    const auto each = slot++;
    if (now < each->second.until) continue;
    ++statistics_.expired;
    const RendezvousCodeEnded ended{.nameplate = each->first, .code = RendezvousCode::kCodeExpired};
    const auto [maker, other] = std::pair(each->second.maker, each->second.other);
    erase(each);
    send_(now, maker, ended);
    if (other != 0) send_(now, other, ended);
  }
}

void CodeSlots::erase(Slots::iterator slot) {
  parties_.erase(slot->second.maker);
  if (slot->second.other != 0) parties_.erase(slot->second.other);
  slots_.erase(slot);
}

CodeSlots::Slots::iterator CodeSlots::slot_of(ConnectionId connection) {
  const auto party = parties_.find(connection);
  return party == parties_.end() ? slots_.end() : slots_.find(party->second);
}

}  // namespace godwit
