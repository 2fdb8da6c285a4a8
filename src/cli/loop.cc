#include "cli/loop.h"

#include "cli/console.h"
#include "runtime/clock.h"

namespace godwit::cli {
namespace {

constexpr Duration kLastWordsTime = 500ms;
constexpr Duration kClosePacketTime = 1s;
constexpr Duration kTurn = 10ms;
// A slow reader of the output is looked at this often.
constexpr Duration kOutputRetry = 50ms;

}  // namespace

bool Loop::run() {
  while (!command_.done()) {
    if (interrupt_.requested()) return false;
    turn();
  }
  return true;
}

void Loop::turn(std::optional<Duration> longest_wait) {
  if (descriptors_ == nullptr) return node_.turn(handler_, longest_wait);
  descriptors_->begin_turn();
  node_.turn(handler_, Duration::zero());
  descriptors_->wait(node_, longest_wait);
}

void Loop::finish(Duration patience) {
  finishing_ = true;
  const Instant deadline = boot_time_now() + patience;
  while (!command_.done() && boot_time_now() < deadline) turn(kTurn);
}

void Loop::close_all(std::string_view text) {
  // What was said last, as why a file will not come, is to arrive before the connection ends.
  Instant deadline = boot_time_now() + kLastWordsTime;
  turn(Duration::zero());
  while (bytes_in_flight() > 0 && boot_time_now() < deadline) turn(kTurn);
  node_.endpoint().close_all(boot_time_now(), text);
  deadline = boot_time_now() + kClosePacketTime;
  // However late it is, the close packet leaves, again and again until it is answered: without it the peer would wait
  // for its idle time-out.
  do {
    turn(kTurn);
  } while (node_.endpoint().connection_count() + node_.endpoint().closing_count() > 0 && boot_time_now() < deadline);
  prompt_.reset();
}

std::uint64_t Loop::bytes_in_flight() const {
  std::uint64_t sum = 0;
  for (const ConnectionId connection : node_.endpoint().connections()) {
    if (const auto statistics = node_.endpoint().statistics(connection)) sum += statistics->bytes_in_flight;
  }
  return sum;
}

void CommandHandler::on_event(Node& node, ConnectionId connection, Event& event) {
  const bool once_a_packet = std::holds_alternative<StreamChunk>(event) || std::holds_alternative<StreamChunks>(event);
  command_.on_event(once_a_packet ? node.last_reading() : node.now(), connection, event);
  // The command sees to it in its on_turn(), which this turn has had already.
  if (node.statistics().turns == last_turn_) node.wake_at(node.last_reading());
}

void CommandHandler::on_turn(Node& node) {
  last_turn_ = node.statistics().turns;
  command_.on_turn(node.now());
  if (flush_ready_output()) node.wake_at(node.last_reading() + kOutputRetry);
  if (over_()) return node.wake_at(node.last_reading());
  if (const auto deadline = command_.next_timeout()) node.wake_at(*deadline);
}

}  // namespace godwit::cli
