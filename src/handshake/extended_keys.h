// The keys of an extended session and the header that its packets carry in the nonce field (docs/extended_sessions.md,
// sections 4 and 6): connection tag of the receiver, key phase, packet number. Part of Session, which holds the current
// inbound key and the sealer; here are the generations before and after it, and which numbers have arrived.
//
// Each generation's secret is derived from the one before and replaces it: a key cannot be found from what is kept
// later. The two directions advance together: neither begins a generation before the other has reached the present one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/time.h"
#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"
#include "handshake/extended_handshake.h"
#include "handshake/replay_window.h"
#include "trace/events.h"

namespace godwit {

// Of the sum in a header: the generation modulo 2.
inline constexpr std::uint64_t kPhaseBit = std::uint64_t{1} << 63;

class ExtendedKeys {
 public:
  ExtendedKeys(const HandshakeContext& context, const ExtendedSecrets& secrets);

  // Of the first generation, to be taken once each.
  [[nodiscard]] std::unique_ptr<PacketSealer> take_first_sealer() { return next_sealer(0); }
  [[nodiscard]] PacketOpener take_first_opener() { return next_opener(); }

  // --- Inbound ---
  // What the nonce field of a symmetric datagram says.
  struct Header {
    std::uint64_t number = 0;
    enum class Key : std::uint8_t { kCurrent, kNext, kFormer } key = Key::kCurrent;
  };
  // kDuplicate: the number has arrived, or is too old to tell. kAuthenticationFailed: another connection's tag, or a
  // key that has been forgotten.
  [[nodiscard]] std::expected<Header, trace::DropReason> read_header(const std::uint8_t* field) const;
  // How many of the first packets, whose nonce fields are untouched, ask for the current key.
  [[nodiscard]] std::size_t leading_current(std::span<const PacketToOpen> packets) const;
  // The opener that the header asks for; `current` is the session's.
  [[nodiscard]] PacketOpener& opener(const Header& header, PacketOpener& current);
  // The datagram has authenticated. Moves on to the next generation if it is the first of it. True when it is the
  // newest so far.
  bool accept(const Header& header, PacketOpener& current);

  // Accepts the first packets in a row, all authentic under the current key, that come in order and without a gap: how
  // many. 0 where read_header() and accept() have to see each.
  [[nodiscard]] std::size_t accept_run(std::span<const PacketToOpen> packets);

  // The packet number that the nonce field of an accepted datagram says.
  [[nodiscard]] std::uint64_t number_of(const std::uint8_t* field) const;

  // --- Outbound ---
  // The packet number that the next packet of `current` gets.
  [[nodiscard]] std::uint64_t next_number(const PacketSealer& current) const {
    return (current.next_counter() - send_start_) & ~kPhaseBit;
  }
  // The sealer of the next generation when the peer has begun it, or when `current` has reached its soft limit and the
  // peer has followed the last update; else nothing.
  [[nodiscard]] std::unique_ptr<PacketSealer> update(const PacketSealer& current);

  // The former key is kept for `grace` from the first packet of the current generation on. Cheap; call it after inputs.
  void on_time(Instant now, Duration grace);
  [[nodiscard]] std::optional<Instant> next_timeout() const { return former_expires_; }
  void release_key_schedule();

  [[nodiscard]] const PublicKey& peer() const { return peer_; }
  // That packets to this side carry.
  [[nodiscard]] const wire::ConnectionTag& own_tag() const { return own_tag_; }
  [[nodiscard]] const wire::TransportParameters& theirs() const { return theirs_; }
  // Both sides have it.
  [[nodiscard]] bool has(std::uint64_t capability) const { return (capabilities_ & capability) != 0; }
  // Generations after the first that this side has sent with.
  [[nodiscard]] std::uint64_t updates() const { return send_generation_; }

 private:
  // How many packets from the first one on have nonce fields that go up by one.
  [[nodiscard]] static std::size_t in_a_row(std::span<const PacketToOpen> packets);
  [[nodiscard]] std::unique_ptr<PacketSealer> next_sealer(std::uint64_t number);
  [[nodiscard]] PacketOpener next_opener();

  CipherKind cipher_;
  PacketCipherFactory make_cipher_;
  SealerLimits limits_;
  PublicKey peer_;
  // Of this side's parameters an idle connection keeps what it needs.
  wire::ConnectionTag own_tag_;
  std::uint64_t capabilities_;  // of both sides
  wire::TransportParameters theirs_;

  // Of the generation after the newest one in use.
  Secret send_secret_;
  Secret receive_secret_;
  std::uint64_t send_start_ = 0;  // added to what a nonce field says of phase and number
  std::uint64_t receive_start_ = 0;
  std::uint64_t send_generation_ = 0;
  std::uint64_t receive_generation_ = 0;
  std::uint64_t first_number_ = 0;  // lowest that has arrived of the current generation
  std::unique_ptr<PacketOpener> former_;
  std::unique_ptr<PacketOpener> next_;
  std::optional<Instant> former_expires_;
  bool former_is_new_ = false;  // its time has not been set
  ReplayWindow window_;
};

}  // namespace godwit
