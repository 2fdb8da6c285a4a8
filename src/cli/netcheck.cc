// `godwit netcheck`: what the network between this machine and others does to a socket, found out with rendezvous that
// are there anyway (docs/connectivity.md). Two sockets of this machine stand for the two peers; the first one is the
// one whose address translation is told about.

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/path_problem.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/json_output.h"
#include "cli/netcheck_socket.h"
#include "cli/open_node.h"
#include "cli/ticket_output.h"
#include "cli/via.h"
#include "port_mapping/port_mapper.h"
#include "runtime/clock.h"
#include "runtime/reachable_addresses.h"
#include "transfer/folder_path.h"
#include "udp/sockaddr.h"

namespace godwit::cli {
namespace {

struct NetcheckOptions {
  NetworkOptions network;
  OutputOptions output;
  std::vector<std::string> via;
};

constexpr Duration kAnswerTime = 8s;   // of the rendezvous
constexpr Duration kMeetingTime = 3s;  // of two sockets, on one way
constexpr Duration kMappingTime = 5s;
constexpr Duration kTurn = 5ms;

struct Findings {
  std::vector<SocketAddress> local;
  std::optional<bool> udp;  // comes in
  std::optional<bool> translated;
  std::optional<bool> mapping_depends;  // on the destination
  std::optional<bool> filters_by_port;
  std::optional<bool> hairpin;
  std::optional<bool> answers;  // what nobody has asked for
  std::optional<bool> relay;
  std::optional<Duration> relay_round_trip;
  std::optional<std::uint64_t> mtu;
  std::optional<Result<PortMapping>> port_mapping;  // nothing: not needed, or not tried
};

class Netcheck {
 public:
  Netcheck(Node& one, Node& other, const std::vector<RendezvousPlace>& places)
      : one_(one, places), other_(other, places), interrupt_(one) {}

  // False when a signal came first.
  [[nodiscard]] bool run() {
    one_.start();
    other_.start();
    if (!wait(kAnswerTime, [this] { return one_.settled() && other_.settled(); })) return false;
    findings_.local = reachable_addresses(one_.node().local_address());
    look_at_addresses();
    findings_.udp = comes_in();
    const auto both = shared_place();
    if (both && !try_ways(*both)) return false;
    one_.node().endpoint().close_all(one_.node().now(), "done");
    other_.node().endpoint().close_all(other_.node().now(), "done");
    return wait(kMeetingTime, [this] {
      return one_.node().endpoint().connection_count() + other_.node().endpoint().connection_count() == 0;
    });
  }
  // Has the router map the socket's port, and gives it back. Not where nothing translates.
  void try_port_mapping() {
    const SocketAddress local = one_.node().local_address();
    if (findings_.translated != true || local.is_loopback()) return;
    PortMapper mapper(local.port(), one_.node().random(), [] {});
    mapper.wait(kMappingTime);
    findings_.port_mapping = mapper.state();
  }
  [[nodiscard]] const Findings& findings() const { return findings_; }
  [[nodiscard]] const NetcheckSocket& socket() const { return one_; }

 private:
  // Until the condition holds or the time is over; false after a signal.
  bool wait(Duration longest, const std::function<bool()>& over) {
    const Instant end = boot_time_now() + longest;
    while (!over() && boot_time_now() < end) {
      if (interrupt_.requested()) return false;
      one_.turn(kTurn);
      other_.turn(kTurn);
    }
    return true;
  }

  void look_at_addresses() {
    std::vector<SocketAddress> seen;  // of one family
    for (std::size_t index = 0; index < one_.places(); ++index) {
      const auto& place = one_.seen(index);
      if (!place.observed) continue;
      if (!findings_.mtu) findings_.mtu = path_mtu(place.remote);
      // A rendezvous on this machine sees an address that no other one could reach.
      const bool own =
          place.observed->is_loopback() || std::ranges::find(findings_.local, *place.observed) != findings_.local.end();
      findings_.translated = findings_.translated.value_or(false) || !own;
      if (seen.empty() || seen.front().is_ipv4() == place.observed->is_ipv4()) seen.push_back(*place.observed);
    }
    if (findings_.translated == false) findings_.mapping_depends = false;
    if (seen.size() < 2) return;
    findings_.mapping_depends = std::ranges::any_of(seen, [&](const auto& each) { return each != seen.front(); });
  }

  // Nothing is known where a rendezvous's host says that nobody listens: that came in, as ICMP.
  [[nodiscard]] std::optional<bool> comes_in() {
    const bool any = std::ranges::any_of(std::array{&one_, &other_}, [](NetcheckSocket* socket) {
      return socket->node().endpoint().statistics().datagrams_received > 0;
    });
    if (any) return true;
    for (std::size_t index = 0; index < one_.places(); ++index) {
      const std::string& problem = one_.seen(index).problem;
      if (problem.contains(path_problem_name(PathProblem::kPortUnreachable))) return std::nullopt;
    }
    return false;
  }

  // A rendezvous at which both sockets are registered.
  [[nodiscard]] std::optional<std::size_t> shared_place() const {
    for (std::size_t index = 0; index < one_.places(); ++index) {
      if (one_.seen(index).observed && other_.seen(index).observed) return index;
    }
    return std::nullopt;
  }

  // False after a signal, as all that waits.
  bool try_ways(std::size_t place) {
    other_.ask_for_relay(place, one_.node().endpoint().public_key());
    if (!wait(kMeetingTime, [this] { return (one_.relay() && other_.relay()) || other_.relay_refused(); }))
      return false;
    if (one_.relay() && other_.relay() && !(try_filtering(place) && try_relay(place))) return false;
    one_.forget();
    other_.forget();
    return findings_.translated != true || try_hairpin(place);
  }

  // The relay passes it on from a port that the first socket has never sent to.
  bool try_filtering(std::size_t place) {
    other_.connect(*other_.relay(), one_.node().endpoint().public_key());
    if (!wait(kMeetingTime, [this] { return one_.met() && other_.met(); })) return false;
    findings_.filters_by_port = !one_.met();
    // The way of the second socket to another port than the rendezvous's.
    const auto port = heard_at(other_, place);
    if (interrupt_.requested()) return false;
    if (port && !findings_.mapping_depends) findings_.mapping_depends = *port != *other_.seen(place).observed;
    return true;
  }

  bool try_relay(std::size_t place) {
    if (!one_.met()) one_.connect(*one_.relay(), other_.node().endpoint().public_key());
    if (!wait(kMeetingTime, [this] { return one_.meeting_round_trip().has_value(); })) return false;
    findings_.relay = one_.met();
    findings_.relay_round_trip = one_.meeting_round_trip();
    if (findings_.mapping_depends != false) return true;
    // The relay's datagrams were there first. A router that answered them has given their place away.
    const auto port = heard_at(one_, place);
    if (port) findings_.answers = *port != *one_.seen(place).observed;
    return !interrupt_.requested();
  }

  bool try_hairpin(std::size_t place) {
    one_.connect(*other_.seen(place).observed, other_.node().endpoint().public_key());
    other_.connect(*one_.seen(place).observed, one_.node().endpoint().public_key());
    if (!wait(kMeetingTime, [this] { return one_.met() || other_.met(); })) return false;
    findings_.hairpin = one_.met() || other_.met();
    one_.forget();
    other_.forget();
    return true;
  }

  // Where its port at the relay sees the socket.
  std::optional<SocketAddress> heard_at(NetcheckSocket& socket, std::size_t place) {
    socket.ask_where(place);
    static_cast<void>(wait(kMeetingTime, [&] { return socket.heard().has_value(); }));
    return socket.heard() ? socket.heard()->observed : std::nullopt;
  }

  // What the system knows of the way to an address, before anything has been too long for it.
  [[nodiscard]] static std::optional<std::uint64_t> path_mtu(const SocketAddress& remote) {
    const OwnedDescriptor socket(::socket(remote.is_ipv4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const KernelAddress to = to_kernel(remote, remote.is_ipv4() ? SocketFamily::kIpv4 : SocketFamily::kIpv6);
    if (!socket || ::connect(socket.get(), &to.generic, to.size) != 0) return std::nullopt;
    int mtu = 0;
    socklen_t size = sizeof(mtu);
    const bool known = remote.is_ipv4() ? ::getsockopt(socket.get(), IPPROTO_IP, IP_MTU, &mtu, &size) == 0
                                        : ::getsockopt(socket.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &size) == 0;
    return known && mtu > 0 ? std::optional(static_cast<std::uint64_t>(mtu)) : std::nullopt;
  }

  NetcheckSocket one_;
  NetcheckSocket other_;
  InterruptWatch interrupt_;
  Findings findings_;
};

// --- What is said of it ---

std::string yes_or_no(std::optional<bool> value, std::string_view yes, std::string_view no, std::string_view unknown) {
  return std::string(!value ? unknown : *value ? yes : no);
}

std::string list_of(const std::vector<SocketAddress>& addresses) {
  std::string text;
  for (const SocketAddress& each : addresses) text += (text.empty() ? "" : ", ") + each.to_string();
  return text.empty() ? "none that others could reach" : text;
}

std::string port_mapping_text(const Findings& found) {
  if (!found.port_mapping) return found.translated == false ? "not needed" : "not known";
  if (!*found.port_mapping) return "no: " + found.port_mapping->error().message;
  return (*found.port_mapping)->address.to_string() + ", by " + (*found.port_mapping)->protocol;
}

measure::Json port_mapping_json(const Findings& found) {
  using measure::Json;
  if (!found.port_mapping) return {};
  const bool mapped = found.port_mapping->has_value();
  return {{"address", mapped ? Json((*found.port_mapping)->address.to_string()) : Json()},
          {"protocol", mapped ? Json((*found.port_mapping)->protocol) : Json()},
          {"reason", mapped ? Json() : Json(found.port_mapping->error().message)}};
}

void print_findings(const Netcheck& check) {
  const Findings& found = check.findings();
  print_line("own addresses     " + list_of(found.local));
  for (std::size_t index = 0; index < check.socket().places(); ++index) {
    const auto& seen = check.socket().seen(index);
    if (!seen.observed || !seen.round_trip) {
      print_line(fmt::format("rendezvous        {}: {}", list_of(seen.addresses),
                             seen.problem.empty() ? "no answer" : seen.problem));
      continue;
    }
    print_line(fmt::format("rendezvous        {} sees {}, round trip {}, datagrams of full size {}",
                           seen.remote.to_string(), seen.observed->to_string(), format_duration(*seen.round_trip),
                           seen.full_datagrams ? "get through" : "are lost"));
  }
  print_line("UDP               " + yes_or_no(found.udp, "comes in", "blocked: nothing comes in", "not known"));
  print_line("translated        " + yes_or_no(found.translated, "yes", "no", "not known: no rendezvous has answered"));
  print_line("mapping           " + yes_or_no(found.mapping_depends, "depends on the destination",
                                              "the same for every destination",
                                              "not known: it takes a relay, or two rendezvous"));
  print_line("filtering         " + yes_or_no(found.filters_by_port, "only from ports that were sent to",
                                              "from every port of a host that was sent to", "not known: no relay"));
  print_line("hairpin           " +
             yes_or_no(found.hairpin, "yes", "no", found.translated == false ? "not needed" : "not known"));
  const std::string round_trip =
      found.relay_round_trip ? ", round trip " + format_duration(*found.relay_round_trip) : std::string();
  print_line("relay             " + yes_or_no(found.relay, "works" + round_trip, "does not work", "none"));
  print_line("unasked datagrams " + yes_or_no(found.answers, "answered, which stands in the way of direct connections",
                                              "not answered", "not known"));
  print_line("port mapping      " + port_mapping_text(found));
  print_line("MTU               " + (found.mtu ? std::to_string(*found.mtu) : std::string("not known")));
  const bool ipv6 = std::ranges::any_of(found.local, &SocketAddress::is_ipv6);
  print_line("IPv6              " + std::string(ipv6 ? "this machine has an address" : "no address"));
}

measure::Json to_json(const Netcheck& check) {
  using measure::Json;
  const auto flag = [](std::optional<bool> value) { return value ? Json(*value) : Json(); };
  const auto seconds = [](std::optional<Duration> value) { return value ? Json(to_seconds(*value)) : Json(); };
  const Findings& found = check.findings();
  Json own = Json::array();
  for (const SocketAddress& each : found.local) own.push_back(each.to_string());
  Json places = Json::array();
  for (std::size_t index = 0; index < check.socket().places(); ++index) {
    const auto& seen = check.socket().seen(index);
    places.push_back({{"address", seen.remote.is_specified() ? Json(seen.remote.to_string()) : Json()},
                      {"observed", seen.observed ? Json(seen.observed->to_string()) : Json()},
                      {"round_trip_seconds", seconds(seen.round_trip)},
                      {"full_datagrams", seen.full_datagrams},
                      {"reason", seen.problem.empty() ? Json() : Json(seen.problem)}});
  }
  return {{"schema", "godwit-netcheck"},
          {"schema_version", 1},
          {"own_addresses", std::move(own)},
          {"rendezvous", std::move(places)},
          {"udp", flag(found.udp)},
          {"translated", flag(found.translated)},
          {"mapping_depends_on_destination", flag(found.mapping_depends)},
          {"filters_by_port", flag(found.filters_by_port)},
          {"hairpin", flag(found.hairpin)},
          {"relay", {{"works", flag(found.relay)}, {"round_trip_seconds", seconds(found.relay_round_trip)}}},
          {"unasked_datagrams_answered", flag(found.answers)},
          {"port_mapping", port_mapping_json(found)},
          {"mtu", found.mtu ? Json(*found.mtu) : Json()},
          {"ipv6", std::ranges::any_of(found.local, &SocketAddress::is_ipv6)}};
}

Result<std::unique_ptr<Node>> open_other(NodeConfig config, const SocketAddress& like) {
  SystemRandom random;
  auto keys = KeyPair::generate(random);
  if (!keys) return std::unexpected(keys.error());
  config.socket.bind = like.with_port(0);
  return Node::open(config, std::move(*keys));
}

int run_netcheck(const NetcheckOptions& options) {
  std::vector<RendezvousPlace> places;
  std::vector<SocketAddress> addresses;
  for (const std::string& via : options.via) {
    auto place = parse_via(via);
    if (!place) {
      print_error(place.error().message);
      return exit_code_of(place.error());
    }
    addresses.insert(addresses.end(), place->addresses.begin(), place->addresses.end());
    places.push_back(std::move(*place));
  }
  NodeConfig config = make_node_config(options.network);
  config.endpoint.handshake.extended = ExtendedPolicy::kRequire;
  config.endpoint.handshake.connect_timeout = kAnswerTime;
  auto opened = open_unlisted(options.network, config, addresses);
  auto other = opened ? open_other(config, opened->node->local_address()) : std::unexpected(opened.error());
  if (!other) {
    print_error(other.error().message);
    return exit_code_of(other.error());
  }
  Netcheck check(*opened->node, **other, places);
  if (!check.run()) {
    print_error("interrupted");
    return kInterrupted;
  }
  check.try_port_mapping();
  if (!options.output.json) print_findings(check);
  if (!check.findings().translated) print_error("no rendezvous has answered");
  if (!write_json(to_json(check), options.output)) return kFailure;
  return check.findings().translated ? kSuccess : kUnreachable;
}

}  // namespace

void add_netcheck_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<NetcheckOptions>();
  CLI::App* const command =
      app.add_subcommand("netcheck", "Finds out how others can reach this machine, with the help of a rendezvous");
  command
      ->add_option("--via", options->via,
                   "a rendezvous to ask (HEX@ADDR:PORT, its ticket or its name); several compare "
                   "where they see this side")
      ->required()
      ->allow_extra_args(false)
      ->type_name("RENDEZVOUS");
  add_output_options(*command, options->output);
  add_network_options(*command, options->network);
  command->remove_option(command->get_option("--extended"));  // there are no others
  command->remove_option(command->get_option("--window"));    // of streams, of which there are none
  command->callback([options, &exit_code] { exit_code = run_netcheck(*options); });
}

}  // namespace godwit::cli
