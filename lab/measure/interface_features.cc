#include "measure/interface_features.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

namespace godwit::measure {

namespace {

class ControlSocket {
 public:
  ControlSocket() : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~ControlSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  // `request` begins with the ethtool command and receives the answer. 0 or an errno.
  [[nodiscard]] int ask(const std::string& interface, void* request) const {
    ifreq wrapper{};
    std::memcpy(wrapper.ifr_name, interface.data(), std::min(interface.size(), sizeof wrapper.ifr_name - 1));
    wrapper.ifr_data = static_cast<char*>(request);
    return ::ioctl(descriptor_, SIOCETHTOOL, &wrapper) == 0 ? 0 : errno;
  }

 private:
  int descriptor_;
};

std::unexpected<Error> failed(const std::string& interface, int error) {
  return failure(error == ENODEV ? ErrorCode::kNotFound : ErrorCode::kSystem,
                 "ethtool " + interface + ": " + std::strerror(error));
}

// The kernel's structures end in arrays of a length that it tells at run time: plain bytes with the fixed part in
// front.
template <typename Header>
std::vector<std::uint8_t> make_request(const Header& header, std::size_t tail) {
  std::vector<std::uint8_t> bytes(sizeof header + tail);
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

}  // namespace

Result<InterfaceFeatures> read_interface_features(const std::string& interface) {
  const ControlSocket control;
  ethtool_sset_info ask_count{};
  ask_count.cmd = ETHTOOL_GSSET_INFO;
  ask_count.sset_mask = std::uint64_t{1} << ETH_SS_FEATURES;
  std::vector<std::uint8_t> counted = make_request(ask_count, sizeof(std::uint32_t));
  if (const int error = control.ask(interface, counted.data())) return failed(interface, error);
  std::uint32_t count = 0;
  std::memcpy(&count, counted.data() + sizeof ask_count, sizeof count);
  if (count == 0 || count > 1024) return failure(ErrorCode::kSystem, "ethtool " + interface + ": no features");

  ethtool_gstrings ask_names{};
  ask_names.cmd = ETHTOOL_GSTRINGS;
  ask_names.string_set = ETH_SS_FEATURES;
  ask_names.len = count;
  std::vector<std::uint8_t> names = make_request(ask_names, std::size_t{count} * ETH_GSTRING_LEN);
  if (const int error = control.ask(interface, names.data())) return failed(interface, error);

  const std::uint32_t blocks = (count + 31) / 32;
  ethtool_gfeatures ask_states;
  std::memset(&ask_states, 0, sizeof ask_states);  // braces would initialise its array of no length
  ask_states.cmd = ETHTOOL_GFEATURES;
  ask_states.size = blocks;
  std::vector<std::uint8_t> states = make_request(ask_states, blocks * sizeof(ethtool_get_features_block));
  if (const int error = control.ask(interface, states.data())) return failed(interface, error);

  InterfaceFeatures features;
  for (std::uint32_t i = 0; i < count; ++i) {
    const char* name =
        reinterpret_cast<const char*>(names.data()) + sizeof ask_names + std::size_t{i} * ETH_GSTRING_LEN;
    ethtool_get_features_block block{};
    std::memcpy(&block, states.data() + sizeof ask_states + i / 32 * sizeof block, sizeof block);
    const std::string_view whole(name, ETH_GSTRING_LEN);
    const std::string feature(whole.substr(0, whole.find('\0')));
    if (!feature.empty()) features.active[feature] = (block.active >> (i % 32) & 1U) != 0;
  }
  return features;
}

}  // namespace godwit::measure
