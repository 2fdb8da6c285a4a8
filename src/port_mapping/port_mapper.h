// Asks the router for a public port of a UDP socket (docs/connectivity.md): with PCP (RFC 6887), else with NAT-PMP
// (RFC 6886) through libnatpmp, else with UPnP through miniupnpc; renews it, and gives it back at the end. All wait for
// routers that may not answer, so a thread of its own does all of it and nobody else waits.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/address.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"

namespace godwit {

// "PCP, NAT-PMP and UPnP", or what is left of them in this build.
[[nodiscard]] std::string port_mapping_protocols();

// How a router is asked: each way in turn, or one alone.
enum class MappingWay : std::uint8_t { kAny, kPcp, kNatPmp, kUpnp };
// "auto", "pcp", "nat-pmp", "upnp".
[[nodiscard]] std::optional<MappingWay> parse_mapping_way(std::string_view text);

// Why no router maps a port of a socket that is bound to `local`, for a person; nothing where one may.
[[nodiscard]] std::optional<std::string> why_not_mapped(const SocketAddress& local);

struct PortMapping {
  SocketAddress address;  // others reach the socket at
  std::string protocol;   // "PCP", "NAT-PMP", "UPnP"
  Duration lifetime{};
};

class PortMapper {
 public:
  // Begins. `port` of a socket of this machine that others reach by IPv4; `random` is used at once and not kept.
  // `changed` is called, from the thread, when something is known that was not.
  PortMapper(std::uint16_t port, RandomSource& random, std::function<void()> changed,
             MappingWay way = MappingWay::kAny);
  // Gives the port back: takes as long as the router does to answer, four seconds at most.
  ~PortMapper();
  PortMapper(const PortMapper&) = delete;
  PortMapper& operator=(const PortMapper&) = delete;

  // Until the first answer is there, or `longest` is over.
  void wait(Duration longest);
  // Changes whenever state() does.
  [[nodiscard]] std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }
  // What is mapped at present, or in one line why nothing is; nothing while the first answer is waited for.
  [[nodiscard]] std::optional<Result<PortMapping>> state() const;

 private:
  void run();
  // True when the object is about to be destroyed.
  [[nodiscard]] bool sleep(Duration longest);
  void set(Result<PortMapping> state);

  const std::uint16_t port_;
  const MappingWay way_;
  std::array<std::uint8_t, 12> nonce_{};  // of PCP
  const std::function<void()> changed_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<Result<PortMapping>> state_;
  std::atomic<std::uint64_t> changes_ = 0;
  bool ending_ = false;
  std::thread thread_;  // last: it uses everything above
};

}  // namespace godwit
