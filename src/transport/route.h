// One address and everything that speaks from it: a connection, and handshakes that have not proved themselves yet
// (pending). Where there is no connection the address is half-open: anybody may have written it on an intro, so several
// handshakes are pending at once and the first that is confirmed becomes the connection. Beside an established session
// an intro is at first a question to that session; only one that does not answer gets a handshake beside it (wire spec
// W5). Endpoint finds the route of a datagram, asks Admission, and arms the timers afterwards.
//
// Nothing here follows a datagram that has not been authenticated: replies leave from the local address that the newest
// authentic packet came to, those of a handshake from where its intro came to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/datagram_batch.h"
#include "base/path_problem.h"
#include "congestion/fair_share.h"
#include "handshake/handshake.h"
#include "transport/admission.h"
#include "transport/connection.h"
#include "transport/statistics.h"
#include "transport/transmit_buffer.h"
#include "transport/unopenable_budget.h"

namespace godwit {

// What all routes of an endpoint share; outlives them.
struct RouteContext {
  const ConnectionContext& connection;
  Admission& admission;
  EndpointStatistics& statistics;
  RandomSource& random;

  [[nodiscard]] const Config& config() const { return connection.config; }
  [[nodiscard]] const HandshakeContext& handshake() const { return connection.handshake; }
  // Counts a datagram of `bytes` bytes that belongs to no connection.
  void drop(Instant now, trace::DropReason reason, std::size_t bytes) const;
};

class Route {
 public:
  // Handshakes pending at once beside a session, each of which is answered once: no more answers may be sent. Where
  // there is no session: see most_half_open().
  static constexpr std::size_t kMostBesideSession = UnopenableBudget::kMost;

  // `slot` is the endpoint's number for this object, which serves one address after another.
  Route(const RouteContext& context, std::uint32_t slot) : context_(&context), slot_(slot) {}

  // --- Life ---
  // Begins to serve `remote`, half-open and without a handshake.
  void open(const SocketAddress& remote);
  // Begins a connection under a new id with the handshake of an initiator.
  void connect(Handshake handshake);
  // Forgets all parties; the slot is free.
  void clear();
  [[nodiscard]] bool in_use() const { return remote_.is_specified(); }
  // Nobody has proved to be at the address.
  [[nodiscard]] bool is_unproven() const { return connection_ == nullptr || connection_->is_handshaking(); }
  // Nothing is left to do for the address.
  [[nodiscard]] bool finished() const { return pending_.empty() && (!connection_ || connection_->is_finished()); }
  [[nodiscard]] ConnectionId id() const { return std::uint64_t{generation_} << 32 | slot_; }
  [[nodiscard]] const SocketAddress& remote() const { return remote_; }
  // Where the peer's datagrams arrive: replies leave from there.
  [[nodiscard]] const SocketAddress& local() const { return local_; }
  // The kernel refused to send: the local address may be one that this host has had. It chooses one itself until the
  // next authentic datagram has come in.
  void on_send_refused(PathProblem problem);
  // Null while the route is half-open.
  [[nodiscard]] Connection* connection() { return connection_.get(); }
  [[nodiscard]] const Connection* connection() const { return connection_.get(); }
  [[nodiscard]] std::size_t pending_handshakes() const { return pending_.size(); }

  // --- Inputs. After each, the endpoint brings the route's timers and readiness up to date. ---
  // Datagrams that are symmetric by wire::classify(), all of them. `batch.remote` is remote(). `later`: the accounts
  // may wait for Connection::settle(). Whether they do.
  bool receive(Instant now, const DatagramBatch& batch, bool later = false);
  // One symmetric datagram from another address, which names the connection of this route by its tag.
  [[nodiscard]] bool receive_elsewhere(Instant now, const PathAddress& from, MutableBytes datagram, Ecn ecn);
  // The peer has moved, as the connection has found out.
  void move_to(Instant now, const PathAddress& path);
  // The tag that packets to an extended session carry; 0: there is none.
  [[nodiscard]] std::uint32_t connection_tag() const;
  // Takes an intro that needs no decryption: a repeat of one that a handshake here answers, or of one that waits for
  // the session's answer, or the one that the session was founded on. False for every other one.
  [[nodiscard]] bool receive_repeated_intro(Instant now, MutableBytes datagram);
  // An intro that the endpoint has opened, at a route with a connection. False when that has ended and only waits to
  // send its close packet: the address is then as good as unknown.
  [[nodiscard]] bool receive_intro(Instant now, const SocketAddress& local, const IntroSeen& intro);
  // One more handshake at a half-open route.
  void add_half_open(Instant now, const SocketAddress& local, const IntroSeen& intro, Handshake handshake);
  // The latest answer that a half-open route has given to an offer made with the key `peer`, which is connected to now.
  [[nodiscard]] std::optional<AnsweredOffer> take_answer(const PublicKey& peer);
  // Admission has made room for a newer handshake.
  void drop_half_open(std::uint32_t number);
  // Endpoint::reconnect() for the connection of this route.
  [[nodiscard]] Status reconnect(Instant now);
  void close(Instant now, CloseReason reason, std::string_view text, std::uint64_t code = 0);
  void handle_timeout(Instant now);

  // --- Outputs ---
  [[nodiscard]] std::optional<DatagramBatch> poll_transmit(Instant now, TransmitBuffer& buffer);
  // Connection's function of this name.
  [[nodiscard]] std::optional<DatagramBatch> poll_reply(Instant now, TransmitBuffer& buffer);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // --- The endpoint's own notes about this slot ---
  std::optional<FairShare::Member> member;  // of the shared budget
  bool ready = false;                       // waits for its turn to transmit
  mutable bool is_used = false;             // is in the endpoint's list of used slots
  mutable bool is_armed = false;            // the endpoint's timer knows its deadline
  bool has_place = false;                   // counted in the connection table as established
  bool reserved = false;                    // holds one of the places for own connections and known peers
  std::uint32_t known_tag = 0;              // under which the endpoint finds the slot; 0: none

 private:
  struct Pending {
    Handshake handshake;
    SocketAddress local;  // where the intro came to: the answers leave from there
    std::uint32_t number = 0;
    IntroFingerprint intro;
    bool initiates = false;  // connects to a peer that may have restarted
    // Of reconnect(): the session is asked before each datagram of the handshake, and keeps the route if it answers.
    bool reconnects = false;
    // Pings that the session had sent when the intro came. The peer has not left the session for this handshake when it
    // answers a later one; what was merely under way says nothing about that.
    std::uint32_t pings_before = 0;
  };
  // A valid intro has come from the address of a session, which has been pinged: did the peer restart?
  struct Question {
    IntroSeen intro;  // one of those that have come since, each with the same chance
    SocketAddress local;
    Instant asked_at;
    Instant decide_at;
    std::uint32_t pings_before = 0;  // as in Pending
    std::uint32_t intros = 1;
    bool asked_again = false;
  };

  // A session that this side initiated, under the policy: it yields only to a peer that proves its key again.
  [[nodiscard]] bool must_prove_again() const;
  // Handshakes pending at once at a half-open route. Each intro that is decrypted begins one, and beyond the limit the
  // oldest of the newer half gives way. The older half holds whatever can be decrypted in one burst: the burst of new
  // intros, and the one of repeats of refused ones. Behind it the newer half gives a peer the time of as many
  // decryptions, a second at the default rates, to confirm its own.
  [[nodiscard]] std::size_t most_half_open() const { return 4 * context_->config().admission.address_burst; }
  [[nodiscard]] bool heard_since(Instant now, Instant then) const;
  [[nodiscard]] Duration patience() const;
  void receive_with_pending(Instant now, const DatagramBatch& batch);
  void question_session(Instant now, const SocketAddress& local, const IntroSeen& intro);
  void decide(Instant now);
  void begin_beside(Instant now, const SocketAddress& local, const IntroSeen& intro, std::uint32_t pings_before);
  // For one more than there are, of at most so many.
  void make_room(std::size_t most);
  Pending& add_pending(const SocketAddress& local, const IntroFingerprint& intro, Handshake handshake);
  [[nodiscard]] bool reconnecting() const;
  void remove_pending(std::size_t index, HandshakeEnd end = HandshakeEnd::kGivenUp);
  void clear_pending();
  // What stays of the pending handshakes when number `established` has become the session.
  void keep_later_pending(std::uint32_t established);
  // True while the pending handshake `index` is still there.
  bool advance_pending(Instant now, std::size_t index, const HandshakeStep& step, ByteView datagram,
                       const SocketAddress& local);
  void establish(Instant now, std::size_t index, const HandshakeStep& step, ByteView datagram,
                 const SocketAddress& local);
  [[nodiscard]] bool may_send(Instant now, ByteView datagram);
  [[nodiscard]] std::optional<DatagramBatch> poll_pending(Instant now, TransmitBuffer& buffer);

  const RouteContext* context_;
  std::uint32_t slot_;
  std::uint32_t generation_ = 0;
  std::uint32_t handshakes_ = 0;  // numbers given out
  SocketAddress remote_;
  SocketAddress local_;
  std::unique_ptr<Connection> connection_;
  std::vector<std::unique_ptr<Pending>> pending_;  // oldest first
  std::unique_ptr<Question> question_;
  std::unique_ptr<UnopenableBudget> beside_;  // from the first handshake beside a session on
};

}  // namespace godwit
