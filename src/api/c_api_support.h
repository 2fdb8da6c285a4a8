// Conversions between the C interface (include/godwit/godwit_c.h) and the C++ one. Used by api/ alone.
#pragma once

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "godwit/endpoint.h"
#include "godwit/godwit_c.h"
#include "godwit/node.h"

namespace godwit::v1::c_api {

// Keeps the text for godwit_last_error() and returns `status`.
godwit_status fail(godwit_status status, std::string_view message);
godwit_status fail(const Error& error);

// Nothing is thrown through C: what runs out of memory is an error like others.
template <typename Call>
godwit_status guarded(Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return fail(GODWIT_NO_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return fail(GODWIT_SYSTEM, error.what());
  }
}
// The same for calls without a status: they have no effect then, or return `otherwise`.
template <typename Call, typename Value>
Value guarded_or(Value otherwise, Call call) {
  Value result = otherwise;
  static_cast<void>(guarded([&] {
    result = call();
    return GODWIT_OK;
  }));
  return result;
}

[[nodiscard]] inline std::string_view text_or(const char* text, std::string_view otherwise) {
  return text == nullptr ? otherwise : std::string_view(text);
}

// The same for calls without a result.
template <typename Call>
void guarded_void(Call call) {
  static_cast<void>(guarded([&] {
    call();
    return GODWIT_OK;
  }));
}

// Into a field of fixed size, cut where it is too long, with a zero at its end.
template <std::size_t kSize>
void copy_text(const std::string& from, char (&to)[kSize]) {
  const std::size_t length = std::min(from.size(), kSize - 1);
  std::memcpy(to, from.data(), length);
  to[length] = '\0';
}

// The fields that the program knows (`size` bytes) over the defaults of the library.
[[nodiscard]] godwit_options complete(const godwit_options* given);
[[nodiscard]] godwit_send_options complete(const godwit_send_options* given);
[[nodiscard]] NodeOptions to_node_options(const godwit_options& options);
[[nodiscard]] SendOptions to_send_options(const godwit_send_options& options);
[[nodiscard]] Result<SecretKey> to_key(const std::uint8_t secret[32]);

[[nodiscard]] Address to_cpp(const godwit_address& address);
[[nodiscard]] godwit_address to_c(const Address& address);
[[nodiscard]] std::vector<ByteView> to_pieces(const godwit_piece* pieces, std::size_t count);
// How many there are.
std::size_t copy_connections(const std::vector<ConnectionId>& from, godwit_connection* to, std::size_t capacity);
// With a zero at its end. kTooLarge when that does not fit.
[[nodiscard]] godwit_status copy_text(std::string_view from, char* to, std::size_t capacity);
// What a call came to, with the text of the error.
[[nodiscard]] inline godwit_status to_status(const Result<void>& result) {
  return result ? GODWIT_OK : fail(result.error());
}
// `message` may be null.
[[nodiscard]] inline godwit_status put_message(const Result<MessageId>& sent, godwit_message* message) {
  if (!sent) return fail(sent.error());
  if (message != nullptr) *message = *sent;
  return GODWIT_OK;
}

// Texts and bytes point into `event`.
[[nodiscard]] godwit_event to_c(const Event& event);
[[nodiscard]] godwit_statistics to_c(const Statistics& statistics);
[[nodiscard]] godwit_endpoint_statistics to_c(const EndpointStatistics& statistics);
[[nodiscard]] godwit_liveness to_c(const Liveness& liveness);
[[nodiscard]] Result<Ticket> to_ticket(const godwit_ticket& ticket);

// Writes as much of `from` as a program knows that was compiled for a structure of `to->size` bytes; `size` stays.
template <typename Struct>
void write_known_part(const Struct& from, Struct* to) {
  const std::size_t known = std::min(to->size, sizeof(Struct));
  Struct copy = from;
  copy.size = to->size;
  std::memcpy(static_cast<void*>(to), &copy, known);
}

}  // namespace godwit::v1::c_api
