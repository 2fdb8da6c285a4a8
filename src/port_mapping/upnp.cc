#include "port_mapping/protocols.h"

#if GODWIT_WITH_UPNP
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>

#include <array>
#include <memory>
#include <string>
#endif

namespace godwit {

#if GODWIT_WITH_UPNP
namespace {

constexpr int kPatienceMilliseconds = 1500;

// The router, and this machine's address as it is seen there.
class Gateway {
 public:
  Gateway() {
    int error = 0;
    const std::unique_ptr<UPNPDev, void (*)(UPNPDev*)> devices(
        ::upnpDiscover(kPatienceMilliseconds, nullptr, nullptr, 0, 0, 2, &error), ::freeUPNPDevlist);
    if (devices == nullptr) return;
#if MINIUPNPC_API_VERSION >= 18
    std::array<char, 64> public_address{};
    found_ = ::UPNP_GetValidIGD(devices.get(), &urls_, &data_, own_.data(), static_cast<int>(own_.size()),
                                public_address.data(), static_cast<int>(public_address.size()));
#else
    found_ = ::UPNP_GetValidIGD(devices.get(), &urls_, &data_, own_.data(), static_cast<int>(own_.size()));
#endif
  }
  ~Gateway() {
    if (found_ != 0) ::FreeUPNPUrls(&urls_);
  }
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // A router that is connected.
  [[nodiscard]] bool usable() const { return found_ == 1; }
  [[nodiscard]] const char* url() const { return urls_.controlURL; }
  [[nodiscard]] const char* service() const { return data_.first.servicetype; }
  [[nodiscard]] const char* own() const { return own_.data(); }

 private:
  UPNPUrls urls_{};
  IGDdatas data_{};
  std::array<char, 64> own_{};
  int found_ = 0;
};

}  // namespace

bool has_upnp() {
  return true;
}

Result<PortMapping> map_by_upnp(const PortRequest& request) {
  const Gateway gateway;
  if (!gateway.usable()) return failure(ErrorCode::kNotFound, "no router answers UPnP");
  std::array<char, 64> address{};
  const std::string inner = std::to_string(request.port);
  const std::string outer = std::to_string(request.wanted);
  const std::string seconds = std::to_string(kMappingSeconds);
  if (::UPNP_GetExternalIPAddress(gateway.url(), gateway.service(), address.data()) != UPNPCOMMAND_SUCCESS ||
      ::UPNP_AddPortMapping(gateway.url(), gateway.service(), outer.c_str(), inner.c_str(), gateway.own(), "godwit",
                            "UDP", nullptr, seconds.c_str()) != UPNPCOMMAND_SUCCESS) {
    return failure(ErrorCode::kPermission, "the router refuses to map a port by UPnP");
  }
  address.back() = '\0';
  const auto mapped = SocketAddress::parse(std::string(address.data()) + ":" + outer);
  if (!mapped || mapped->is_wildcard()) {
    return failure(ErrorCode::kNotFound, "the router has no public address, by UPnP");
  }
  return PortMapping{.address = *mapped, .protocol = "UPnP", .lifetime = std::chrono::seconds(kMappingSeconds)};
}

void unmap_by_upnp(std::uint16_t public_port) {
  const Gateway gateway;
  if (!gateway.usable()) return;
  static_cast<void>(
      ::UPNP_DeletePortMapping(gateway.url(), gateway.service(), std::to_string(public_port).c_str(), "UDP", nullptr));
}

#else

bool has_upnp() {
  return false;
}
Result<PortMapping> map_by_upnp(const PortRequest&) {
  return failure(ErrorCode::kUnsupported, "this program was built without miniupnpc");
}
void unmap_by_upnp(std::uint16_t) {}

#endif

}  // namespace godwit
