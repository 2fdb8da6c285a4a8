#include "runtime/foreign_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace godwit {

Result<std::unique_ptr<ForeignLoop>> ForeignLoop::open(const Backend& backend) {
  auto waker = Waker::open();
  if (!waker) return std::unexpected(waker.error());
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) {
    return failure(ErrorCode::kSystem, std::string("cannot make an epoll descriptor: ") + std::strerror(errno));
  }
  std::unique_ptr<ForeignLoop> loop(new ForeignLoop(epoll, std::move(*waker)));
  std::uint32_t none = 0;
  loop->watch(loop->waker_.descriptor(), EPOLLIN, none);
  loop->end_turn(backend);
  return loop;
}

ForeignLoop::~ForeignLoop() {
  ::close(epoll_);
}

void ForeignLoop::end_turn(const Backend& backend) {
  const int input = backend.descriptor();
  const int socket = backend.socket().descriptor();
  if (input != input_) {
    std::uint32_t old = input_events_;
    if (input_ >= 0) watch(input_, 0, old);
    input_ = input;
    input_events_ = 0;
  }
  const std::uint32_t output = backend.send_blocked() ? EPOLLOUT : 0U;
  watch(input, EPOLLIN | (input == socket ? output : 0U), input_events_);
  if (input != socket) watch(socket, output, output_events_);
  const int further = backend.further_descriptor();
  if (further_ >= 0 && further != further_) watch(further_, 0, further_events_);
  further_ = further;
  if (further >= 0) watch(further, EPOLLIN, further_events_);
}

void ForeignLoop::watch(int descriptor, std::uint32_t events, std::uint32_t& watched) {
  if (events == watched) return;
  epoll_event wanted{};
  wanted.events = events;
  const int operation = watched == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  // What cannot be watched is found by next_timeout() later; EPOLL_CTL_DEL fails for what has been closed already.
  if (::epoll_ctl(epoll_, operation, descriptor, &wanted) == 0 || operation == EPOLL_CTL_DEL) watched = events;
}

}  // namespace godwit
