// Errors of start-up and of the API as values. Nothing in Godwit throws for what a peer, a file or the system can
// cause.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace godwit {

enum class ErrorCode : std::uint8_t {
  kInvalidArgument,  // the caller's value is out of its documented range
  kWouldBlock,       // a bounded queue is full; a `writable` event follows
  kClosed,           // the connection has ended
  kNotFound,         // no such connection, file or stream
  kTooLarge,         // beyond a limit of the wire
  kPermission,       // the system refused
  kSystem,           // any other system error; the message holds strerror
  kUnsupported,      // this machine or kernel lacks the feature
  kProtocol,         // the peer broke the rules of the protocol
  kTimeout,
  kUnauthenticated,  // the peer could not be authenticated by the expected key
};

// An error and one line for a person: what failed, with what value, and why.
struct Error {
  ErrorCode code = ErrorCode::kSystem;
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

[[nodiscard]] inline std::unexpected<Error> failure(ErrorCode code, std::string message) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace godwit
