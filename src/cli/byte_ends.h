// The two ends of a byte stream at this machine, read and written without ever waiting: standard input and output,
// whatever they are, or a connected TCP socket. They report as values what went wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace godwit::cli {

// What came of an attempt to read or write.
struct ByteCount {
  enum class State : std::uint8_t {
    kSome,    // `bytes` of them
    kWait,    // nothing now
    kEnd,     // reading: nothing will come any more
    kFailed,  // `error`
  };
  State state = State::kWait;
  std::size_t bytes = 0;
  int error = 0;  // errno
};

// One descriptor, read or written. It is owned, and closed at the end.
class ByteEnd {
 public:
  // How a descriptor is kept from waiting.
  enum class Kind : std::uint8_t {
    kNonBlocking,  // it has O_NONBLOCK, which is nobody else's business: its file description is this process's own
    kSocket,       // each call says so
    kFile,         // it never waits for long
    kGuarded,      // asked before each call; little is written at once
  };

  ByteEnd() = default;
  ByteEnd(int descriptor, Kind kind) : descriptor_(descriptor), kind_(kind) {}
  ByteEnd(ByteEnd&& other) noexcept;
  ByteEnd& operator=(ByteEnd&& other) noexcept;
  ByteEnd(const ByteEnd&) = delete;
  ByteEnd& operator=(const ByteEnd&) = delete;
  ~ByteEnd() { close(); }

  // Descriptor 0 or 1 of this process, taken away from it: what reads 0 or writes 1 afterwards finds the null device.
  // Errors: kSystem.
  [[nodiscard]] static Result<ByteEnd> take_standard(int descriptor);

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  [[nodiscard]] ByteCount read(std::span<std::uint8_t> into) const;
  [[nodiscard]] ByteCount write(ByteView bytes) const;
  // Nothing more will be written: whoever reads finds the end. A socket stays open for the other direction. 0, or what
  // was found only now, as a full disk.
  int end_writing();
  int close();

 private:
  int descriptor_ = -1;
  Kind kind_ = Kind::kGuarded;
};

}  // namespace godwit::cli
