#include "udp/backend.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "udp/backend_factories.h"
#include "udp/backend_probe.h"
#include "udp/platform.h"
#include "udp/socket_backend.h"

namespace godwit {
namespace {

using Made = Result<std::unique_ptr<Backend>>;

// One datagram a system call, in both directions: the yardstick of every other back end, and the last resort where all
// else is refused.
Made make_sendto_backend(Socket socket, const BackendConfig& config, const std::string& why) {
  const bool receive_offload = config.receive_offload.value_or(false);
  return SocketBackend::make(std::move(socket), config,
                             {.kind = BackendKind::kSendto,
                              .choice = describe_choice("sendto: one datagram a call", false, receive_offload, why),
                              .receive_offload = receive_offload});
}

// As sendto, on a connected socket: the kernel looks the route up once. Connecting makes the kernel drop what any other
// address sends, so it suits only the socket of a client with one peer, never one that others connect to.
Made make_connected_backend(Socket socket, const BackendConfig& config, const std::string& why) {
  if (!config.peer.is_specified()) {
    return failure(ErrorCode::kInvalidArgument, "the connected back end serves one peer, and none was named");
  }
  const bool receive_offload = config.receive_offload.value_or(false);
  return SocketBackend::make(std::move(socket), config,
                             {.kind = BackendKind::kConnected,
                              .choice = describe_choice("connected: one datagram a call to " + config.peer.to_string(),
                                                        false, receive_offload, why),
                              .receive_offload = receive_offload,
                              .connected_peer = config.peer});
}

// Many datagrams to many peers a system call. It saves the entry into the kernel, not the walk of each datagram through
// the network stack, so it gains little where segmentation offload is refused for all, and reaches many peers at once.
Made make_mmsg_backend(Socket socket, const BackendConfig& config, const std::string& why) {
  const bool receive_offload = config.receive_offload.value_or(false);
  return SocketBackend::make(std::move(socket), config,
                             {.kind = BackendKind::kMmsg,
                              .choice = describe_choice("mmsg: many datagrams a call", false, receive_offload, why),
                              .batched = true,
                              .receive_offload = receive_offload});
}

// A batch walks through the network stack once and is cut at its end (UDP_SEGMENT, given with each message, so that one
// sendmmsg carries batches of several peers), and what the stack coalesced arrives as one batch (UDP_GRO).
Made make_gso_backend(Socket socket, const BackendConfig& config, const std::string& why) {
  if (config.segmentation_offload) {
    if (auto status = check_segmentation_offload(socket, config); !status) return std::unexpected(status.error());
  }
  const bool receive_offload = config.receive_offload.value_or(true);
  return SocketBackend::make(
      std::move(socket), config,
      {.kind = BackendKind::kGso,
       .choice = describe_choice("gso: a batch a send", config.segmentation_offload, receive_offload, why),
       .batched = true,
       .segmentation_offload = config.segmentation_offload,
       .receive_offload = receive_offload});
}

// What POSIX.1 has, with the destination of a datagram as RFC 3542 adds it: sendmsg, recvmsg, poll and a pipe. For
// systems other than Linux, and to compare with it. It hears of no ICMP error but those of a connected socket, and not
// of what the kernel drops.
Made make_posix_backend(Socket socket, const BackendConfig& config, const std::string& why) {
  return SocketBackend::make(std::move(socket), config,
                             {.kind = BackendKind::kPosix,
                              .choice = describe_choice("posix: one datagram a call", false, false, why),
                              .portable = true});
}

struct Entry {
  BackendKind kind;
  std::string_view name;
  // `why`: the reason of the choice, which ends the line of Backend::choice(); empty when it was asked for by name.
  Made (*factory)(Socket socket, const BackendConfig& config, const std::string& why);
};

// Every list of back ends follows from this one.
constexpr std::array kTable = {
    Entry{BackendKind::kSendto, "sendto", make_sendto_backend},
    Entry{BackendKind::kConnected, "connected", make_connected_backend},
    Entry{BackendKind::kMmsg, "mmsg", make_mmsg_backend},
    Entry{BackendKind::kGso, "gso", make_gso_backend},
    Entry{BackendKind::kUring, "uring", make_uring_backend},
    Entry{BackendKind::kPosix, "posix", make_posix_backend},
};
constexpr std::string_view kAutoName = "auto";

constexpr auto kKinds = [] {
  std::array<BackendKind, kTable.size()> kinds{};
  std::ranges::transform(kTable, kinds.begin(), &Entry::kind);
  return kinds;
}();
constexpr auto kNames = [] {
  std::array<std::string_view, kTable.size() + 1> names{kAutoName};
  std::ranges::transform(kTable, names.begin() + 1, &Entry::name);
  return names;
}();

const Entry* find(BackendKind kind) {
  const auto* const entry = std::ranges::find(kTable, kind, &Entry::kind);
  return entry == kTable.end() ? nullptr : entry;
}

}  // namespace

std::span<const BackendKind> backend_kinds() {
  return kKinds;
}

std::span<const std::string_view> backend_names() {
  return kNames;
}

std::string_view to_string(BackendKind kind) {
  const Entry* const entry = find(kind);
  return entry == nullptr ? kAutoName : entry->name;
}

std::optional<BackendKind> parse_backend_kind(std::string_view text) {
  if (text == kAutoName) return BackendKind::kAuto;
  const auto* const entry = std::ranges::find(kTable, text, &Entry::name);
  return entry == kTable.end() ? std::nullopt : std::optional(entry->kind);
}

Status check_segmentation_offload(const Socket& socket, const BackendConfig& config) {
  const KernelVersion kernel = config.kernel.value_or(KernelVersion::running());
  if (has_segmentation_defect(kernel) && !config.allow_defective_kernel) {
    return failure(ErrorCode::kUnsupported, "Linux " + kernel.to_string() +
                                                " may damage segmentation offload behind some network drivers"
                                                " (fixed in 7.1.5)");
  }
  int segment_size = 0;
  socklen_t size = sizeof segment_size;
  if (::getsockopt(socket.descriptor(), IPPROTO_UDP, platform::kSegmentationOption, &segment_size, &size) != 0) {
    return failure(ErrorCode::kUnsupported, std::string("this kernel has no UDP_SEGMENT: ") + std::strerror(errno));
  }
  return {};
}

std::string describe_choice(std::string_view what, bool segmentation_offload, bool receive_offload,
                            std::string_view why) {
  std::string line(what);
  line += segmentation_offload ? ", segmentation offload on" : ", segmentation offload off";
  line += receive_offload ? ", receive offload on" : ", receive offload off";
  if (!why.empty()) line.append("; ").append(why);
  return line;
}

Result<std::unique_ptr<Backend>> make_backend(BackendKind kind, Socket socket, const BackendConfig& config) {
  if (config.largest_datagram_bytes == 0 || config.receive_datagrams == 0 || config.receive_batches == 0) {
    return failure(ErrorCode::kInvalidArgument, "a back end needs room for at least one datagram");
  }
  if (!platform::kHasLinux) {
    if (kind != BackendKind::kPosix && kind != BackendKind::kAuto) {
      return failure(ErrorCode::kUnsupported, "this build has the posix back end alone");
    }
    return make_posix_backend(std::move(socket), config, kind == BackendKind::kAuto ? "all that this build has" : "");
  }
  if (const Entry* const entry = find(kind)) return entry->factory(std::move(socket), config, "");
  const BackendProbe probe = probe_backends(config, ProbeScope::kWithoutUring);
  BackendConfig proved = config;
  proved.segmentation_offload = config.segmentation_offload && probe.segmentation_offload.works;
  proved.receive_offload = config.receive_offload.value_or(true) && probe.receive_offload.works;
  const Entry* const chosen = find(probe.chosen);
  GODWIT_ASSERT(chosen != nullptr);
  return chosen->factory(std::move(socket), proved, probe.choice);
}

}  // namespace godwit
