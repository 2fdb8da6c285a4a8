#include "cli/port_mapper.h"

#include <algorithm>
#include <utility>

#include "cli/port_mapping_protocols.h"

namespace godwit::cli {
namespace {

constexpr Duration kAgainAfterFailure = 300s;
constexpr Duration kShortestPause = 2s;  // between two renewals, whatever the router says

Result<PortMapping> map_port_of(std::uint16_t port, std::uint16_t wanted) {
  auto first = map_by_natpmp(port, wanted);
  if (first || !has_upnp()) return first;
  auto second = map_by_upnp(port, wanted);
  if (second || !has_natpmp()) return second;
  return failure(second.error().code, first.error().message + "; " + second.error().message);
}

}  // namespace

std::string port_mapping_protocols() {
  std::string names = has_natpmp() ? "NAT-PMP" : "";
  if (has_upnp()) names += names.empty() ? "UPnP" : " and UPnP";
  return names;
}

PortMapper::PortMapper(std::uint16_t port, std::function<void()> changed)
    : port_(port), changed_(std::move(changed)), thread_([this] { run(); }) {}

PortMapper::~PortMapper() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void PortMapper::run() {
  std::optional<PortMapping> mapped;
  do {
    auto result = map_port_of(port_, mapped ? mapped->address.port() : port_);
    mapped = result ? std::optional(*result) : std::nullopt;
    set(std::move(result));
    // Half of the lifetime, as RFC 6886 section 3.3 has it.
  } while (!sleep(mapped ? std::max<Duration>(mapped->lifetime / 2, kShortestPause) : kAgainAfterFailure));
  if (!mapped) return;
  mapped->protocol == "UPnP" ? unmap_by_upnp(mapped->address.port()) : unmap_by_natpmp(port_);
}

bool PortMapper::sleep(Duration longest) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, longest, [this] { return ending_; });
}

void PortMapper::set(Result<PortMapping> state) {
  {
    const std::lock_guard lock(mutex_);
    state_ = std::move(state);
    changes_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  changed_();
}

void PortMapper::wait(Duration longest) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, longest, [this] { return state_.has_value(); });
}

std::optional<Result<PortMapping>> PortMapper::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

}  // namespace godwit::cli
