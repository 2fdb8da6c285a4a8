#include "benches/suite.h"

#include <algorithm>
#include <iterator>

#include "measure/perf_counters.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define GODWIT_CALLGRIND 1
#endif

namespace godwit::bench {

namespace {

// Of the one thread that executes repetitions.
measure::PerfCounters& counters() {
  static measure::PerfCounters instance;
  return instance;
}

}  // namespace

void Bench::begin_counting() {
  if (counters().has(measure::PerfEvent::kInstructions)) counters().start();
}

void Bench::end_counting() {
  if (!counters().has(measure::PerfEvent::kInstructions)) return;
  const auto instructions = counters().stop().of(measure::PerfEvent::kInstructions);
  if (!instructions || state_.iterations() == 0) return;
  outcome.metrics.emplace_back(
      kInstructionsMetric, static_cast<double>(*instructions) / static_cast<double>(state_.iterations()) / outcome.per);
}

const std::vector<Case>& all_cases() {
  static const Cases kRows = [] {
    Cases cases;
    add_level0_cipher(cases);
    add_level0_wire(cases);
    add_level1_queues(cases);
    add_level1_recovery(cases);
    add_level1_endpoints(cases);
    add_level1_handshakes(cases);
    add_level2_raw(cases);
    add_level2_backends(cases);
    add_level2_transport(cases);
    add_level2_veth(cases);
    add_level2_messages(cases);
    add_level2_latency(cases);
    add_level3_limits(cases);
    add_level3_connections(cases);
    add_level3_stress(cases);
    return cases;
  }();
  return kRows;
}

const Case* find_case(const std::string& name) {
  const auto& cases = all_cases();
  const auto found =
      std::find_if(cases.begin(), cases.end(), [&name](const Case& bench_case) { return bench_case.name == name; });
  return found == cases.end() ? nullptr : &*found;
}

namespace {

std::vector<AblationPlan> ablations_of_one_side() {
  return {
      {.name = "accepting",
       .title = "An acceptor's side of the handshake of an extended session",
       .steps = {{"a new peer", "level1/handshakes/accept-extended", "a key pair and four agreements"},
                 {"key pair made before", "level1/handshakes/accept-extended-prepared", "four agreements"},
                 {"peer known", "level1/handshakes/accept-extended-returning", "three agreements"}}},
      {.name = "initiating",
       .title = "An initiator's side of the handshake of an extended session",
       .steps = {{"a new peer", "level1/handshakes/initiate-extended", "a key pair and four agreements"},
                 {"key pair made before", "level1/handshakes/initiate-extended-prepared", "four agreements"},
                 {"peer known", "level1/handshakes/initiate-extended-returning", "three agreements"}}},
  };
}

}  // namespace

std::vector<AblationPlan> ablations_of_both_sides() {
  return {
      {.name = "backends",
       .title = "Goodput of one encrypted stream over loopback, back end by back end",
       .steps = {{"one call a datagram", "level2/transport/sendto", "sendto, recvfrom: the analysed system's shape"},
                 {"connected socket", "level2/transport/connected", "the client's side only"},
                 {"sendmmsg and recvmmsg", "level2/transport/mmsg", "many datagrams a call, each walks the stack"},
                 {"segmentation offload", "level2/transport/gso-without-gro", "54 datagrams walk the stack once"},
                 {"receive offload", "level2/transport/gso", "and arrive as one buffer"},
                 {"io_uring", "level2/transport/uring", "queued sends, multishot receive"}}},
      {.name = "copy",
       .title = "Goodput of one stream with and without a buffer for each step",
       .steps = {{"copied once more", "level2/transport/copying", "before sealing, and after opening"},
                 {"as shipped", "level2/transport/gso", "gathered where it is sealed, opened where it lies"}}},
      {.name = "acks",
       .title = "Goodput of one stream by how packets are acknowledged",
       .steps = {{"a packet each", "level2/transport/acks-1", "one acknowledgement in a packet of its own"},
                 {"a list each batch", "level2/transport/gso", "up to 288 acknowledgements a packet"}}},
      {.name = "sessions",
       .title = "Goodput of one stream by the form of the session",
       .steps = {{"deployed form", "level2/transport/legacy", "any peer"},
                 {"extended session", "level2/transport/extended", "two Godwits, datagrams of 1200 bytes"}}},
      {.name = "datagrams",
       .title = "Goodput of one stream of an extended session by the size of datagrams",
       .steps = {{"1200 bytes", "level2/transport/extended", "what every path carries"},
                 {"1452 bytes", "level2/transport/datagram-1452", "what an ordinary link carries"},
                 {"8900 bytes", "level2/transport/datagram-8900", "jumbo frames, and loopback"}}},
      {.name = "frames",
       .title = "Messages of 64 bytes through two endpoints by the form of the session",
       .steps = {{"deployed form", "level1/endpoints/message/64", "a packet for each"},
                 {"extended session", "level1/endpoints/message-extended/64", "several share a packet"}}},
      {.name = "acknowledgements",
       .title = "A full packet of a stream through two endpoints in an extended session, by what is acknowledged",
       .steps = {{"packet ids", "level1/endpoints/stream-extended-ids", "one by one, each twice"},
                 {"ranges of numbers", "level1/endpoints/stream-extended", "as shipped"}}},
      {.name = "handshakes",
       .title = "A connection's whole life on both sides by the form of the session",
       .steps = {{"deployed form", "level1/endpoints/handshake", "two agreements of keys"},
                 {"extended session", "level1/endpoints/handshake-extended", "Noise IK besides"}}},
      {.name = "buffer",
       .title = "Goodput of one stream by the receive buffer of the socket",
       .steps = {{"208 KiB", "level2/transport/buffer-208k", "what a system grants without being asked"},
                 {"1 MiB", "level2/transport/buffer-1m", ""},
                 {"4 MiB", "level2/transport/buffer-4m", ""},
                 {"16 MiB", "level2/transport/buffer-16m", "as shipped"}}},
      {.name = "cipher",
       .title = "Goodput of one stream by cipher implementation",
       .steps = {{"OpenSSL", "level2/transport/openssl", "portable"},
                 {"IPsec-MB", "level2/transport/ipsec-mb", "widest vectors of this processor"},
                 {"batches, AVX2", "level2/transport/batch-avx2", "own code, vectors of 32 bytes"},
                 {"batches, AVX-512", "level2/transport/batch-avx512", "own code, vectors of 64 bytes"}}},
      {.name = "serialisation",
       .title = "Serialise one fragment of 1130 bytes",
       .steps = {{"element by element", "level0/serialise/fragment/original", "the analysed system's shape"},
                 {"codec and copy", "level0/serialise/fragment/codec", ""},
                 {"header template", "level0/serialise/fragment/template", ""},
                 {"in place", "level0/serialise/fragment/in-place", "the payload is not copied"}}},
      {.name = "capacity",
       .title = "Messages through a bounded queue between two endpoints, by its capacity",
       .steps = {{"1", "level1/queue/endpoint/1", "the analysed system's channel"},
                 {"10", "level1/queue/endpoint/10", ""},
                 {"100", "level1/queue/endpoint/100", ""},
                 {"1000", "level1/queue/endpoint/1000", ""},
                 {"8192", "level1/queue/endpoint/8192", "as shipped"}}},
      {.name = "nonce",
       .title = "A nonce for one packet",
       .steps = {{"random", "level0/nonce/random", "twelve bytes of the system's generator"},
                 {"counter", "level0/nonce/counter", "as shipped"}}},
  };
}

std::vector<AblationPlan> all_ablations() {
  std::vector<AblationPlan> ablations = ablations_of_both_sides();
  std::ranges::move(ablations_of_one_side(), std::back_inserter(ablations));
  return ablations;
}

void count_instructions(const std::string& name, const std::function<void()>& operations) {
#ifdef GODWIT_CALLGRIND
  CALLGRIND_ZERO_STATS;
  CALLGRIND_TOGGLE_COLLECT;
  operations();
  CALLGRIND_TOGGLE_COLLECT;
  CALLGRIND_DUMP_STATS_AT(name.c_str());
#else
  static_cast<void>(name);
  operations();
#endif
}

}  // namespace godwit::bench
