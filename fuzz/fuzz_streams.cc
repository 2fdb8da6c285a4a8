// The two halves of the stream library joined without a transport: a sender's queue and a receiver's streams, with and
// without credit, while the input decides what is sent, lost, repeated, overtaken, given up, stopped, paused and read,
// and what a lying peer says to either half.
//
// Checked: the bytes of each stream come in order and once, those of streams of unknown length as they were sent; the
// receiver never holds more unread bytes than it granted, and an honest sender never exceeds what it was granted; every
// accepted message ends in one confirmation or one failure.
#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "fuzz/input.h"
#include "stream/recv_streams.h"
#include "stream/send_queue.h"

namespace godwit::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr FlowWindows kWindows{.stream = 9'000, .connection = 14'000, .by_hand = true};
constexpr std::size_t kMaxInFlight = 48;
constexpr int kMaxSteps = 400;

std::uint8_t truth(std::uint32_t stream, std::uint64_t offset) {
  return static_cast<std::uint8_t>(stream * 29 + offset * 7 + (offset >> 9));
}

// A file that may become shorter while it is sent.
class Source final : public BodySource {
 public:
  Source(std::size_t size, bool shrinks) : bytes_(size, 5), shrinks_(shrinks) {}
  std::optional<ByteView> read(std::uint64_t offset, std::size_t length) override {
    if (shrinks_ && offset >= bytes_.size() / 2) return std::nullopt;
    return ByteView(bytes_).subspan(offset, length);
  }
  [[nodiscard]] bool views_stay() const override { return true; }

 private:
  Bytes bytes_;
  bool shrinks_;
};

class Receiver final : public StreamSink {
 public:
  void on_chunk(const InboundChunk& chunk) override {
    GODWIT_ASSERT(!chunk.bytes.empty() || chunk.finished());
    std::uint64_t& offset = offsets[chunk.stream_id];
    if (!lied) {
      GODWIT_ASSERT(chunk.offset == offset);
      for (std::size_t i = 0; known.contains(chunk.stream_id) && i < chunk.bytes.size(); ++i)
        GODWIT_ASSERT(chunk.bytes[i] == truth(chunk.stream_id, chunk.offset + i));
    }
    offset = chunk.offset + chunk.bytes.size();
    unread[chunk.stream_id] += chunk.bytes.size();
  }
  void on_message(InboundMessage&&) override {}
  void on_metadata(std::uint32_t, ByteView) override {}
  void on_failure(const InboundFailure&) override {}

  std::map<std::uint32_t, std::uint64_t> offsets;
  std::map<std::uint32_t, std::uint64_t> unread;
  std::set<std::uint32_t> known;  // streams whose bytes are truth()
  bool lied = false;
};

// What travels from the sender to the receiver: content, or a frame about flow control.
struct Packet {
  std::uint32_t id = 0;
  SendKind kind = SendKind::kMessage;
  SlotHandle owner = 0;
  std::uint32_t fragment = 0;
  std::uint32_t stream = 0;  // of a fragment, reset or end
  std::uint64_t total = 0;
  Bytes payload;
  Bytes metadata;
  std::optional<StreamReset> reset;
  std::optional<StreamEnd> end;
};

class World {
 public:
  explicit World(Input input) : input_(input) {
    const std::uint8_t setup = input_.byte();
    credit_ = (setup & 1) != 0;
    SendQueueConfig sending;
    if ((setup & 2) != 0) sending.max_message_bytes = 3000;
    queue_ = std::make_unique<SendQueue>(sending);
    RecvStreamsConfig receiving{.delivery = (setup & 4) != 0 ? DeliveryMode::kWhole : DeliveryMode::kChunks,
                                .max_streams = 6,
                                .memory = {.reorder_bytes = 64 * 1024, .buffer_bytes = 96 * 1024},
                                .completed_remembered = 4,
                                .refused_remembered = 4};
    streams_ = std::make_unique<RecvStreams>(receiving);
    if (!credit_) return;
    FlowWindows windows = kWindows;
    windows.by_hand = (setup & 8) == 0;
    streams_->use_credit(windows);
    queue_->limit_streams(windows.stream, windows.connection);
    if ((setup & 16) == 0) {
      streams_->allow_open_streams();
      queue_->allow_open_streams();
    }
  }

  void run() {
    for (int step = 0; step < kMaxSteps && !input_.empty(); ++step) {
      act();
      collect();
    }
    queue_->cancel_all();
    collect();
    GODWIT_ASSERT(open_.empty());
    streams_->fail_all(receiver_);
  }

 private:
  // --- The application of the sender ---
  void send() {
    const std::uint8_t kind = input_.byte();
    SendOptions options;
    std::size_t size = 1 + input_.byte();
    if ((kind & 3) == 1) options.as = SendAs::kStream;
    if ((kind & 3) == 2) options.as = SendAs::kOperationsStream;
    if ((kind & 3) != 0) size *= 1 + (kind >> 4);
    if ((kind & 4) != 0) options.metadata.emplace(std::size_t{input_.byte()} * 3);
    if ((kind & 8) != 0) options.deadline = now_ + Duration{20ms} * input_.byte();
    if (kind >= 0xc0) options.unreliable = true;
    if (kind % 11 == 0) options.send_limit = input_.byte() * 40u;
    if (kind % 13 == 0) size = kind % 2 == 0 ? 0 : 40'000;
    Body body = kind % 7 == 0 ? Body::from_source(std::make_unique<Source>(size, input_.coin()), size)
                              : Body::owned(Bytes(size, 1));
    const auto sent = queue_->send(now_, std::move(body), std::move(options));
    if (!sent) return;
    open_.insert(*sent);
    last_ = *sent;
  }

  void use_open_stream() {
    const std::uint8_t what = input_.byte();
    if (what < 60) {
      const auto opened = queue_->open_stream(now_, {});
      if (!opened) return;
      open_.insert(*opened);
      own_streams_.push_back({*opened, queue_->stream_id(*opened), 0});
      receiver_.known.insert(own_streams_.back().id);
      return;
    }
    if (own_streams_.empty()) return;
    OwnStream& stream = own_streams_[what % own_streams_.size()];
    if (what < 190) {
      Bytes bytes(std::size_t{input_.byte()} * (1 + what % 12));
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = truth(stream.id, stream.size + i);
      if (queue_->append(stream.message, bytes)) stream.size += bytes.size();
    } else if (what < 230) {
      static_cast<void>(queue_->finish(stream.message));
    } else {
      static_cast<void>(queue_->cancel(stream.message, what));
    }
  }

  void manage() {
    switch (input_.below(6)) {
      case 0: static_cast<void>(queue_->cancel(last_, input_.byte())); break;
      case 1: static_cast<void>(queue_->extend_send_limit(last_, input_.number())); break;
      case 2: static_cast<void>(queue_->poll_writable()); break;
      case 3:
        if (input_.one_in(16)) new_session();
        break;
      case 4: {
        const bool idle = queue_->idle();  // before peek(), which may find that a body cannot be read
        GODWIT_ASSERT(!idle || queue_->peek() == nullptr);
        break;
      }
      default: static_cast<void>(queue_->stream_id(last_)); break;
    }
  }

  // The receiver has lost the session and begins anew.
  void new_session() {
    queue_->fail_started();
    streams_->fail_all(receiver_);
    flight_.clear();
    receiver_.lied = true;  // what it remembers of ids says nothing any more
  }

  // --- The application of the receiver ---
  void read() {
    const std::uint8_t what = input_.byte();
    const auto chosen = static_cast<std::uint32_t>(receiver_.offsets.empty() ? what % 8 : nth(what));
    switch (what % 5) {
      case 0:
      case 1: {
        const std::uint64_t bytes = what >= 250 ? input_.number() : receiver_.unread[chosen];
        if (bytes > receiver_.unread[chosen]) receiver_.lied = true;
        streams_->consume(chosen, bytes);
        receiver_.unread[chosen] = 0;
        break;
      }
      case 2: static_cast<void>(streams_->set_paused(chosen, (what & 64) != 0)); break;
      case 3: static_cast<void>(streams_->touch(now_, chosen)); break;
      default:
        if (what >= 200) static_cast<void>(streams_->refuse(chosen, what));
        break;
    }
  }
  [[nodiscard]] std::uint32_t nth(std::uint8_t n) const {
    auto at = receiver_.offsets.begin();
    std::advance(at, n % receiver_.offsets.size());
    return at->first;
  }

  // --- The way from one to the other ---
  void transmit() {
    if (const auto reset = queue_->poll_reset()) fly({.stream = reset->stream_id, .reset = reset});
    if (const auto stream_end = queue_->poll_end()) fly({.stream = stream_end->stream_id, .end = stream_end});
    for (std::size_t n = 1 + input_.below(8); n > 0; --n) {
      const SendItem* item = queue_->peek();
      if (item == nullptr) return;
      Packet packet = packet_of(*item);
      queue_->take(packet.id);
      fly(std::move(packet));
    }
  }
  Packet packet_of(const SendItem& item) {
    Packet packet{.id = next_id_++, .kind = item.kind, .owner = item.owner, .fragment = item.fragment};
    packet.payload.assign(item.payload.begin(), item.payload.end());
    if (item.stream != nullptr) {
      packet.stream = item.stream->id();
      packet.total = item.stream->total();
      if (const auto metadata = item.metadata()) packet.metadata.assign(metadata->begin(), metadata->end());
    }
    return packet;
  }
  void fly(Packet packet) {
    if (flight_.size() < kMaxInFlight)
      flight_.push_back(std::move(packet));
    else
      lost_.push_back(std::move(packet));
  }

  void deliver(std::size_t at, bool stays) {
    if (flight_.empty()) return;
    at %= flight_.size();
    const Packet packet = flight_[at];
    if (!stays) flight_.erase(flight_.begin() + static_cast<std::ptrdiff_t>(at));
    if (packet.reset) {
      const bool consistent =
          streams_->on_reset(packet.stream, packet.reset->sent_bytes, packet.reset->code, receiver_);
      GODWIT_ASSERT(consistent || receiver_.lied);
      queue_->on_reset_acknowledged(packet.stream);
      return;
    }
    if (packet.end) {
      const bool consistent = streams_->on_end(now_, packet.stream, packet.end->total, receiver_);
      GODWIT_ASSERT(consistent || receiver_.lied);
      if (const auto confirmed = queue_->on_end_acknowledged(packet.stream)) end_of(*confirmed);
      return;
    }
    if (packet.kind == SendKind::kFragment) {
      wire::StreamFragment fragment{.stream_id = packet.stream,
                                    .total_length = packet.total,
                                    .number = packet.fragment,
                                    .payload = packet.payload};
      if (!packet.metadata.empty()) fragment.metadata = packet.metadata;
      const FragmentOutcome outcome = streams_->on_fragment(now_, fragment, receiver_);
      streams_->release_delivered();
      GODWIT_ASSERT(outcome.result != FragmentOutcome::Result::kBeyondCredit || receiver_.lied);
      if (!outcome.must_ack()) return lost_.push_back(packet);
    }
    acknowledge(packet);
  }
  void acknowledge(const Packet& packet) {
    // Recovery reports each packet once.
    if (!acknowledged_.insert({packet.owner, packet.fragment}).second) return;
    if (const auto confirmed = queue_->on_acknowledged(packet.kind, packet.owner, packet.fragment, 1)) {
      end_of(*confirmed);
    }
  }

  void lose() {
    if (flight_.empty()) return;
    lost_.push_back(std::move(flight_.front()));
    flight_.pop_front();
  }
  void retransmit() {
    if (lost_.empty()) return;
    const Packet packet = std::move(lost_.back());
    lost_.pop_back();
    if (packet.reset) {
      if (const auto again = queue_->reset_again(packet.stream)) fly({.stream = packet.stream, .reset = again});
    } else if (packet.end) {
      if (const auto again = queue_->end_again(packet.stream)) fly({.stream = packet.stream, .end = again});
    } else if (input_.one_in(16)) {
      queue_->on_abandoned(packet.kind, packet.owner);
    } else if (const auto item = queue_->content(packet.kind, packet.owner, packet.fragment)) {
      Packet again = packet_of(*item);
      fly(std::move(again));
    }
  }

  // What the receiver says about flow control; a lost one is said again.
  void grant() {
    std::optional<FlowUpdate> update;
    if (lost_update_ && input_.coin()) {
      update = streams_->flow_again(lost_update_->kind, lost_update_->stream_id);
      lost_update_.reset();
    } else {
      update = streams_->poll_flow();
    }
    if (!update) return;
    if (input_.one_in(6)) {
      lost_update_ = update;
      return;
    }
    switch (update->kind) {
      case FlowUpdate::Kind::kConnectionCredit: queue_->raise_credit(update->value); break;
      case FlowUpdate::Kind::kStreamCredit: queue_->raise_stream_credit(update->stream_id, update->value); break;
      case FlowUpdate::Kind::kStop: queue_->stop(update->stream_id, update->value); break;
    }
  }

  // --- What a peer that lies says to either half ---
  void lie() {
    const std::uint32_t stream = input_.coin() ? 1 + static_cast<std::uint32_t>(input_.below(6)) : input_.number32();
    const std::uint8_t what = input_.byte();
    switch (what % 8) {
      case 0: queue_->raise_credit(input_.number()); break;
      case 1: queue_->raise_stream_credit(stream, input_.number()); break;
      case 2: queue_->stop(stream, what); break;
      case 3: queue_->on_reset_acknowledged(stream); break;
      case 4:
        if (const auto confirmed = queue_->on_end_acknowledged(stream)) end_of(*confirmed);
        break;
      case 5: static_cast<void>(streams_->on_reset(stream, input_.number(), what, receiver_)); break;
      case 6: static_cast<void>(streams_->on_end(now_, stream, input_.number(), receiver_)); break;
      default: {
        const Bytes payload(std::size_t{input_.byte()} * 5, what);
        const wire::StreamFragment fragment{.stream_id = stream,
                                            .total_length = (what & 8) != 0 ? 0 : input_.number(),
                                            .number = input_.coin() ? input_.byte() % 24u : input_.number32(),
                                            .payload = payload};
        receiver_.lied = true;
        static_cast<void>(streams_->on_fragment(now_, fragment, receiver_));
        streams_->release_delivered();
        break;
      }
    }
    receiver_.lied = true;
  }

  void act() {
    const std::uint8_t op = input_.byte();
    switch (op & 15) {
      case 0:
      case 1: send(); break;
      case 2:
      case 3: use_open_stream(); break;
      case 4:
      case 5: transmit(); break;
      case 6:
      case 7: deliver(0, false); break;
      case 8: deliver(op >> 4, (op & 0x10) != 0); break;
      case 9: lose(); break;
      case 10: retransmit(); break;
      case 11: grant(); break;
      case 12: read(); break;
      case 13: manage(); break;
      case 14:
        now_ += (op & 0x80) != 0 ? Duration{1s} * input_.byte() : Duration{1ms} * input_.byte();
        queue_->handle_timeout(now_);
        streams_->handle_timeout(now_, receiver_);
        static_cast<void>(queue_->next_timeout());
        static_cast<void>(streams_->next_timeout());
        break;
      default:
        if (op >= 0xe0) {
          lie();
        } else {  // everything that is under way arrives
          for (std::size_t n = flight_.size(); n > 0; --n) deliver(0, false);
        }
        break;
    }
    if (credit_ && !receiver_.lied) {
      GODWIT_ASSERT(streams_->flow()->connection().unconsumed() <= kWindows.connection);
    }
  }

  void collect() {
    while (const auto failed = queue_->poll_failure(now_)) end_of(failed->message);
  }
  void end_of(MessageId message) { GODWIT_ASSERT(open_.erase(message) == 1); }

  struct OwnStream {
    MessageId message;
    std::uint32_t id;
    std::uint64_t size;
  };

  Input input_;
  Instant now_{1h};
  bool credit_ = false;
  std::unique_ptr<SendQueue> queue_;
  std::unique_ptr<RecvStreams> streams_;
  Receiver receiver_;
  std::deque<Packet> flight_;
  std::vector<Packet> lost_;
  std::optional<FlowUpdate> lost_update_;
  std::set<MessageId> open_;
  std::set<std::pair<SlotHandle, std::uint32_t>> acknowledged_;
  std::vector<OwnStream> own_streams_;
  MessageId last_ = 0;
  std::uint32_t next_id_ = 1;
};

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || size > 1024) return 0;
  godwit::fuzz::World(godwit::fuzz::Input(data, size)).run();
  return 0;
}
