// A simulated machine (host.h). Datagrams: on_datagram() -> read_inbox() -> Endpoint -> drain_events(). A turn():
// timers, flush() of what is to be sent, arm() of the next wake-up.
#include "sim/host.h"

#include <algorithm>
#include <array>

#include "sim/key_cache.h"
#include "sim/simulator.h"
#include "transport/connection.h"

namespace godwit::sim {
namespace {

// More batches than this in one turn are a loop without end.
constexpr std::size_t kMostBatchesPerTurn = 20'000;
// More rounds of timers at one instant are a spin.
constexpr std::size_t kMostRoundsPerTurn = 8;
constexpr std::size_t kMostBatchBytes = 64 * 1024;

}  // namespace

Host::Host(Simulator& simulator, std::uint32_t index, const HostSpec& spec, std::uint64_t seed)
    : simulator_(simulator),
      index_(index),
      spec_(&spec),
      random_(seed),
      address_(simulator.inside_address(index)),
      other_address_(SocketAddress::ipv4({172, 16, 0, 1}, address_.port())),
      keys_(make_keys()),
      buffer_(64 * 1024 + 2048),
      // Every machine has been up for another while.
      offset_(Duration{static_cast<Duration::rep>(random_.below(1'000'000'000'000'000))}),
      peers_(simulator.scenario().hosts.size()) {
  if (spec.seal_delay > Duration::zero()) {
    sealing_ = std::make_unique<DelayedSealing>(spec.seal_delay, splitmix64(seed ^ 0x7365616c));
  }
}

Host::~Host() {
  if (sealing_) sealing_->clear();
}

KeyPair Host::make_keys() {
  if (simulator_.scenario().attacks.empty()) return *KeyPair::generate(random_);
  // Another one for each host.
  key_index_ = static_cast<std::uint32_t>(random_.below(kCachedKeys / 8)) * 8 + index_ % 8;
  return cached_key_pair(key_index_);
}

// --- Life ---

void Host::start(Instant now) {
  Config config = spec_->config;
  config.send_queue.readers = sealing_.get();
  // Half of the hosts hear of chunks that come together at once.
  config.streams.runs = index_ % 2 == 1;
  endpoint_ = std::make_unique<Endpoint>(config, *KeyPair::from_secret(keys_.secret().bytes()), random_,
                                         static_cast<trace::Sink*>(this));
  memory_ = 0;
  turn(now);
}

void Host::kill(Instant now) {
  if (sealing_) sealing_->clear();
  endpoint_.reset();
  for (Peer& peer : peers_) peer = {};
  hostile_.clear();
  drop_replies(now, std::nullopt);
  for (const std::uint32_t packet : inbox_) simulator_.release(packet);
  inbox_.clear();
  inbox_bytes_ = 0;
  wake_at_ = Instant::max();
}

void Host::renew_keys() {
  keys_ = make_keys();
}

void Host::resume(Instant now) {
  stalled_ = false;
  on_sealed(now);
  read_inbox(now);
}

void Host::jump_clock(Instant now, Duration by) {
  offset_ += by;
  turn(now);
}

void Host::close_all(Instant now) {
  if (!endpoint_) return;
  endpoint_->close_all(local(now), "the scenario has ended");
  turn(now);
}

void Host::leave(Instant now) {
  leaving_ = true;
  close_all(now);
}

void Host::reconnect(Instant now) {
  if (!endpoint_) return;
  for (std::uint32_t peer = 0; peer < peers_.size(); ++peer) {
    if (peers_[peer].connection == 0 || simulator_.scenario().hosts[peer].nat) continue;
    const auto started = initiate(now, peer);
    drain_events(now);
    if (started) peers_[peer].connection = *started;
  }
  turn(now);
}

std::optional<ConnectionId> Host::initiate(Instant now, std::uint32_t peer) {
  const SocketAddress remote = simulator_.outside_address(peer);
  const auto started = [&] {
    const MemoryMeter meter(memory_);
    return endpoint_->connect(local(now), remote, simulator_.host(peer).public_key());
  }();
  if (!started) {
    simulator_.on_refused_attempt(now, index_, started.error().message);
    return std::nullopt;
  }
  simulator_.on_initiated(now, index_, remote, *started);
  return *started;
}

// --- Network and time ---

SocketAddress Host::local_of(const Packet& packet) const {
  return packet.other_interface ? other_address_ : address_;
}

void Host::on_datagram(Instant now, std::uint32_t packet) {
  Packet& arrived = simulator_.packet(packet);
  if (!endpoint_) return simulator_.release(packet);
  if (!stalled_ && spec_->receive_interval == Duration::zero()) {
    receive(now,
            {.local = local_of(arrived),
             .remote = arrived.source,
             .bytes = arrived.view(),
             .segment_size = arrived.size,
             .ecn = arrived.ecn},
            arrived.forged ? 1 : 0, arrived.sent_at);
    simulator_.release(packet);
    return turn(now);
  }
  if (inbox_bytes_ + arrived.size > spec_->socket_buffer) {
    ++statistics_.socket_overflows;
    return simulator_.release(packet);
  }
  inbox_bytes_ += arrived.size;
  inbox_.push_back(packet);
  if (stalled_ || inbox_scheduled_) return;
  inbox_scheduled_ = true;
  simulator_.schedule(now + spec_->receive_interval, EventKind::kInbox, index_);
}

// Datagrams of one peer, one size and one mark travel as one batch, as a kernel's receive offload hands them over.
void Host::read_inbox(Instant now) {
  inbox_scheduled_ = false;
  if (!endpoint_ || stalled_) return;
  std::vector<std::uint32_t> arrived;
  arrived.swap(inbox_);
  inbox_bytes_ = 0;
  for (std::size_t at = 0; at < arrived.size();) {
    const Packet& first = simulator_.packet(arrived[at]);
    const SocketAddress remote = first.source;
    const Instant sent_at = first.sent_at;
    const std::size_t segment = first.size;
    const SocketAddress local = local_of(first);
    const Ecn ecn = first.ecn;
    std::size_t forged = 0;
    arena_.clear();
    while (at < arrived.size() && endpoint_) {
      Packet& next = simulator_.packet(arrived[at]);
      if (next.source != remote || next.size > segment || arena_.size() + next.size > kMostBatchBytes) break;
      if (local_of(next) != local || next.ecn != ecn) break;
      forged += next.forged ? 1 : 0;
      arena_.insert(arena_.end(), next.bytes.begin(), next.bytes.begin() + next.size);
      const bool last = next.size < segment;
      simulator_.release(arrived[at++]);
      if (last) break;
    }
    receive(now, {.local = local, .remote = remote, .bytes = arena_, .segment_size = segment, .ecn = ecn}, forged,
            sent_at);
  }
  turn(now);
}

void Host::receive(Instant now, const DatagramBatch& batch, std::size_t forged, Instant sent_at) {
  worked_ = true;
  statistics_.datagrams_read += batch.segment_count();
  const auto peer = simulator_.public_host_at(batch.remote);
  const bool established = peer && has_session_with(*peer);
  const std::uint64_t unopened = unopened_ + forged;
  {
    const MemoryMeter meter(memory_);
    endpoint_->receive(local(now), batch, Endpoint::Accounts::kAfterReply);
  }
  if (established && unopened_ > unopened && simulator_.host(*peer).had_session_with(index_, sent_at))
    simulator_.on_unopened(now, index_, *peer, unopened_ - unopened);
  drain_events(now);
}

bool Host::has_session_with(std::uint32_t peer) const {
  const ConnectionId connection = peers_[peer].connection;
  const Connection* session = connection != 0 ? endpoint_->inspect(connection) : nullptr;
  return session != nullptr && session->is_established();
}

void Host::wake(Instant at) {
  if (at != wake_at_) return;  // an earlier one has taken its place
  wake_at_ = Instant::max();
  ++statistics_.wakes;
  turn(at);
}

void Host::turn(Instant now) {
  if (!endpoint_ || stalled_) return;
  // What one timer does may make another one due at once; a driver would come back without waiting.
  for (std::size_t round = 0; round < kMostRoundsPerTurn; ++round) {
    const auto due = endpoint_->next_timeout();
    const bool expired = due && *due <= local(now);
    if (!expired && round > 0) break;
    if (expired) {
      {
        const MemoryMeter meter(memory_);
        endpoint_->handle_timeout(local(now));
      }
      drain_events(now);
    }
    flush(now);
    while (!replies_.empty()) {
      const std::size_t before = replies_.size();
      send_replies(now);
      flush(now);
      if (replies_.size() >= before) break;
    }
  }
  simulator_.after_turn(now, index_, worked_, memory_);
  worked_ = false;
  arm(now);
}

void Host::on_sealed(Instant now) {
  if (!endpoint_ || stalled_ || !sealing_) return;
  const bool was_full = sealing_->full();
  sealing_->run_due(now);
  send_sealed(now);
  if (was_full && !sealing_->full()) turn(now);
}

void Host::arm(Instant now) {
  // What is due may be waiting for room, which a batch on its way will make.
  if (sealing_ && sealing_->full()) return;
  const auto next = endpoint_->next_timeout();
  if (!next) return;
  const Instant at = std::max(now, *next - offset_);
  if (at >= wake_at_) return;
  wake_at_ = at;
  simulator_.schedule(at, EventKind::kHostWake, index_);
}

void Host::flush(Instant now) {
  drain_events(now);
  for (std::size_t batches = 0;; ++batches) {
    buffer_.reset();
    TransmitBuffer* const buffer = sealing_ ? sealing_->begin() : &buffer_;
    if (buffer == nullptr) {
      endpoint_->settle();
      return drain_events(now);
    }
    sent_data_.clear();
    traced_datagrams_ = traced_bytes_ = 0;
    const auto batch = [&] {
      const MemoryMeter meter(memory_);
      auto reply = endpoint_->poll_reply(local(now), *buffer);
      return reply ? reply : endpoint_->poll_transmit(local(now), *buffer);
    }();
    simulator_.on_handed_out(index_, batch, traced_datagrams_, traced_bytes_);
    if (batch) {
      worked_ = true;
      ++statistics_.batches_sent;
      statistics_.datagrams_sent += batch->segment_count();
      statistics_.bytes_sent += batch->bytes.size();
      std::uint64_t fresh = 0;
      ConnectionId owner = 0;
      for (const SentData& data : sent_data_) {
        if (data.retransmission) {
          simulator_.on_data(local(now), index_, data.connection, data.bytes, true);
        } else {
          fresh += data.bytes;
          owner = data.connection;
        }
      }
      if (fresh > 0) simulator_.on_data(local(now), index_, owner, fresh, false);
      if (sealing_) {
        if (const Instant sealed = sealing_->submit(now, *batch); sealed > now) {
          simulator_.schedule(sealed, EventKind::kSealed, index_);
        }
        send_sealed(now);
      } else {
        send_batch(now, *batch);
      }
    }
    drain_events(now);
    if (!batch) return;
    if (batches > kMostBatchesPerTurn) {
      return simulator_.check_log().report(Rule::kTimer, now, "a host transmits without end");
    }
  }
}

void Host::send_batch(Instant now, const DatagramBatch& batch) {
  for (std::size_t i = 0; i < batch.segment_count(); ++i) {
    const bool nowhere = batch.local.is_specified() && batch.local != address_;
    simulator_.transmit(now, index_, batch.remote, batch.segment(i), batch.ecn, nowhere);
  }
}

// In the order in which they were put together, as far as they have been sealed.
void Host::send_sealed(Instant now) {
  while (const DatagramBatch* const batch = sealing_->front()) {
    send_batch(now, *batch);
    sealing_->pop();
  }
}

}  // namespace godwit::sim
