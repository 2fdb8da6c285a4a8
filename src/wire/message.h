// The messages inside a symmetric datagram (wire spec 2.2), as views of the decrypted plaintext: decoding copies no
// payload and allocates nothing. A view is valid as long as the plaintext it was decoded from; a message that is
// kept must be copied. The same structs are what the encoders of message_codec.h take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <variant>

#include "base/address.h"
#include "base/bytes.h"
#include "crypto/keypair.h"
#include "wire/limits.h"
#include "wire/version.h"

namespace godwit::wire {

// Acknowledgements of a decoded packet: packet ids of the other direction, read from their little-endian bytes on
// access. Every u32 may occur, also repeatedly. `raw` holds a whole number of acknowledgements.
struct AckList {
  class Iterator {
   public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = std::uint32_t;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = std::uint32_t;

    Iterator() = default;
    explicit Iterator(const std::uint8_t* at) : at_(at) {}
    std::uint32_t operator*() const { return load_le<std::uint32_t>(at_); }
    Iterator& operator++() {
      at_ += kAckSize;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    const std::uint8_t* at_ = nullptr;
  };

  ByteView raw;

  [[nodiscard]] std::size_t size() const { return raw.size() / kAckSize; }
  [[nodiscard]] bool empty() const { return raw.empty(); }
  // Requires index < size().
  [[nodiscard]] std::uint32_t operator[](std::size_t index) const {
    return load_le<std::uint32_t>(raw.data() + index * kAckSize);
  }
  [[nodiscard]] Iterator begin() const { return Iterator{raw.data()}; }
  [[nodiscard]] Iterator end() const { return Iterator{raw.data() + raw.size()}; }
};

// Success ack (index 0 with Ok, or index 6). `key` encrypts what is sent to the sender of the ack; `remote_address` is
// the receiver of the ack as its sender sees it. `version` is present in AckConnectionV2 alone, and decides which of
// the two forms is encoded.
struct AckOk {
  SymmetricKey key;
  SocketAddress remote_address;
  std::optional<VersionBytes> version;
};

// Error ack (index 0 with Err): refuses a handshake or closes a connection. `text` is valid UTF-8 of any length
// and hostile content: never print it unescaped.
struct AckError {
  std::string_view text;
};

// One whole application message (index 1). `payload` may be empty.
struct ShortMessage {
  ByteView payload;
};

// A piece of a stream (index 2). None of the numbers has been checked against anything: see stream/recv_streams.h.
struct StreamFragment {
  std::uint32_t stream_id = 0;
  std::uint64_t total_length = 0;
  std::uint32_t number = 0;  // from 1 on, in an honest sender
  ByteView payload = {};     // may be empty in fragment 1 with metadata
  std::optional<ByteView> metadata = std::nullopt;
};

// Carries acknowledgements only (index 3).
struct NoOp {};

struct Ping {  // index 4
  std::uint64_t sequence = 0;
};

struct Pong {  // index 5
  std::uint64_t sequence = 0;
};

// Negotiation of a QUIC connection (index 7, wire spec 4.8). A Godwit declines offers and makes none.
struct UpgradeOffer {
  std::uint32_t attempt = 0;
  std::uint32_t capabilities = 0;
};

struct UpgradeAccept {
  std::uint32_t attempt = 0;
};

// `reason` is one of the constants below, or any other value for no stated reason.
struct UpgradeDecline {
  std::uint32_t attempt = 0;
  std::uint8_t reason = 0;
};
inline constexpr std::uint8_t kDeclineDisabled = 1;

using Message = std::variant<NoOp, AckOk, AckError, ShortMessage, StreamFragment, Ping, Pong, UpgradeOffer,
                             UpgradeAccept, UpgradeDecline>;

// One decrypted packet. `trailing` is what follows the message: padding today (wire spec 2.1), never an error.
struct Packet {
  std::uint32_t packet_id = 0;
  AckList acks;
  Message message;
  ByteView trailing;
};

// Why a plaintext that authenticated is not a message. Such a packet is dropped: no acknowledgement, no entry in
// duplicate detection, no effect on the connection (wire spec 2.2).
enum class DecodeError : std::uint8_t {
  kTruncated,       // ends within a field, or a length reaches beyond the end
  kAcksTooLong,     // the acknowledgement count reaches beyond the end
  kUnknownVariant,  // message index above 7
  kUnknownUpgrade,  // inner index of an upgrade above 2
  kBadOption,       // option tag other than 0 and 1
  kBadResult,       // result index other than 0 and 1
  kBadAddress,      // address index other than 0 and 1
  kBadUtf8,         // error text is no UTF-8
};

// The enumerator in words, for traces: "truncated", "unknown variant", …
[[nodiscard]] std::string_view to_string(DecodeError error);

}  // namespace godwit::wire
