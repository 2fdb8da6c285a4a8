// Level 2: every back end by itself, by batch and datagram size: one thread sends and takes delivery over loopback.

#include <fmt/format.h>

#include <numeric>

#include "benches/suite.h"
#include "udp/backend.h"

namespace godwit::bench {
namespace {

// Two back ends, and what the receiving one must show.
struct BackendPair {
  std::unique_ptr<Backend> out;
  std::unique_ptr<Backend> in;
  SocketAddress target;  // of `in`
};

Result<BackendPair> open_pair(BackendKind kind) {
  const SocketAddress loopback = SocketAddress::ipv4({127, 0, 0, 1}, 0);
  auto in_socket = Socket::open({.bind = loopback});
  auto out_socket = Socket::open({.bind = loopback});
  if (!in_socket || !out_socket) return failure(ErrorCode::kSystem, "no sockets");
  const SocketAddress target = in_socket->local_address();
  auto in = make_backend(kind == BackendKind::kConnected ? BackendKind::kSendto : kind, std::move(*in_socket), {});
  auto out = make_backend(kind, std::move(*out_socket), {.peer = target});
  if (!in || !out) return std::unexpected((!in ? in : out).error());
  return BackendPair{.out = std::move(*out), .in = std::move(*in), .target = target};
}

std::uint64_t sum_of(ByteView bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
}

// Counts what arrives and looks at it: each size, and the bytes of the first.
class Delivery {
 public:
  Delivery(Backend& in, std::size_t bytes, std::uint64_t want) : in_(in), bytes_(bytes), want_(want) {
    static_cast<void>(in_.receive(inbox_));
  }

  // Takes delivery until so many have arrived, or none does for a second.
  void wait_for(std::uint64_t sent) {
    for (int tries = 0; delivered_ < sent && tries < 1000; ++tries) {
      if (in_.receive(inbox_) == 0) {
        static_cast<void>(in_.wait(std::chrono::milliseconds(1)));
        continue;
      }
      for (const DatagramBatch& arrived : inbox_.batches()) look_at(arrived);
    }
  }

  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  [[nodiscard]] bool right() const { return right_ && checked_; }

 private:
  void look_at(const DatagramBatch& arrived) {
    delivered_ += arrived.segment_count();
    right_ = right_ && arrived.segment(0).size() == bytes_;
    if (!checked_) right_ = right_ && sum_of(arrived.segment(0)) == want_;
    checked_ = true;
  }

  Backend& in_;
  std::size_t bytes_;
  std::uint64_t want_;
  ReceivedBatches inbox_;
  std::uint64_t delivered_ = 0;
  bool right_ = true;
  bool checked_ = false;
};

void note_outcome(Bench& bench, const BackendPair& pair, const Delivery& delivery, std::uint64_t sent,
                  std::size_t bytes, double nanoseconds) {
  const auto delivered = static_cast<double>(delivery.delivered());
  bench.outcome.value = delivery.delivered() > 0 ? nanoseconds / delivered : 0;
  bench.outcome.counts = {
      {"send_calls", static_cast<double>(pair.out->statistics().send_calls) / static_cast<double>(sent)}};
  bench.outcome.metrics = {{"receive_calls", static_cast<double>(pair.in->statistics().receive_calls) / delivered},
                           {"bits_per_second", static_cast<double>(bytes) * 8e9 / *bench.outcome.value}};
  bench.outcome.evidence = {{"delivered_packets", delivered},
                            {"drops", static_cast<double>(sent - delivery.delivered())}};
  bench.outcome.verified = delivery.right() && delivery.delivered() == sent;
  bench.outcome.proof = "every datagram arrived with its size, the first with its bytes";
}

void send_and_receive(Bench& bench, BackendKind kind, std::size_t batch, std::size_t bytes) {
  const auto pair = open_pair(kind);
  if (!pair) {
    bench.outcome.skipped = pair.error().message;
    return;
  }
  std::vector<std::uint8_t> memory(batch * bytes);
  std::iota(memory.begin(), memory.end(), std::uint8_t{0});
  const DatagramBatch datagrams{.local = {}, .remote = pair->target, .bytes = memory, .segment_size = bytes};
  Delivery delivery(*pair->in, bytes, sum_of(ByteView(memory).first(bytes)));
  bench.whole([&] {
    const auto begin = std::chrono::steady_clock::now();
    const auto end = begin + std::chrono::duration<double>(bench.seconds());
    std::uint64_t sent = 0;
    auto now = begin;
    while (now < end) {
      for (int i = 0; i < 16; ++i) {
        sent += pair->out->send({&datagrams, 1}) * batch;
        delivery.wait_for(sent);
      }
      now = std::chrono::steady_clock::now();
    }
    note_outcome(bench, *pair, delivery, sent, bytes, std::chrono::duration<double, std::nano>(now - begin).count());
  });
}

Case backend_case(BackendKind kind, std::size_t batch, std::size_t bytes) {
  return {.name = fmt::format("level2/backend/{}/{}x{}", to_string(kind), batch, bytes),
          .title = fmt::format("send and take delivery of {} bytes, {} a batch, back end {}; a datagram", bytes, batch,
                               to_string(kind)),
          .parameters = {{"backend", std::string(to_string(kind))},
                         {"batch", std::to_string(batch)},
                         {"bytes", std::to_string(bytes)}},
          .whole = true,
          .body = [kind, batch, bytes](Bench& bench) { send_and_receive(bench, kind, batch, bytes); }};
}

}  // namespace

void add_level2_backends(Cases& cases) {
  for (const BackendKind kind : backend_kinds()) {
    for (const std::size_t batch : {std::size_t{1}, std::size_t{16}, std::size_t{54}}) {
      for (const std::size_t bytes : {std::size_t{64}, std::size_t{1200}})
        cases.push_back(backend_case(kind, batch, bytes));
    }
  }
}

}  // namespace godwit::bench
