#include "cli/descriptor_set.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "runtime/clock.h"

namespace godwit::cli {

Result<std::unique_ptr<DescriptorSet>> DescriptorSet::open(const Node& node) {
  auto foreign = ForeignLoop::open(node.backend());
  if (!foreign) return std::unexpected(foreign.error());
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) {
    return failure(ErrorCode::kSystem, std::string("cannot make an epoll descriptor: ") + std::strerror(errno));
  }
  std::unique_ptr<DescriptorSet> set(new DescriptorSet(epoll, std::move(*foreign)));
  set->watch(set->foreign_->descriptor(), 0, true, false);
  return set;
}

DescriptorSet::~DescriptorSet() {
  ::close(epoll_);
}

void DescriptorSet::watch(int descriptor, std::uint64_t token, bool read, bool write) {
  const std::uint32_t events = (read ? std::uint32_t{EPOLLIN} : 0U) | (write ? std::uint32_t{EPOLLOUT} : 0U);
  const auto [entry, added] = watched_.try_emplace(descriptor);
  Watched& watched = entry->second;
  watched.token = token;
  if (!added && watched.events == events) return;
  watched.events = events;
  if (!watched.always_ready) {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.fd = descriptor;
    // EPERM: a file, or a device that never waits.
    const int done = ::epoll_ctl(epoll_, added ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &wanted);
    watched.always_ready = done != 0 && errno == EPERM;
  }
  if (!watched.always_ready) return;
  if (events != 0) {
    always_ready_.insert(descriptor);
  } else {
    always_ready_.erase(descriptor);
  }
}

void DescriptorSet::forget(int descriptor) {
  if (watched_.erase(descriptor) == 0) return;
  always_ready_.erase(descriptor);
  static_cast<void>(::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr));
}

void DescriptorSet::wait(const Node& node, std::optional<Duration> longest) {
  foreign_->end_turn(node.backend());
  ready_.clear();
  std::optional<Duration> limit = longest;
  if (const auto deadline = node.next_timeout()) {
    const Duration until = std::max(*deadline - boot_time_now(), Duration::zero());
    limit = limit ? std::min(*limit, until) : until;
  }
  if (!always_ready_.empty()) limit = Duration::zero();
  if (!limit || *limit > Duration::zero()) {
    // Not epoll_wait(2), which counts milliseconds.
    pollfd waiting{.fd = epoll_, .events = POLLIN, .revents = 0};
    const timespec time = to_timespec(limit.value_or(Duration::zero()));
    static_cast<void>(::ppoll(&waiting, 1, limit ? &time : nullptr, nullptr));
  }
  const int found = ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), 0);
  for (int i = 0; i < found; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    const auto watched = watched_.find(event.data.fd);
    if (watched != watched_.end() && event.data.fd != foreign_->descriptor()) {
      note(event.data.fd, watched->second, event.events);
    }
  }
  for (const int descriptor : always_ready_) note(descriptor, watched_[descriptor], watched_[descriptor].events);
}

void DescriptorSet::note(int descriptor, const Watched& watched, std::uint32_t events) {
  ready_.push_back({.descriptor = descriptor,
                    .token = watched.token,
                    .readable = (events & EPOLLIN) != 0,
                    .writable = (events & EPOLLOUT) != 0,
                    .broken = (events & (EPOLLERR | EPOLLHUP)) != 0});
}

}  // namespace godwit::cli
