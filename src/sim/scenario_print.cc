// The other direction of scenario_toml.cc.

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario_toml.h"
#include "sim/scenario_words.h"

namespace godwit::sim {
namespace {

std::string time_text(Duration time) {
  return fmt::format("\"{}ns\"", time.count());
}
std::string rate_text(Bandwidth rate) {
  return fmt::format("\"{}\"", rate.bits_per_second());
}
// A basic string of TOML, in ASCII. `text` is UTF-8.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at++]);
    std::uint32_t character = lead < 0x80 ? lead : lead < 0xe0 ? lead & 0x1f : lead < 0xf0 ? lead & 0x0f : lead & 0x07;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) {
      character = character << 6 | (static_cast<unsigned char>(text[at++]) & 0x3f);
    }
    if (character == '"' || character == '\\') out += '\\';
    if (character > 0xffff) {
      out += fmt::format("\\U{:08x}", character);
    } else if (character < 0x20 || character >= 0x7f) {
      out += fmt::format("\\u{:04x}", character);
    } else {
      out += static_cast<char>(character);
    }
  }
  return out + '"';
}
template <typename T>
std::string list_text(const std::vector<T>& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

std::string print_link(const LinkSpec& link) {
  const LinkSpec usual;
  std::string out = fmt::format("\n[[link]]\ndelay = {}\n", time_text(link.delay));
  if (link.jitter != usual.jitter) out += fmt::format("jitter = {}\n", time_text(link.jitter));
  if (!link.rate.is_unlimited())
    out += fmt::format("rate = {}\nqueue_bytes = {}\n", rate_text(link.rate), link.queue.bytes);
  if (link.aqm == Aqm::kCodel) out += "codel = true\n";
  if (link.ecn != usual.ecn) out += fmt::format("ecn = \"{}\"\n", kEcnRules[static_cast<std::size_t>(link.ecn)]);
  if (link.mtu != usual.mtu) out += fmt::format("mtu = {}\n", link.mtu);
  if (link.loss.rate > 0) out += fmt::format("loss = {}\n", link.loss.rate);
  if (link.loss.to_bad > 0) {
    out += fmt::format("burst_begins = {}\nburst_ends = {}\nburst_loss = {}\n", link.loss.to_bad, link.loss.to_good,
                       link.loss.bad_rate);
  }
  if (!link.loss.packets.empty()) out += fmt::format("lose_packets = {}\n", list_text(link.loss.packets));
  if (link.loss.every > 0) out += fmt::format("lose_every = {}\n", link.loss.every);
  if (link.reorder > 0) out += fmt::format("reorder = {}\nreorder_by = {}\n", link.reorder, time_text(link.reorder_by));
  if (link.duplicate > 0) out += fmt::format("duplicate = {}\n", link.duplicate);
  if (link.corrupt > 0) out += fmt::format("corrupt = {}\n", link.corrupt);
  if (link.policer) {
    out += fmt::format("policer_rate = {}\npolicer_burst = {}\n", rate_text(link.policer->rate),
                       link.policer->burst_bytes);
  }
  for (const Span& span : link.blackouts) {
    out += fmt::format("[[link.blackout]]\nfrom = {}\nuntil = {}\n", time_text(span.from), time_text(span.until));
  }
  for (const RateChange& change : link.rate_changes) {
    out += fmt::format("[[link.rate_change]]\nat = {}\nrate = {}\n", time_text(change.at), rate_text(change.rate));
  }
  for (const MtuChange& change : link.mtu_changes) {
    out += fmt::format("[[link.mtu_change]]\nat = {}\nmtu = {}\n", time_text(change.at), change.mtu);
  }
  for (const DelaySpike& spike : link.delay_spikes) {
    out += fmt::format("[[link.delay_spike]]\nfrom = {}\nuntil = {}\nextra = {}\n", time_text(spike.from),
                       time_text(spike.until), time_text(spike.extra));
  }
  return out;
}

std::string print_host(const HostSpec& host) {
  const Config usual;
  const Config& config = host.config;
  std::string out = fmt::format("\n[[host]]\negress = {}\ningress = {}\ncongestion = \"{}\"\n", list_text(host.egress),
                                list_text(host.ingress), to_string(config.congestion));
  if (host.nat) out += fmt::format("nat = {}\n", *host.nat);
  if (host.receive_interval > Duration::zero())
    out += fmt::format("receive_interval = {}\n", time_text(host.receive_interval));
  if (host.seal_delay > Duration::zero()) out += fmt::format("seal_delay = {}\n", time_text(host.seal_delay));
  if (host.socket_buffer != HostSpec{}.socket_buffer) out += fmt::format("socket_buffer = {}\n", host.socket_buffer);
  if (config.congestion == CongestionKind::kFixedRate)
    out += fmt::format("fixed_rate = {}\n", rate_text(config.controller.fixed_rate));
  if (config.streams.delivery == DeliveryMode::kChunks) out += "chunks = true\n";
  if (config.recovery.rtt.min_rto != usual.recovery.rtt.min_rto)
    out += fmt::format("min_rto = {}\n", time_text(config.recovery.rtt.min_rto));
  if (config.connection_rate_limit) out += fmt::format("rate_limit = {}\n", rate_text(*config.connection_rate_limit));
  if (config.endpoint_rate_limit)
    out += fmt::format("endpoint_rate_limit = {}\n", rate_text(*config.endpoint_rate_limit));
  if (config.send_queue.max_messages != usual.send_queue.max_messages)
    out += fmt::format("max_messages = {}\n", config.send_queue.max_messages);
  if (config.send_queue.max_streams != usual.send_queue.max_streams)
    out += fmt::format("max_streams = {}\n", config.send_queue.max_streams);
  if (config.keepalive.idle_timeout != usual.keepalive.idle_timeout)
    out += fmt::format("idle_timeout = {}\n", time_text(config.keepalive.idle_timeout));
  if (config.handshake.require_authenticated_peer != usual.handshake.require_authenticated_peer)
    out += fmt::format("require_authenticated = {}\n", config.handshake.require_authenticated_peer);
  if (config.handshake.extended != usual.handshake.extended)
    out += fmt::format("extended = \"{}\"\n", kExtendedPolicies[static_cast<std::size_t>(config.handshake.extended)]);
  if (config.handshake.capabilities != usual.handshake.capabilities)
    out += fmt::format("capabilities = {}\n", config.handshake.capabilities);
  if (config.handshake.largest_datagram != usual.handshake.largest_datagram)
    out += fmt::format("largest_datagram = {}\n", config.handshake.largest_datagram);
  if (config.handshake.flow.stream != usual.handshake.flow.stream)
    out += fmt::format("stream_window = {}\n", config.handshake.flow.stream);
  if (config.handshake.flow.connection != usual.handshake.flow.connection)
    out += fmt::format("connection_window = {}\n", config.handshake.flow.connection);
  if (config.soft_packet_limit != usual.soft_packet_limit)
    out += fmt::format("soft_packet_limit = {}\n", config.soft_packet_limit);
  if (config.max_connections != usual.max_connections)
    out += fmt::format("max_connections = {}\n", config.max_connections);
  if (config.admission.max_half_open != usual.admission.max_half_open)
    out += fmt::format("max_half_open = {}\n", config.admission.max_half_open);
  return out;
}

}  // namespace

std::string print_scenario(const Scenario& scenario) {
  std::string out = fmt::format("name = {}\nseed = {}\n", quoted(scenario.name), scenario.seed);
  if (scenario.duration) out += fmt::format("duration = {}\n", time_text(*scenario.duration));
  for (const LinkSpec& link : scenario.links) out += print_link(link);
  for (const NatSpec& nat : scenario.nats) {
    out += fmt::format("\n[[nat]]\nmapping = \"{}\"\nfiltering = \"{}\"\nexpiry = {}\nrefreshed_by_inbound = {}\n",
                       kNatRules[static_cast<std::size_t>(nat.mapping)],
                       kNatRules[static_cast<std::size_t>(nat.filtering)], time_text(nat.expiry),
                       nat.refreshed_by_inbound);
  }
  for (const HostSpec& host : scenario.hosts) out += print_host(host);
  for (const FlowSpec& flow : scenario.flows) {
    out += fmt::format(
        "\n[[flow]]\nkind = \"{}\"\nfrom = {}\nto = {}\nstart = {}\ncount = {}\nbytes = {}\nreply_bytes = {}\n"
        "window = {}\ninterval = {}\npause_every = {}\npause = {}\n",
        kFlowKinds[static_cast<std::size_t>(flow.kind)], flow.from, flow.to, time_text(flow.start), flow.count,
        flow.bytes, flow.reply_bytes, flow.window, time_text(flow.interval), flow.pause_every, time_text(flow.pause));
  }
  for (const CompetitorSpec& competitor : scenario.competitors) {
    out += fmt::format("\n[[competitor]]\negress = {}\ningress = {}\nstart = {}\n", list_text(competitor.egress),
                       list_text(competitor.ingress), time_text(competitor.start));
  }
  for (const Fault& fault : scenario.faults) {
    out += fmt::format("\n[[fault]]\nkind = \"{}\"\nat = {}\ntarget = {}\nduration = {}\n", fault_name(fault.kind),
                       time_text(fault.at), fault.target, time_text(fault.duration));
  }
  for (const AttackSpec& attack : scenario.attacks) {
    out += fmt::format(
        "\n[[attack]]\nkind = \"{}\"\nsource = \"{}\"\nvictim = {}\npeer = {}\nstart = {}\ninterval = {}\n"
        "count = {}\ndelay = {}\nother_interface = {}\n",
        attack_kind_name(attack.kind), attack_source_name(attack.source), attack.victim, attack.peer,
        time_text(attack.start), time_text(attack.interval), attack.count, time_text(attack.delay),
        attack.other_interface);
    if (attack.capabilities) out += fmt::format("capabilities = {}\n", *attack.capabilities);
  }
  return out;
}

}  // namespace godwit::sim
