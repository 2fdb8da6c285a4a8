// A Node in an io_context of Asio, beside a timer of the application's: the feed of feed.h, with back-pressure.
// (With Boost's Asio the name of the headers and of the namespace begins with boost, and nothing else changes.)
//
//   asio_loop                        prints its address and public key, and reads one feed slowly
//   asio_loop ADDR:PORT KEY [BYTES]  connects and feeds, 16,000,000 bytes or as many as told
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include "feed.h"

namespace gw = godwit::v1;
using namespace std::chrono_literals;

namespace {

// Runs a Node on the thread of an io_context: a turn when its descriptor is readable, when its time has come, and after
// the application has called it.
class AsioNode {
 public:
  AsioNode(asio::io_context& context, gw::Node& node, feed::Side& side)
      : node_(node), side_(side), input_(context, node.descriptor()), timeout_(context), ticker_(context) {
    await_input();
    turn();
  }
  ~AsioNode() { input_.release(); }  // the descriptor is the Node's
  AsioNode(const AsioNode&) = delete;
  AsioNode& operator=(const AsioNode&) = delete;

 private:
  void await_input() {
    input_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
      if (error) return;
      turn();
      if (!side_.ended()) await_input();
    });
  }

  void turn() {
    node_.turn([this](gw::Node& node, const gw::Event& event) { side_.on_event(node, event); }, 0ns);
    if (side_.ended()) {
      input_.cancel();
      timeout_.cancel();
      ticker_.cancel();
      return;
    }
    if (const auto left = node_.next_timeout()) {
      timeout_.expires_after(*left);  // ends the wait before it
      timeout_.async_wait([this](const asio::error_code& error) {
        if (!error) turn();
      });
    }
    if (side_.wants_ticks() && !ticking_) {
      ticking_ = true;
      ticker_.expires_after(feed::kTick);
      ticker_.async_wait([this](const asio::error_code& error) {
        ticking_ = false;
        if (error) return;
        side_.on_tick(node_);
        turn();  // sends what the tick has queued
      });
    }
  }

  gw::Node& node_;
  feed::Side& side_;
  asio::posix::stream_descriptor input_;
  asio::steady_timer timeout_;
  asio::steady_timer ticker_;
  bool ticking_ = false;
};

}  // namespace

int main(int count, char** words) {
  if (count == 2 || count > 4) return feed::fail("usage: asio_loop [ADDR:PORT KEY [BYTES]]");
  const auto node = feed::open_node(count, words);
  if (!node) return feed::fail(node.error().message);
  const std::unique_ptr<feed::Side> side = feed::make_side(count, words);
  {
    asio::io_context context;
    const AsioNode driven(context, **node, *side);
    context.run();
  }
  (*node)->shut_down([](gw::Node&, const gw::Event&) {}, 1s);
  return side->report();
}
