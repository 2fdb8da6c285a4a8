// What an event loop of others waits on in place of Node::run(): one descriptor that becomes readable when a turn of
// the node has something to do without its time having come. It covers input, a socket that takes more after it did
// not, and wake() of other threads. For the loops of applications (api/), and for commands that read and write other
// descriptors besides.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/result.h"
#include "udp/backend.h"
#include "udp/waker.h"

namespace godwit {

class ForeignLoop {
 public:
  // Errors: kSystem (no descriptors left).
  [[nodiscard]] static Result<std::unique_ptr<ForeignLoop>> open(const Backend& backend);
  ForeignLoop(const ForeignLoop&) = delete;
  ForeignLoop& operator=(const ForeignLoop&) = delete;
  ~ForeignLoop();

  // An epoll instance: readable when anything it watches is.
  [[nodiscard]] int descriptor() const { return epoll_; }
  // From any thread and from signal handlers.
  void wake() noexcept { waker_.wake(); }
  // Before each turn: the reason to wake has been seen.
  void begin_turn() { static_cast<void>(waker_.drain()); }
  // After each turn: watches what `backend` waits for now.
  void end_turn(const Backend& backend);

 private:
  ForeignLoop(int epoll, Waker waker) : epoll_(epoll), waker_(std::move(waker)) {}
  void watch(int descriptor, std::uint32_t events, std::uint32_t& watched);

  int epoll_;
  Waker waker_;
  int input_ = -1;  // the back end's descriptor as it was last watched
  std::uint32_t input_events_ = 0;
  std::uint32_t output_events_ = 0;  // of the socket, where that is another descriptor
  int further_ = -1;                 // of further sockets, as it was last watched
  std::uint32_t further_events_ = 0;
};

}  // namespace godwit
