// What comes into an endpoint (endpoint.h): the application's calls and the datagrams, each led to the route that it
// belongs to. What goes out stands in endpoint_transmit.cc, who gets a place in endpoint_places.cc, what moves in
// endpoint_paths.cc. Datagrams start at receive().
#include "transport/endpoint.h"

#include <algorithm>
#include <utility>

#include "base/connect_target.h"
#include "transport/connection.h"
#include "transport/route.h"
#include "wire/datagram.h"
#include "wire/version.h"

namespace godwit {
namespace {

// Addresses of authenticated peers that are remembered after their connection, the latest ones.
constexpr std::size_t kKnownPeers = 4096;

}  // namespace

Endpoint::Endpoint(const Config& config, KeyPair keys, RandomSource& random, trace::Sink* sink, trace::CostSink* cost)
    : config_(config),
      keys_(std::move(keys)),
      random_(random),
      sink_(sink),
      cost_(cost),
      key_usage_(random),
      resets_(keys_),
      ephemeral_keys_(random, config.handshake.prepared_keys),
      cookies_(keys_),
      cookie_jar_(config.handshake.kept_cookies),
      reassembly_(config.reassembly_bytes, config.reassembly_pool),
      table_secret_(random.next_u64()),
      static_agreements_(config.handshake.kept_agreements,
                         HashKey(splitmix64(table_secret_ + 3), splitmix64(~table_secret_ - 3))),
      by_address_(table_secret_),
      by_tag_(splitmix64(table_secret_ + 2)),
      admission_(config.admission, random),
      inbound_(HashKey(splitmix64(table_secret_), splitmix64(~table_secret_)),
               std::min(config.max_connections / 2, config.max_connections_per_host)),
      known_key_(splitmix64(table_secret_ + 1), splitmix64(~table_secret_ - 1)),
      known_peers_(kKnownPeers),
      former_peers_(kKnownPeers),
      budget_(config.endpoint_rate_limit.value_or(Bandwidth::unlimited())) {
  config_.controller.seed = random.next_u64();
  handshake_ = {.config = &config_.handshake,
                .self = &keys_,
                .random = &random_,
                .cipher = config_.cipher.value_or(preferred_cipher()),
                .make_cipher = config_.make_cipher,
                .key_limits = {.soft = config_.soft_packet_limit, .hard = config_.hard_packet_limit},
                .key_usage = &key_usage_,
                .key_log = config_.key_log.get(),
                .resets = &resets_,
                .ephemeral_keys = &ephemeral_keys_,
                .static_agreements = &static_agreements_,
                .cookies = &cookies_,
                .cookie_jar = &cookie_jar_};
  context_ = std::make_unique<const ConnectionContext>(
      ConnectionContext{.config = config_,
                        .handshake = handshake_,
                        .key_usage = key_usage_,
                        .events = events_,
                        .statistics = statistics_,
                        .port_searches = port_searches_,
                        .reassembly = {.budget = &reassembly_,
                                       .delivered = &events_.delivered(),
                                       .hash_key = splitmix64(config_.controller.seed)},
                        .sink = sink_,
                        .cost = cost_});
  route_context_ = std::make_unique<const RouteContext>(
      RouteContext{.connection = *context_, .admission = admission_, .statistics = statistics_, .random = random_});
}

Endpoint::~Endpoint() = default;

// --- Slots and names ---

std::optional<std::uint32_t> Endpoint::slot_of(ConnectionId connection) const {
  const auto slot = static_cast<std::uint32_t>(connection);
  if (slot >= routes_.size() || routes_[slot].connection() == nullptr) return std::nullopt;
  if (routes_[slot].id() != connection) return std::nullopt;
  return slot;
}

std::optional<std::uint32_t> Endpoint::slot_of(const SocketAddress& remote) {
  if (remote == last_remote_) [[likely]]
    return last_slot_;
  const auto slot = by_address_.find(remote);
  if (slot) {
    last_remote_ = remote;
    last_slot_ = *slot;
  }
  return slot;
}

const Connection* Endpoint::find(ConnectionId connection) const {
  const auto slot = slot_of(connection);
  return slot ? routes_[*slot].connection() : nullptr;
}

const Connection* Endpoint::inspect(ConnectionId connection) const {
  return find(connection);
}

template <typename Use>
auto Endpoint::with_slot(std::uint32_t slot, Use use) {
  if (slot == unsettled_) [[unlikely]]
    settle();
  auto result = use(routes_[slot]);
  update_after_use(slot);
  return result;
}

template <typename T, typename Use>
T Endpoint::with_connection(ConnectionId connection, T absent, Use use) {
  const auto slot = slot_of(connection);
  if (!slot) return absent;
  return with_slot(*slot, [&](Route& route) -> T { return use(*route.connection()); });
}

void Endpoint::update_after_use(std::uint32_t slot) {
  // Handshakes that made room for newer ones may belong to any route. One that is left without any ends in its turn.
  while (const auto evicted = admission_.poll_evicted()) {
    const auto owner = static_cast<std::uint32_t>(*evicted);
    routes_[owner].drop_half_open(static_cast<std::uint32_t>(*evicted >> 32));
    statistics_.drops.add(trace::DropReason::kHandshakeTableFull);
    mark_ready(owner);
  }
  Route& route = routes_[slot];
  if (!route.in_use()) return;
  note_tag(slot);
  // Its deadline is computed once for all uses of it: when it has nothing more to send, or when somebody asks before.
  route.is_armed = false;
  if (!std::exchange(route.is_used, true)) used_.push_back(slot);
  mark_ready(slot);
}

std::uint32_t Endpoint::open_slot(const SocketAddress& remote) {
  std::uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(routes_.size());
    routes_.emplace_back(*route_context_, slot);
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  Route& route = routes_[slot];
  route.open(remote);
  if (!budget_.budget().is_unlimited()) route.member = budget_.join();
  by_address_.insert(remote, slot);
  last_remote_ = {};
  ++open_;
  return slot;
}

void Endpoint::retire(std::uint32_t slot) {
  if (slot == unsettled_) unsettled_ = kNobody;
  Route& route = routes_[slot];
  if (route.has_place) former_peers_.insert(route.remote().hash(known_key_));
  give_up_place(slot);
  forget_tag(slot);
  by_address_.erase(route.remote());
  last_remote_ = {};
  timers_.cancel(slot);
  if (route.member) budget_.leave(*route.member);
  route.member.reset();
  route.clear();
  free_slots_.push_back(slot);
  --open_;
}

void Endpoint::mark_ready(std::uint32_t slot) {
  if (std::exchange(routes_[slot].ready, true)) return;
  ready_.push_back(slot);
}

void Endpoint::arm(std::uint32_t slot) const {
  routes_[slot].is_armed = true;
  if (const auto deadline = routes_[slot].next_timeout()) timers_.arm(slot, *deadline);
}

void Endpoint::arm_used() const {
  for (const std::uint32_t slot : used_) {
    const Route& route = routes_[slot];
    route.is_used = false;
    if (route.in_use() && !route.is_armed) arm(slot);
  }
  used_.clear();
}

// --- The application's inputs ---

Result<ConnectionId> Endpoint::connect(Instant now, const SocketAddress& given, const PublicKey& peer) {
  const auto target = connect_target(given);
  if (!target) return std::unexpected(target.error());
  const SocketAddress& remote = *target;
  auto handshake = Handshake::initiate(now, handshake_, remote, peer);
  if (!handshake) return std::unexpected(handshake.error());
  if (const auto old = by_address_.find(remote)) {
    // A local connect() supersedes what was there (wire spec 4.6); the peer follows the new intro. An offer of the same
    // peer that has been answered is gone on with: the peer may be established by the answer.
    if (Connection* connection = routes_[*old].connection()) {
      connection->close(now, CloseReason::kReplaced, {});
    } else if (auto answered = routes_[*old].take_answer(peer)) {
      handshake->go_on_with(std::move(*answered));
    }
    retire(*old);
  }
  if (!make_own_place(now)) return failure(ErrorCode::kWouldBlock, "the connection table is full");
  closing_.forget(remote);
  return with_slot(open_slot(remote), [&](Route& route) {
    route.reserved = true;
    ++reserved_;
    route.connect(std::move(*handshake));
    return route.id();
  });
}

Result<MessageId> Endpoint::send(Instant now, ConnectionId connection, Body&& body, SendOptions options) {
  // The error text is only made when it is needed: it would be an allocation per message.
  const auto slot = slot_of(connection);
  if (!slot) return failure(ErrorCode::kNotFound, "no such connection");
  // What waits for settle() goes on waiting: the message may be the reply.
  auto result = routes_[*slot].connection()->send(now, std::move(body), std::move(options));
  update_after_use(*slot);
  return result;
}

bool Endpoint::extend_send_limit(Instant /*now*/, ConnectionId connection, MessageId message,
                                 std::uint64_t limit_bytes) {
  return with_connection(connection, false,
                         [&](Connection& found) { return found.extend_send_limit(message, limit_bytes); });
}

bool Endpoint::cancel(Instant now, ConnectionId connection, MessageId message, std::uint64_t code) {
  return with_connection(connection, false, [&](Connection& found) { return found.cancel(now, message, code); });
}

Result<MessageId> Endpoint::open_stream(Instant now, ConnectionId connection, const SendOptions& options) {
  const auto slot = slot_of(connection);
  if (!slot) return failure(ErrorCode::kNotFound, "no such connection");
  return with_slot(*slot, [&](Route& route) { return route.connection()->open_stream(now, options); });
}

Status Endpoint::append(ConnectionId connection, MessageId stream, ByteView bytes) {
  const auto slot = slot_of(connection);
  if (!slot) return failure(ErrorCode::kNotFound, "no such connection");
  return with_slot(*slot, [&](Route& route) { return route.connection()->append(stream, bytes); });
}

bool Endpoint::finish(ConnectionId connection, MessageId stream) {
  return with_connection(connection, false, [&](Connection& found) { return found.finish(stream); });
}

std::uint32_t Endpoint::stream_id(ConnectionId connection, MessageId message) const {
  const Connection* found = find(connection);
  return found == nullptr ? 0 : found->stream_id(message);
}

bool Endpoint::keep_stream_alive(Instant now, ConnectionId connection, std::uint32_t stream_id) {
  return with_connection(connection, false, [&](Connection& found) { return found.keep_stream_alive(now, stream_id); });
}

bool Endpoint::stop_receiving(ConnectionId connection, std::uint32_t stream_id, std::uint64_t code) {
  return with_connection(connection, false, [&](Connection& found) { return found.stop_receiving(stream_id, code); });
}

void Endpoint::consume(ConnectionId connection, std::uint32_t stream_id, std::uint64_t bytes) {
  with_connection(connection, false, [&](Connection& found) {
    found.consume(stream_id, bytes);
    return true;
  });
}

bool Endpoint::set_paused(ConnectionId connection, std::uint32_t stream_id, bool paused) {
  return with_connection(connection, false, [&](Connection& found) { return found.set_paused(stream_id, paused); });
}

Status Endpoint::ping(Instant, ConnectionId connection) {
  const auto slot = slot_of(connection);
  if (!slot) return failure(ErrorCode::kNotFound, "no such connection");
  return with_slot(*slot, [&](Route& route) { return route.connection()->ping(); });
}

void Endpoint::expect_answer(Instant now, ConnectionId connection, Duration patience) {
  with_connection(connection, false, [&](Connection& found) {
    found.expect_answer(now, patience);
    return true;
  });
}

Status Endpoint::reconnect(Instant now, ConnectionId connection) {
  const auto slot = slot_of(connection);
  if (!slot) return failure(ErrorCode::kNotFound, "no such connection");
  return with_slot(*slot, [&](Route& route) { return route.reconnect(now); });
}

void Endpoint::on_path_report(Instant now, const PathReport& report) {
  const auto slot = by_address_.find(report.remote);
  // A half-open route has no connection to tell: its handshakes end by their own timers.
  if (!slot || routes_[*slot].connection() == nullptr) return report_refused_path(report);
  with_slot(*slot, [&](Route& route) {
    if (report.refused) route.on_send_refused(report.problem);
    route.connection()->on_path_problem(now, report.problem);
    return true;
  });
}

void Endpoint::close(Instant now, ConnectionId connection, std::string_view text, std::uint64_t code) {
  if (const auto slot = slot_of(connection)) end_connection(now, *slot, CloseReason::kLocal, text, code);
}

void Endpoint::end_connection(Instant now, std::uint32_t slot, CloseReason reason, std::string_view text,
                              std::uint64_t code) {
  with_slot(slot, [&](Route& route) {
    route.close(now, reason, text, code);
    return true;
  });
}

void Endpoint::close_all(Instant now, std::string_view text) {
  for (const ConnectionId connection : connections()) close(now, connection, text);
}

void Endpoint::set_congestion(Instant now, ConnectionId connection, CongestionKind kind) {
  with_connection(connection, false, [&](Connection& found) {
    found.set_congestion(now, kind);
    return true;
  });
}

void Endpoint::set_rate_limit(Instant now, ConnectionId connection, std::optional<Bandwidth> limit) {
  with_connection(connection, false, [&](Connection& found) {
    found.set_rate_limit(now, limit);
    return true;
  });
}

// --- Datagrams ---

void Endpoint::receive(Instant now, const DatagramBatch& batch, Accounts accounts) {
  GODWIT_COST_PROBE(cost_, kRoute);
  settle();
  ++statistics_.batches_received;
  const std::size_t count = batch.segment_count();
  statistics_.datagrams_received += count;
  if (count == 0) return route_context_->drop(now, trace::DropReason::kEmpty, 0);
  if (reassembly_.nearly_full()) [[unlikely]]
    relieve_memory(now);
  // Each datagram is classified once, and all are processed in the order in which they arrived: symmetric ones in
  // batches as long as possible, which is nearly always all that has arrived.
  for (std::size_t i = 0; i < count;) {
    const std::size_t first = i;
    wire::DatagramClass kind = wire::DatagramClass::kSymmetric;
    while (i < count && is_symmetric(kind = wire::classify(batch.segment(i)))) ++i;
    if (i > first) receive_symmetric(now, batch.part(first, i - first), count == 1 ? accounts : Accounts::kAtOnce);
    if (i == count) break;
    const MutableBytes datagram = batch.segment(i++);
    if (kind == wire::DatagramClass::kIntro) {
      receive_intro(now, batch, datagram);
    } else {
      route_context_->drop(now, drop_reason(kind), datagram.size());
    }
  }
  arms_before_asking_ = arms_before_asking_ || unsettled_ == kNobody;
}

void Endpoint::receive_symmetric(Instant now, const DatagramBatch& batch, Accounts accounts) {
  const auto slot = slot_of(batch.remote);
  const bool elsewhere = closing_.size() > 0 || by_tag_.size() > 0;
  if (!slot || (elsewhere && routes_[*slot].is_unproven())) [[unlikely]] {
    return receive_without_connection(now, batch);
  }
  receive_on_route(now, *slot, batch, accounts);
}

void Endpoint::receive_on_route(Instant now, std::uint32_t slot, const DatagramBatch& batch, Accounts accounts) {
  const bool waits = with_slot(slot, [&](Route& route) {
    const bool later = route.receive(now, batch, accounts == Accounts::kAfterReply);
    GODWIT_COST_PROBE(cost_, kBookkeeping);
    return later;
  });
  if (waits) {
    unsettled_ = slot;
    unsettled_at_ = now;
  }
  if (!routes_[slot].has_place) [[unlikely]]
    take_place(now, slot);
}

// What a session that has been closed can open is its answer, and what names an extended session comes from a peer that
// has moved, or asks whether it can. A half-open route or an attempt to connect at the address does not change that.
void Endpoint::receive_without_connection(Instant now, const DatagramBatch& batch) {
  const bool refused = is_refused(batch.remote);
  for (std::size_t i = 0; i < batch.segment_count(); ++i) {
    const MutableBytes datagram = batch.segment(i);
    // A connection that this side began to a refused address may still be closing there.
    if (!refused && receive_elsewhere(now, batch, datagram)) continue;
    if (closing_.receive(now, batch.remote, datagram)) continue;
    if (const auto slot = slot_of(batch.remote)) {
      receive_on_route(now, *slot, batch.part(i, 1));
    } else if (refused) {
      route_context_->drop(now, trace::DropReason::kRefusedAddress, datagram.size());
    } else {
      const bool too_long = datagram.size() > wire::kMaxReceivedDatagram;
      route_context_->drop(now, too_long ? trace::DropReason::kTooLong : trace::DropReason::kUnknownSource,
                           datagram.size());
      queue_reset(now, batch, datagram);
    }
  }
}

void Endpoint::receive_intro(Instant now, const DatagramBatch& batch, MutableBytes datagram) {
  const auto slot = slot_of(batch.remote);
  if (!slot && !config_.accept_incoming) {
    return route_context_->drop(now, trace::DropReason::kUnknownSource, datagram.size());
  }
  if (is_refused(batch.remote)) return route_context_->drop(now, trace::DropReason::kRefusedAddress, datagram.size());
  // A repeat costs no decryption.
  if (slot && with_slot(*slot, [&](Route& route) { return route.receive_repeated_intro(now, datagram); })) {
    return;
  }
  // A half-open route proves nothing about its address.
  const bool known = slot && routes_[*slot].connection() != nullptr;
  const IntroSource source = known || is_known_peer(batch.remote) ? IntroSource::kKnown : IntroSource::kStranger;
  switch (admission_.admit_intro(now, batch.remote, datagram, source)) {
    case AdmissionVerdict::kDecrypt: break;
    case AdmissionVerdict::kReplay:
    case AdmissionVerdict::kJunk: return route_context_->drop(now, trace::DropReason::kReplayedIntro, datagram.size());
    default: return route_context_->drop(now, trace::DropReason::kRateLimited, datagram.size());
  }
  const auto intro = open_intro_datagram(keys_, datagram);
  if (!intro) {
    admission_.on_junk(batch.remote, datagram);
    return route_context_->drop(now, trace::DropReason::kAuthenticationFailed, datagram.size());
  }
  context_->record_handshake_received(now, known ? routes_[*slot].id() : 0, batch.remote, datagram);
  if (known) {
    if (with_slot(*slot, [&](Route& route) { return route.receive_intro(now, batch.local, *intro); })) return;
    retire(*slot);
  }
  answer_intro(now, batch, *intro, source);
}

// A stranger's intro makes its address half-open; so does each further one.
void Endpoint::answer_intro(Instant now, const DatagramBatch& batch, const IntroSeen& intro, IntroSource source) {
  const bool offers =
      config_.handshake.extended != ExtendedPolicy::kOff && intro.block == wire::ExtensionBlock::kPresent;
  // Whom there is no place for is told so before anything is computed for it. Intros that lead nowhere anyway go on to
  // what they would be told.
  const bool compatible = wire::compatible(config_.handshake.version, intro.intro.version);
  const bool acceptable = compatible && (offers || config_.handshake.extended != ExtendedPolicy::kRequire);
  if (acceptable && !would_admit(now, batch.remote)) {
    if (admission_.may_send_refusal(now)) queue_error_ack(now, batch, intro, "too many connections");
    return route_context_->drop(now, trace::DropReason::kConnectionTableFull, intro.datagram_bytes);
  }
  // Not answered in the deployed form either: that would be a downgrade. The initiator repeats its intro.
  std::optional<ByteView> cookie;
  if (offers && intro.cookie && cookies_.valid(*intro.cookie, time_of_day_ms(now, config_.handshake))) {
    cookie = *intro.cookie;
  }
  if (offers && !admission_.admit_offer(now, source, cookie)) {
    return route_context_->drop(now, trace::DropReason::kRateLimited, intro.datagram_bytes);
  }
  auto handshake = Handshake::accept(now, handshake_, batch.remote, intro);
  if (!handshake) {
    if (handshake.error() == trace::DropReason::kIncompatibleVersion && admission_.may_send_error_ack(now)) {
      queue_error_ack(now, batch, intro, version_mismatch_text(handshake_));
    }
    return route_context_->drop(now, handshake.error(), intro.datagram_bytes);
  }
  auto slot = slot_of(batch.remote);
  if (!slot) slot = open_slot(batch.remote);
  with_slot(*slot, [&](Route& route) {
    route.add_half_open(now, batch.local, intro, std::move(*handshake));
    return true;
  });
}

void Endpoint::queue_error_ack(Instant now, const DatagramBatch& batch, const IntroSeen& intro, std::string_view text) {
  if (stateless_.size() >= kMaxStatelessDatagrams) return;
  std::vector<std::uint8_t> datagram(wire::kMaxDatagram);
  datagram.resize(write_error_ack(handshake_, intro.intro, text, datagram));
  if (datagram.empty()) return;
  admission_.on_answered(batch.remote, intro.fingerprint);
  admission_.on_unproven_intro(now, batch.remote, intro.datagram_bytes);
  if (!admission_.may_reply(now, batch.remote, datagram.size())) {
    ++statistics_.replies_withheld;
    return;
  }
  stateless_.push_back({batch.local, batch.remote, std::move(datagram)});
  ++statistics_.error_acknowledgements_sent;
}

}  // namespace godwit
