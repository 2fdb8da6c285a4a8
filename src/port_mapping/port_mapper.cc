#include "port_mapping/port_mapper.h"

#include <algorithm>
#include <utility>

#include "port_mapping/protocols.h"

namespace godwit {
namespace {

constexpr Duration kAgainAfterFailure = 300s;
constexpr Duration kShortestPause = 2s;  // between two renewals, whatever the router says

// The first way that works; else what each has met.
Result<PortMapping> map_port_of(const PortRequest& request, MappingWay way) {
  if (way == MappingWay::kNatPmp) return map_by_natpmp(request);
  if (way == MappingWay::kUpnp) return map_by_upnp(request);
  auto result = map_by_pcp(request);
  if (way == MappingWay::kPcp) return result;
  const auto otherwise = [&](bool available, auto map) {
    if (result || !available) return;
    auto next = map(request);
    if (!next) next.error().message = result.error().message + "; " + next.error().message;
    result = std::move(next);
  };
  otherwise(has_natpmp(), map_by_natpmp);
  otherwise(has_upnp(), map_by_upnp);
  return result;
}

void unmap(const PortRequest& request, const PortMapping& mapped) {
  if (mapped.protocol == "PCP") return unmap_by_pcp(request);
  mapped.protocol == "UPnP" ? unmap_by_upnp(mapped.address.port()) : unmap_by_natpmp(request);
}

}  // namespace

std::string port_mapping_protocols() {
  std::string names = "PCP";
  if (has_natpmp()) names += has_upnp() ? ", NAT-PMP" : " and NAT-PMP";
  if (has_upnp()) names += " and UPnP";
  return names;
}

std::optional<MappingWay> parse_mapping_way(std::string_view text) {
  if (text == "auto") return MappingWay::kAny;
  if (text == "pcp") return MappingWay::kPcp;
  if (text == "nat-pmp") return MappingWay::kNatPmp;
  if (text == "upnp") return MappingWay::kUpnp;
  return std::nullopt;
}

std::optional<std::string> why_not_mapped(const SocketAddress& local) {
  if (!local.is_loopback() && (!local.is_ipv6() || local.is_wildcard())) return std::nullopt;
  return "routers map ports of IPv4, and this socket is bound to " + local.to_string();
}

PortMapper::PortMapper(std::uint16_t port, RandomSource& random, std::function<void()> changed, MappingWay way)
    : port_(port), way_(way), changed_(std::move(changed)) {
  random.fill(nonce_);
  thread_ = std::thread([this] { run(); });
}

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
  PortRequest request{.port = port_, .wanted = port_, .nonce = nonce_};
  do {
    request.wanted = mapped ? mapped->address.port() : port_;
    auto result = map_port_of(request, way_);
    mapped = result ? std::optional(*result) : std::nullopt;
    set(std::move(result));
    // Half of the lifetime, as RFC 6886 section 3.3 has it.
  } while (!sleep(mapped ? std::max<Duration>(mapped->lifetime / 2, kShortestPause) : kAgainAfterFailure));
  if (!mapped) return;
  unmap(request, *mapped);
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

}  // namespace godwit
