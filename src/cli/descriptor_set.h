// Descriptors that a command reads and writes beside its Node, and what both wait on together (Loop). Level-triggered:
// what is not read is reported again. Descriptors that never wait, as files, are ready at once.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "runtime/foreign_loop.h"
#include "runtime/node.h"

namespace godwit::cli {

class DescriptorSet {
 public:
  struct Ready {
    int descriptor = -1;
    std::uint64_t token = 0;
    bool readable = false;
    bool writable = false;
    bool broken = false;  // an error, or nobody at the other end
  };

  // `node` outlives it. Errors: kSystem (no descriptors left).
  [[nodiscard]] static Result<std::unique_ptr<DescriptorSet>> open(const Node& node);
  ~DescriptorSet();
  DescriptorSet(const DescriptorSet&) = delete;
  DescriptorSet& operator=(const DescriptorSet&) = delete;

  // What is waited for from now on; with neither, that the descriptor is broken. `token` comes back in Ready.
  void watch(int descriptor, std::uint64_t token, bool read, bool write);
  // No longer; before it is closed.
  void forget(int descriptor);

  // Around each turn of the node. wait() returns when something is ready, the node has something to do, or the time is
  // over.
  void begin_turn() { foreign_->begin_turn(); }
  void wait(const Node& node, std::optional<Duration> longest);
  // What the last wait() found, until the next one.
  [[nodiscard]] const std::vector<Ready>& ready() const { return ready_; }
  // Ends the wait; from signal handlers too.
  void wake() noexcept { foreign_->wake(); }

 private:
  struct Watched {
    std::uint64_t token = 0;
    std::uint32_t events = 0;
    bool always_ready = false;
  };

  DescriptorSet(int epoll, std::unique_ptr<ForeignLoop> foreign) : epoll_(epoll), foreign_(std::move(foreign)) {}
  void note(int descriptor, const Watched& watched, std::uint32_t events);

  int epoll_;
  std::unique_ptr<ForeignLoop> foreign_;
  std::map<int, Watched> watched_;
  std::set<int> always_ready_;  // of them, with something to do
  std::array<epoll_event, 64> events_{};
  std::vector<Ready> ready_;
};

}  // namespace godwit::cli
