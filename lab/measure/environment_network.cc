#include <fmt/format.h>

#include "measure/environment_checks.h"
#include "measure/netlink.h"
#include "udp/backend_probe.h"
#include "udp/socket.h"

namespace godwit::measure {

namespace {

// At 4 MiB nothing is lost at loopback's rates; at 208 KiB others lost 16 % and more.
constexpr std::size_t kGoodReceiveBuffer = std::size_t{4} << 20U;
constexpr std::size_t kUsableReceiveBuffer = std::size_t{1} << 20U;
constexpr std::size_t kGoodSendBuffer = std::size_t{512} << 10U;

std::string in_kib(std::size_t bytes) {
  return fmt::format("{} KiB", bytes / 1024);
}

void check_buffers(const EnvironmentOptions& options, Findings& findings) {
  if (!may_probe(options)) {
    findings.unknown("network.receive_buffer", kNotProbed);
    findings.unknown("network.send_buffer", kNotProbed);
    return;
  }
  SocketOptions asked;
  asked.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  const Result<Socket> socket = Socket::open(asked);
  if (!socket) {
    findings.unknown("network.receive_buffer", socket.error().message);
    findings.unknown("network.send_buffer", socket.error().message);
    return;
  }
  // What root was granted beyond the limit, another user would not be.
  const auto limit = [&options](const char* name, std::size_t granted) {
    const auto value = options.files.read_number(std::string("/proc/sys/net/core/") + name);
    if (!value) return std::string();
    const bool forced = static_cast<std::int64_t>(granted) > *value;
    return fmt::format(", {}{} = {} KiB", forced ? "by privilege: " : "", name, *value / 1024);
  };
  const std::size_t receive = socket->receive_buffer_bytes();
  const std::string receive_value = fmt::format("{} of {} granted{}", in_kib(receive),
                                                in_kib(asked.receive_buffer_bytes), limit("rmem_max", receive));
  const std::string raise = fmt::format("sysctl -w net.core.rmem_max={}", asked.receive_buffer_bytes);
  if (receive < kUsableReceiveBuffer) {
    findings.invalid("network.receive_buffer", receive_value, {2, 3}, "bursts are dropped: others lost 16 % at 208 KiB",
                     raise);
  } else if (receive < kGoodReceiveBuffer) {
    findings.costs("network.receive_buffer", receive_value, "a receiver that pauses for 2 ms loses datagrams", raise);
  } else {
    findings.ok("network.receive_buffer", receive_value);
  }
  const std::size_t send = socket->send_buffer_bytes();
  const std::string send_value =
      fmt::format("{} of {} granted{}", in_kib(send), in_kib(asked.send_buffer_bytes), limit("wmem_max", send));
  if (send < kGoodSendBuffer) {
    findings.costs("network.send_buffer", send_value, "the sender blocks after a few batches",
                   fmt::format("sysctl -w net.core.wmem_max={}", asked.send_buffer_bytes));
  } else {
    findings.ok("network.send_buffer", send_value);
  }
}

void add_probe(Findings& findings, const std::string& name, const ProbeFinding& probe, const char* cost,
               const char* fix) {
  if (probe.works) {
    findings.ok(name, probe.reason);
  } else {
    findings.costs(name, probe.reason, cost, fix);
  }
}

void check_offloads(const EnvironmentOptions& options, Findings& findings) {
  if (!may_probe(options)) {
    for (const char* name : {"network.gso", "network.gro", "network.mmsg", "network.io_uring"})
      findings.unknown(name, kNotProbed);
    return;
  }
  const BackendProbe probe = probe_backends({});
  add_probe(findings, "network.gso", probe.segmentation_offload,
            "8 to 30 times the kernel's cost a datagram on loopback, 2.4 times on a network",
            "a kernel of 4.18 or later outside sandboxes that forbid it");
  add_probe(findings, "network.gro", probe.receive_offload, "1.2 to 2.2 times the receiver's cost",
            "a kernel of 5.0 or later");
  add_probe(findings, "network.mmsg", probe.mmsg, "one system call a datagram",
            "a sandbox that allows sendmmsg and recvmmsg");
  const auto disabled = options.files.read_number("/proc/sys/kernel/io_uring_disabled");
  add_probe(findings, "network.io_uring", probe.uring,
            "the uring back end cannot be measured; the default does not need it",
            disabled.value_or(0) != 0 ? "sysctl -w kernel.io_uring_disabled=0"
                                      : "a kernel of 6.0 or later outside sandboxes that forbid it");
  findings.ok("network.backend", fmt::format("{}: {}", to_string(probe.chosen), probe.choice));
}

void check_backlog(const SystemFiles& files, Findings& findings) {
  const auto backlog = files.read_number("/proc/sys/net/core/netdev_max_backlog");
  if (!backlog) {
    findings.unknown("network.backlog", "cannot be read");
  } else if (*backlog < 1000) {
    findings.costs("network.backlog", fmt::format("{} packets", *backlog),
                   "loopback drops when a processor falls behind", "sysctl -w net.core.netdev_max_backlog=10000");
  } else {
    findings.ok("network.backlog", fmt::format("{} packets", *backlog));
  }
}

void check_drops(const SystemFiles& files, Findings& findings) {
  const SystemSnapshot snapshot = take_system_snapshot(files);
  if (!snapshot.udp_known) {
    findings.unknown("network.udp_drops", "the kernel's UDP counters cannot be read");
    return;
  }
  // Since boot and of any program: a reason to look, not a verdict; every run compares before and after.
  findings.ok("network.udp_drops",
              fmt::format("{} of {} since boot; each run counts its own", snapshot.udp.receive_buffer_errors,
                          snapshot.udp.datagrams_in + snapshot.udp.receive_buffer_errors));
}

void check_connection_tracking(const SystemFiles& files, Findings& findings) {
  const auto tracked = files.read_number("/proc/sys/net/netfilter/nf_conntrack_count");
  if (!tracked) {
    findings.ok("network.connection_tracking", "not loaded");
  } else if (*tracked == 0) {
    findings.ok("network.connection_tracking", "loaded, tracks nothing");
  } else {
    findings.costs("network.connection_tracking", fmt::format("{} flows", *tracked),
                   "a look-up for every packet, or batch of packets: about 5 %",
                   "an nft rule with notrack for the measured port");
  }
}

void check_filter_rules(const EnvironmentOptions& options, Findings& findings) {
  const std::string old_tables = options.files.read_line("/proc/net/ip_tables_names").value_or("");
  if (!old_tables.empty()) {
    const std::vector<std::string_view> names = split_words(old_tables);
    findings.costs("network.filter_rules", fmt::format("iptables: {}", fmt::join(names, ", ")),
                   "every packet passes the rules", "measure in a network namespace of its own");
    return;
  }
  if (!may_probe(options)) {
    findings.unknown("network.filter_rules", kNotProbed);
    return;
  }
  const Result<std::size_t> tables = count_filter_tables();
  if (!tables && tables.error().code == ErrorCode::kUnsupported) {
    findings.ok("network.filter_rules", "none: this kernel has no nftables");
  } else if (!tables) {
    findings.unknown("network.filter_rules", tables.error().message, "run as root to look");
  } else if (*tables > 0) {
    findings.costs("network.filter_rules", fmt::format("nftables: {} tables", *tables), "every packet passes the rules",
                   "measure in a network namespace of its own");
  } else {
    findings.ok("network.filter_rules", "none");
  }
}

}  // namespace

void check_network(const EnvironmentOptions& options, Findings& findings) {
  check_buffers(options, findings);
  check_offloads(options, findings);
  check_backlog(options.files, findings);
  check_drops(options.files, findings);
  check_connection_tracking(options.files, findings);
  check_filter_rules(options, findings);
}

}  // namespace godwit::measure
