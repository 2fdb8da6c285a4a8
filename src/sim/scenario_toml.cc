#include "sim/scenario_toml.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>
#include <utility>

#include "sim/scenario_words.h"

namespace godwit::sim {
namespace {

// Thrown within this file alone, and turned into an Error at its border.
struct Wrong {
  std::string text;
};

constexpr std::array<FaultKind, 7> kFaults = {FaultKind::kRestart,   FaultKind::kRestartNewKeys, FaultKind::kStall,
                                              FaultKind::kClockJump, FaultKind::kRebindNat,      FaultKind::kClose,
                                              FaultKind::kReconnect};

// Finite: "nan" and "inf" are numbers to from_chars, and cannot be converted to what is counted in whole units.
double number_before_unit(std::string_view text, std::string_view& unit) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value)) throw Wrong{fmt::format("\"{}\" is no number with a unit", text)};
  unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return value;
}

// The line of the first byte that is not ASCII. toml++ 3.3 takes some characters beyond for unreachable where it looks
// for spaces, and what follows is undefined; no scenario needs any of them.
std::optional<std::ptrdiff_t> line_beyond_ascii(std::string_view text) {
  const auto found = std::ranges::find_if(text, [](char byte) { return static_cast<unsigned char>(byte) >= 0x80; });
  if (found == text.end()) return std::nullopt;
  return 1 + std::count(text.begin(), found, '\n');
}

// What a simulation of this project may ask for; sums and products of such times stay far from what Duration holds.
constexpr Duration kLongestTime = std::chrono::hours(24 * 100);
constexpr double kHighestRate = 1e15;  // bits per second
constexpr double kLowestRate = 8;      // a byte per second
constexpr double kMostBdp = 1e6;       // of a queue, in products of rate and round trip

// Rounded, so that the whole nanoseconds that print_scenario() writes are read as they were.
Duration parse_time(std::string_view text) {
  std::string_view unit;
  double nanoseconds = number_before_unit(text, unit);
  if (unit == "us")
    nanoseconds *= 1e3;
  else if (unit == "ms")
    nanoseconds *= 1e6;
  else if (unit == "s")
    nanoseconds *= 1e9;
  else if (unit != "ns")
    throw Wrong{fmt::format("\"{}\" has no unit of time (ns, us, ms, s)", text)};
  if (nanoseconds < 0 || nanoseconds > static_cast<double>(kLongestTime.count()))
    throw Wrong{fmt::format("\"{}\" is out of range", text)};
  return Duration{std::llround(nanoseconds)};
}

Bandwidth parse_rate(std::string_view text) {
  std::string_view unit;
  const double value = number_before_unit(text, unit);
  double factor = 1;
  if (unit == "k")
    factor = 1e3;
  else if (unit == "M")
    factor = 1e6;
  else if (unit == "G")
    factor = 1e9;
  else if (!unit.empty())
    throw Wrong{fmt::format("\"{}\" is no rate (bits per second, k, M, G)", text)};
  const double bits = value * factor;
  if (bits < kLowestRate || bits > kHighestRate) throw Wrong{fmt::format("\"{}\" is out of range", text)};
  return Bandwidth::from_bits_per_second(static_cast<std::uint64_t>(bits));
}

// One table; complains about keys that nobody asked for.
class Reader {
 public:
  Reader(const toml::table& table, std::string where) : table_(&table), where_(std::move(where)) {}

  template <typename T>
  void read(std::string_view key, T& out) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if constexpr (std::is_same_v<T, Duration>) {
      out = parse_time(text(*node, key));
    } else if constexpr (std::is_same_v<T, Bandwidth>) {
      out = parse_rate(text(*node, key));
    } else if constexpr (std::is_same_v<T, std::string>) {
      out = text(*node, key);
    } else if constexpr (std::is_same_v<T, bool>) {
      out = value<bool>(*node, key);
    } else {
      out = whole<T>(*node, key);
    }
  }
  // A share of packets.
  void read_share(std::string_view key, double& out) { read_number(key, 1, out); }
  // From 0 to `most`; not NaN.
  void read_number(std::string_view key, double most, double& out) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto number = value<double>(*node, key);
    if (!(number >= 0 && number <= most)) fail(key, fmt::format("must lie between 0 and {}", most));
    out = number;
  }
  template <typename T>
  void read(std::string_view key, std::optional<T>& out) {
    if (find(key) == nullptr) return;
    T read_value{};
    read(key, read_value);
    out = read_value;
  }
  template <typename T>
  void read_list(std::string_view key, std::vector<T>& out) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr) fail(key, "must be a list");
    out.clear();
    for (const toml::node& element : *array) out.push_back(whole<T>(element, key));
  }
  template <std::size_t N>
  std::optional<std::size_t> choice(std::string_view key, const std::array<std::string_view, N>& words) {
    const toml::node* node = find(key);
    if (node == nullptr) return std::nullopt;
    const std::string word = text(*node, key);
    for (std::size_t i = 0; i < N; ++i) {
      if (words[i] == word) return i;
    }
    fail(key, fmt::format("knows no \"{}\"", word));
  }
  template <typename F>
  void tables(std::string_view key, F f) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr) fail(key, "must be a list of tables");
    std::size_t number = 0;
    for (const toml::node& element : *array) {
      const toml::table* inner = element.as_table();
      if (inner == nullptr) fail(key, "must be a list of tables");
      Reader reader(*inner, fmt::format("{}[{}]", key, number++));
      f(reader);
      reader.finish();
    }
  }
  void finish() const {
    for (const auto& [key, node] : *table_) {
      if (!known_.contains(std::string(key.str())))
        throw Wrong{fmt::format("{}: unknown key \"{}\"", where_, key.str())};
    }
  }
  [[noreturn]] void fail(std::string_view key, std::string_view what) const {
    throw Wrong{fmt::format("{}: {} {}", where_, key, what)};
  }

 private:
  const toml::node* find(std::string_view key) {
    known_.emplace(key);
    return table_->get(key);
  }
  template <typename T>
  T value(const toml::node& node, std::string_view key) const {
    const auto read_value = node.value<T>();
    if (!read_value) fail(key, "has the wrong type");
    return *read_value;
  }
  // A number that `T` can hold.
  template <typename T>
  T whole(const toml::node& node, std::string_view key) const {
    const auto number = value<std::int64_t>(node, key);
    if (number < 0) fail(key, "must not be negative");
    if (!std::in_range<T>(number)) fail(key, "is too large");
    return static_cast<T>(number);
  }
  std::string text(const toml::node& node, std::string_view key) const { return value<std::string>(node, key); }

  const toml::table* table_;
  std::string where_;
  std::set<std::string> known_;
};

void read_link(Reader& in, LinkSpec& link) {
  in.read("delay", link.delay);
  in.read("jitter", link.jitter);
  in.read("rate", link.rate);
  in.read("queue_bytes", link.queue.bytes);
  in.read_number("queue_bdp", kMostBdp, link.queue.bdp);
  bool codel = link.aqm == Aqm::kCodel;
  in.read("codel", codel);
  link.aqm = codel ? Aqm::kCodel : Aqm::kDropTail;
  if (const auto rule = in.choice("ecn", kEcnRules)) link.ecn = static_cast<EcnRule>(*rule);
  in.read("mtu", link.mtu);
  in.read_share("loss", link.loss.rate);
  in.read_share("burst_begins", link.loss.to_bad);
  in.read_share("burst_ends", link.loss.to_good);
  in.read_share("burst_loss", link.loss.bad_rate);
  in.read_list("lose_packets", link.loss.packets);
  in.read("lose_every", link.loss.every);
  in.read_share("reorder", link.reorder);
  in.read("reorder_by", link.reorder_by);
  in.read_share("duplicate", link.duplicate);
  in.read_share("corrupt", link.corrupt);
  if (std::optional<Bandwidth> rate; in.read("policer_rate", rate), rate) {
    link.policer = Policer{*rate, 30'000};
  }
  if (std::optional<std::uint64_t> burst; in.read("policer_burst", burst), burst && link.policer) {
    link.policer->burst_bytes = *burst;
  }
  in.tables("blackout", [&](Reader& span) {
    auto& blackout = link.blackouts.emplace_back();
    span.read("from", blackout.from);
    span.read("until", blackout.until);
  });
  in.tables("rate_change", [&](Reader& change) {
    auto& step = link.rate_changes.emplace_back();
    change.read("at", step.at);
    change.read("rate", step.rate);
  });
  in.tables("mtu_change", [&](Reader& change) {
    auto& step = link.mtu_changes.emplace_back();
    change.read("at", step.at);
    change.read("mtu", step.mtu);
  });
  in.tables("delay_spike", [&](Reader& spike) {
    auto& spec = link.delay_spikes.emplace_back();
    spike.read("from", spec.from);
    spike.read("until", spec.until);
    spike.read("extra", spec.extra);
  });
}

void read_host(Reader& in, HostSpec& host) {
  in.read_list("egress", host.egress);
  in.read_list("ingress", host.ingress);
  in.read("nat", host.nat);
  in.read("receive_interval", host.receive_interval);
  in.read("seal_delay", host.seal_delay);
  in.read("socket_buffer", host.socket_buffer);
  if (std::optional<std::string> word; in.read("congestion", word), word) {
    const auto kind = parse_congestion_kind(*word);
    if (!kind) in.fail("congestion", "knows no such controller");
    host.config.congestion = *kind;
  }
  in.read("fixed_rate", host.config.controller.fixed_rate);
  bool chunks = host.config.streams.delivery == DeliveryMode::kChunks;
  in.read("chunks", chunks);
  host.config.streams.delivery = chunks ? DeliveryMode::kChunks : DeliveryMode::kWhole;
  in.read("min_rto", host.config.recovery.rtt.min_rto);
  in.read("rate_limit", host.config.connection_rate_limit);
  in.read("endpoint_rate_limit", host.config.endpoint_rate_limit);
  in.read("max_messages", host.config.send_queue.max_messages);
  in.read("max_streams", host.config.send_queue.max_streams);
  in.read("idle_timeout", host.config.keepalive.idle_timeout);
  in.read("require_authenticated", host.config.handshake.require_authenticated_peer);
  if (const auto policy = in.choice("extended", kExtendedPolicies)) {
    host.config.handshake.extended = static_cast<ExtendedPolicy>(*policy);
  }
  in.read("capabilities", host.config.handshake.capabilities);
  in.read("largest_datagram", host.config.handshake.largest_datagram);
  in.read("stream_window", host.config.handshake.flow.stream);
  in.read("connection_window", host.config.handshake.flow.connection);
  in.read("soft_packet_limit", host.config.soft_packet_limit);
  in.read("max_connections", host.config.max_connections);
  in.read("max_half_open", host.config.admission.max_half_open);
}

void read_flow(Reader& in, FlowSpec& flow) {
  if (const auto kind = in.choice("kind", kFlowKinds)) flow.kind = static_cast<FlowKind>(*kind);
  in.read("from", flow.from);
  in.read("to", flow.to);
  in.read("start", flow.start);
  in.read("count", flow.count);
  in.read("bytes", flow.bytes);
  in.read("reply_bytes", flow.reply_bytes);
  in.read("window", flow.window);
  in.read("interval", flow.interval);
  in.read("pause_every", flow.pause_every);
  in.read("pause", flow.pause);
}

void read_fault(Reader& in, Fault& fault) {
  std::string kind;
  in.read("kind", kind);
  const auto* found =
      std::find_if(kFaults.begin(), kFaults.end(), [&](FaultKind candidate) { return fault_name(candidate) == kind; });
  if (found == kFaults.end()) in.fail("kind", fmt::format("knows no \"{}\"", kind));
  fault.kind = *found;
  in.read("at", fault.at);
  in.read("target", fault.target);
  in.read("duration", fault.duration);
}

template <typename T, std::size_t N>
T read_word(Reader& in, std::string_view key, const std::array<T, N>& all, std::string_view (*name)(T)) {
  std::string word;
  in.read(key, word);
  const auto found = std::ranges::find_if(all, [&](T candidate) { return name(candidate) == word; });
  if (found == all.end()) in.fail(key, fmt::format("knows no \"{}\"", word));
  return *found;
}

void read_attack(Reader& in, AttackSpec& attack) {
  attack.kind = read_word(in, "kind", kAllAttackKinds, attack_kind_name);
  attack.source = read_word(in, "source", kAllAttackSources, attack_source_name);
  in.read("victim", attack.victim);
  in.read("peer", attack.peer);
  in.read("start", attack.start);
  in.read("interval", attack.interval);
  in.read("count", attack.count);
  in.read("delay", attack.delay);
  in.read("other_interface", attack.other_interface);
  in.read("capabilities", attack.capabilities);
}

Scenario read_scenario(const toml::table& table) {
  Scenario scenario;
  Reader in(table, "scenario");
  in.read("name", scenario.name);
  in.read("seed", scenario.seed);
  in.read("duration", scenario.duration);
  in.tables("link", [&](Reader& link) { read_link(link, scenario.links.emplace_back()); });
  in.tables("nat", [&](Reader& nat) {
    NatSpec& spec = scenario.nats.emplace_back();
    if (const auto rule = nat.choice("mapping", kNatRules)) spec.mapping = static_cast<NatRule>(*rule);
    if (const auto rule = nat.choice("filtering", kNatRules)) spec.filtering = static_cast<NatRule>(*rule);
    nat.read("expiry", spec.expiry);
    nat.read("refreshed_by_inbound", spec.refreshed_by_inbound);
  });
  in.tables("host", [&](Reader& host) { read_host(host, scenario.hosts.emplace_back()); });
  in.tables("flow", [&](Reader& flow) { read_flow(flow, scenario.flows.emplace_back()); });
  in.tables("competitor", [&](Reader& competitor) {
    CompetitorSpec& spec = scenario.competitors.emplace_back();
    competitor.read_list("egress", spec.egress);
    competitor.read_list("ingress", spec.ingress);
    competitor.read("start", spec.start);
    competitor.read("stop", spec.stop);
  });
  in.tables("fault", [&](Reader& reader) { read_fault(reader, scenario.faults.emplace_back()); });
  in.tables("attack", [&](Reader& reader) { read_attack(reader, scenario.attacks.emplace_back()); });
  in.finish();
  if (const auto problem = scenario.problem()) throw Wrong{*problem};
  scenario.resolve();
  return scenario;
}

}  // namespace

Result<Scenario> parse_scenario(std::string_view toml_text) {
  try {
    if (const auto line = line_beyond_ascii(toml_text)) throw Wrong{fmt::format("line {} is no ASCII text", *line)};
    return read_scenario(toml::parse(toml_text));
  } catch (const toml::parse_error& error) {
    return failure(ErrorCode::kInvalidArgument,
                   fmt::format("line {}: {}", error.source().begin.line, error.description()));
  } catch (const Wrong& wrong) {
    return failure(ErrorCode::kInvalidArgument, wrong.text);
  }
}

Result<Scenario> load_scenario(const std::string& path) {
  std::ifstream file(path);
  if (!file) return failure(ErrorCode::kNotFound, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  auto scenario = parse_scenario(text);
  if (!scenario) return failure(scenario.error().code, fmt::format("{}: {}", path, scenario.error().message));
  return scenario;
}

}  // namespace godwit::sim
