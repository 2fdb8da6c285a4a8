#include "transport/closing_sessions.h"

#include <algorithm>
#include <utility>

#include "wire/limits.h"
#include "wire/message_codec.h"

namespace godwit {
namespace {

// A peer that goes on sending is told again no more often.
constexpr Duration kEarlyRepeatAfter = 50ms;

}  // namespace

void ClosingSessions::add(Instant now, const SocketAddress& local, const SocketAddress& remote,
                          std::vector<std::uint8_t> datagram, std::unique_ptr<Session> session) {
  forget(remote);
  if (sessions_.size() >= kMaxSessions) return;
  sessions_.push_back({.local = local,
                       .remote = remote,
                       .datagram = std::move(datagram),
                       .session = std::move(session),
                       .closed_at = now,
                       .last_sent = now});
}

bool ClosingSessions::receive(Instant now, const SocketAddress& remote, MutableBytes datagram) {
  const auto found = std::ranges::find(sessions_, remote, &Closing::remote);
  if (found == sessions_.end()) return false;
  std::array<std::uint8_t, wire::kMaxLargeDatagram> scratch;
  const auto opened = found->session->open_keeping(datagram, scratch);
  if (!opened) return false;
  const auto packet = wire::decode(opened->plaintext);
  if (packet && std::holds_alternative<wire::AckError>(packet->message)) {
    sessions_.erase(found);
  } else if (now - found->last_sent >= kEarlyRepeatAfter) {
    // Due now in place of the next time.
    found->closed_at = std::min(found->closed_at, now - kRepeatAfter[found->repeats]);
  }
  return true;
}

void ClosingSessions::forget(const SocketAddress& remote) {
  std::erase_if(sessions_, [&remote](const Closing& closing) { return closing.remote == remote; });
}

std::optional<DatagramBatch> ClosingSessions::poll_transmit(Instant now, TransmitBuffer& buffer) {
  const auto due = std::ranges::find_if(sessions_, [now](const Closing& closing) { return closing.next() <= now; });
  if (due == sessions_.end() || buffer.space().size() < due->datagram.size()) return std::nullopt;
  std::ranges::copy(due->datagram, buffer.space().begin());
  const DatagramBatch batch{.local = due->local,
                            .remote = due->remote,
                            .bytes = buffer.commit(due->datagram.size()),
                            .segment_size = due->datagram.size()};
  due->last_sent = now;
  if (++due->repeats == kRepeatAfter.size()) sessions_.erase(due);
  return batch;
}

std::optional<Instant> ClosingSessions::next_timeout() const {
  std::optional<Instant> next;
  for (const Closing& closing : sessions_) next = earliest(next, closing.next());
  return next;
}

}  // namespace godwit
