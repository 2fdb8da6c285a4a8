// A Node in a loop of epoll, beside a timer of the application's: the feed of feed.h, with back-pressure.
//
//   epoll_loop                        prints its address and public key, and reads one feed slowly
//   epoll_loop ADDR:PORT KEY [BYTES]  connects and feeds, 16,000,000 bytes or as many as told
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "feed.h"

namespace gw = godwit::v1;
using namespace std::chrono_literals;

namespace {

// A timer that is a descriptor, so that epoll waits for it with everything else.
class Ticker {
 public:
  Ticker() : descriptor_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {}
  ~Ticker() { close(descriptor_); }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;
  [[nodiscard]] int descriptor() const { return descriptor_; }

  void run(bool on) {
    if (on == running_) return;
    running_ = on;
    const timespec tick{.tv_sec = 0, .tv_nsec = on ? std::chrono::nanoseconds(feed::kTick).count() : 0};
    const itimerspec period{.it_interval = tick, .it_value = tick};
    timerfd_settime(descriptor_, 0, &period, nullptr);
  }

  bool take_tick() const {
    std::uint64_t expirations = 0;
    return read(descriptor_, &expirations, sizeof expirations) == sizeof expirations;
  }

 private:
  int descriptor_;
  bool running_ = false;
};

// Milliseconds for epoll_wait(): rounded up, so that the loop does not wake just before the time.
int wait_for(const gw::Node& node) {
  const auto left = node.next_timeout();
  if (!left) return -1;
  return static_cast<int>(std::min<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(*left).count(), 60'000));
}

void watch(int poller, int descriptor) {
  epoll_event interest{.events = EPOLLIN, .data = {.fd = descriptor}};
  epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &interest);
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 || count > 4) return feed::fail("usage: epoll_loop [ADDR:PORT KEY [BYTES]]");
  const auto opened = feed::open_node(count, words);
  if (!opened) return feed::fail(opened.error().message);
  gw::Node& node = **opened;
  const std::unique_ptr<feed::Side> side = feed::make_side(count, words);
  const gw::Node::Handler on_event = [&side](gw::Node& self, const gw::Event& event) { side->on_event(self, event); };

  Ticker ticker;
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  watch(poller, node.descriptor());
  watch(poller, ticker.descriptor());
  while (true) {
    // What has come in, what is due, and what the last tick has queued.
    node.turn(on_event, 0ns);
    if (side->ended()) break;
    ticker.run(side->wants_ticks());
    std::array<epoll_event, 2> ready;
    epoll_wait(poller, ready.data(), static_cast<int>(ready.size()), wait_for(node));
    if (ticker.take_tick()) side->on_tick(node);
  }
  close(poller);
  node.shut_down(on_event, 1s);
  return side->report();
}
