#include "udp/backend_probe.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "udp/backend_factories.h"

namespace godwit {
namespace {

// Three full segments and a shorter last one, as the data path sends them.
constexpr std::size_t kSegmentBytes = 300;
constexpr std::size_t kBatchBytes = 3 * kSegmentBytes + 100;
constexpr Duration kPatience = std::chrono::milliseconds{50};
constexpr int kMaxTurns = 16;

// A back end of `kind` on loopback, over IPv4, or over IPv6 where there is no IPv4.
Result<std::unique_ptr<Backend>> open_on_loopback(BackendKind kind, const BackendConfig& config) {
  SocketOptions options;
  options.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  auto socket = Socket::open(options);
  if (!socket) {
    options.bind = SocketAddress::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0);
    socket = Socket::open(options);
  }
  if (!socket) return std::unexpected(socket.error());
  return make_backend(kind, *std::move(socket), config);
}

// What came back of one batch that was sent over loopback.
struct Passage {
  bool intact = false;
  std::size_t batches = 0;
  std::string trouble;  // when not intact
};

Passage pass_batch(Backend& from, Backend& to) {
  std::vector<std::uint8_t> sent(kBatchBytes);
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  const DatagramBatch batch{
      .local = {}, .remote = to.socket().local_address(), .bytes = sent, .segment_size = kSegmentBytes};
  ReceivedBatches inbox;
  to.receive(inbox);  // arms a ring
  if (from.send({&batch, 1}) != 1) return {.trouble = "the send blocked"};
  std::vector<std::uint8_t> arrived;
  Passage passage;
  for (int turn = 0; turn < kMaxTurns && arrived.size() < sent.size(); ++turn) {
    if (!to.wait(kPatience).readable) break;
    to.receive(inbox);
    for (const DatagramBatch& part : inbox.batches()) {
      ++passage.batches;
      if (part.segment_size > kSegmentBytes) return {.trouble = "datagrams arrived uncut"};
      arrived.insert(arrived.end(), part.bytes.begin(), part.bytes.end());
    }
  }
  passage.intact = arrived == sent;
  if (arrived.empty()) {
    passage.trouble = "nothing arrived over loopback";
  } else if (!passage.intact) {
    passage.trouble = "the datagrams arrived damaged";
  }
  return passage;
}

std::string first_refusal(const BackendStatistics& statistics) {
  const auto entries = statistics.send_refusals.entries();
  return entries.empty() ? std::string("refused") : std::string("refused: ") + std::strerror(entries.front().error);
}

ProbeFinding probe_loopback(const BackendConfig& config) {
  BackendConfig plain = config;
  plain.send_calls = nullptr;
  const auto from = open_on_loopback(BackendKind::kSendto, plain);
  if (!from) return {.works = false, .reason = from.error().message};
  const auto to = open_on_loopback(BackendKind::kSendto, plain);
  if (!to) return {.works = false, .reason = to.error().message};
  const Passage passage = pass_batch(**from, **to);
  return {.works = passage.intact, .reason = passage.intact ? "passes datagrams" : passage.trouble};
}

void believe_the_kernel(const BackendConfig& config, BackendProbe& probe) {
  const std::string unproved = "unproved, as loopback is down: " + probe.loopback.reason;
  probe.mmsg = {.works = true, .reason = unproved};
  probe.receive_offload = {.works = true, .reason = unproved};
  const auto socket = Socket::open({});
  if (!socket) {
    probe.segmentation_offload.reason = socket.error().message;
  } else if (const Status status = check_segmentation_offload(*socket, config); !status) {
    probe.segmentation_offload.reason = status.error().message;
  } else {
    probe.segmentation_offload = {.works = true, .reason = unproved};
  }
}

ProbeFinding probe_mmsg(const BackendConfig& config) {
  const auto from = open_on_loopback(BackendKind::kMmsg, config);
  const auto to = open_on_loopback(BackendKind::kMmsg, config);
  if (!from || !to) return {.works = false, .reason = (from ? to : from).error().message};
  const Passage passage = pass_batch(**from, **to);
  if (!passage.intact) return {.works = false, .reason = passage.trouble};
  if ((*from)->statistics().batch_fallbacks > 0) return {.works = false, .reason = "sendmmsg is forbidden"};
  return {.works = true, .reason = "many datagrams a call arrived over loopback"};
}

void probe_offloads(const BackendConfig& config, BackendProbe& probe) {
  BackendConfig sending = config;
  sending.segmentation_offload = true;
  const auto from = open_on_loopback(BackendKind::kGso, sending);
  BackendConfig receiving = config;
  receiving.segmentation_offload = false;
  receiving.receive_offload = false;
  const auto cut = open_on_loopback(BackendKind::kMmsg, receiving);
  if (!from || !cut) {
    probe.segmentation_offload.reason = (from ? cut : from).error().message;
  } else {
    const Passage passage = pass_batch(**from, **cut);
    const BackendStatistics& statistics = (*from)->statistics();
    if (statistics.offload_fallbacks > 0) {
      probe.segmentation_offload.reason = first_refusal(statistics);
    } else if (!passage.intact) {
      probe.segmentation_offload.reason = passage.trouble;
    } else {
      probe.segmentation_offload = {.works = true, .reason = "a batch sent at once arrived cut as it should be"};
    }
  }

  receiving.receive_offload = true;
  auto socket = Socket::open({.bind = SocketAddress::ipv4({127, 0, 0, 1}, 0)});
  if (socket && !socket->enable_receive_offload()) {
    probe.receive_offload.reason = "this kernel has no UDP_GRO";
    return;
  }
  const auto whole = open_on_loopback(BackendKind::kMmsg, receiving);
  if (!whole) {
    probe.receive_offload.reason = whole.error().message;
  } else if (!probe.segmentation_offload.works) {
    // Nothing to coalesce can be sent; the option alone does no harm.
    probe.receive_offload = {.works = true, .reason = "the option is there; unproved without segmentation offload"};
  } else if (const Passage passage = pass_batch(**from, **whole); !passage.intact) {
    probe.receive_offload.reason = passage.trouble;
  } else {
    const bool coalesced = passage.batches == 1;
    probe.receive_offload = {
        .works = true, .reason = coalesced ? "a batch arrived as one" : "batches arrive intact, though not as one"};
  }
}

ProbeFinding probe_uring(const BackendConfig& config) {
  const auto from = open_on_loopback(BackendKind::kUring, config);
  if (!from) return {.works = false, .reason = from.error().message};
  const auto to = open_on_loopback(BackendKind::kUring, config);
  if (!to) return {.works = false, .reason = to.error().message};
  const Passage passage = pass_batch(**from, **to);
  const auto errors = (*to)->statistics().receive_errors.entries();
  if (!errors.empty()) {
    return {.works = false, .reason = std::string("multishot receive refused: ") + std::strerror(errors.front().error)};
  }
  if (!passage.intact) return {.works = false, .reason = passage.trouble};
  return {.works = true, .reason = "queued sends and a multishot receive passed a batch"};
}

void choose(BackendProbe& probe) {
  const std::string kernel = "Linux " + probe.kernel.to_string() + ": ";
  if (probe.segmentation_offload.works) {
    probe.chosen = BackendKind::kGso;
    probe.choice = kernel + probe.segmentation_offload.reason;
  } else if (probe.mmsg.works) {
    probe.chosen = BackendKind::kMmsg;
    probe.choice = kernel + "no segmentation offload (" + probe.segmentation_offload.reason + ")";
  } else {
    probe.chosen = BackendKind::kSendto;
    probe.choice = kernel + "no segmentation offload (" + probe.segmentation_offload.reason + "), no calls for many (" +
                   probe.mmsg.reason + ")";
  }
}

}  // namespace

BackendProbe probe_backends(const BackendConfig& config, ProbeScope scope) {
  BackendConfig small = config;
  small.receive_batches = std::min<std::size_t>(config.receive_batches, 4);
  small.receive_offload.reset();
  small.segmentation_offload = true;
  BackendProbe probe;
  probe.kernel = config.kernel.value_or(KernelVersion::running());
  probe.loopback = probe_loopback(small);
  if (probe.loopback.works) {
    probe.mmsg = probe_mmsg(small);
    probe_offloads(small, probe);
  } else {
    believe_the_kernel(small, probe);
  }
  probe.uring = scope == ProbeScope::kAll ? probe_uring(small) : ProbeFinding{.works = false, .reason = "not tried"};
  choose(probe);
  return probe;
}

std::string BackendProbe::to_text() const {
  std::string text;
  const auto line = [&text](std::string_view what, const ProbeFinding& finding) {
    text.append(what).append(finding.works ? ": yes: " : ": no: ").append(finding.reason).append("\n");
  };
  line("loopback", loopback);
  line("sendmmsg and recvmmsg", mmsg);
  line("segmentation offload (UDP_SEGMENT)", segmentation_offload);
  line("receive offload (UDP_GRO)", receive_offload);
  line("io_uring", uring);
  text.append("auto takes ").append(to_string(chosen)).append(": ").append(choice).append("\n");
  return text;
}

}  // namespace godwit
