// Couples a channel with what stands at its end on this machine: what is read there goes into the channel, and what
// comes out of it is written there, in both directions at once and each at the pace of its reader. At most one window
// of bytes waits to be written (the channel's flow control), and one block to be sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "channel/channel_mux.h"
#include "cli/byte_ends.h"
#include "cli/byte_queue.h"
#include "cli/descriptor_set.h"

namespace godwit::cli {

// Why the end on this machine goes no further; the channel is to be reset with the code.
struct EndFailure {
  ChannelCode code = ChannelCode::kReset;
  int error = 0;        // errno
  bool output = false;  // of writing
};

class LocalEnd {
 public:
  // Both outlive it. `token`: of the descriptors in the set.
  LocalEnd(ChannelMux& mux, DescriptorSet& set, ChannelId channel, std::uint64_t token)
      : mux_(mux), set_(set), channel_(channel), token_(token) {}
  ~LocalEnd();
  LocalEnd(const LocalEnd&) = delete;
  LocalEnd& operator=(const LocalEnd&) = delete;

  // Different descriptors for the two directions, or a socket for both. Before it, what comes waits.
  void attach(ByteEnd input, ByteEnd output);
  void attach_socket(int socket);

  void on_bytes(ByteView bytes) { to_write_.push(bytes); }
  void on_end() { channel_ended_ = true; }

  // Moves what can be moved now, and says what to wait for. To be called when a descriptor is ready, and after each
  // event of the channel. A failure ends it.
  [[nodiscard]] std::optional<EndFailure> pump(Instant now);
  // A descriptor is broken, although nothing is read or written at present.
  [[nodiscard]] std::optional<EndFailure> on_broken(int descriptor);
  // Closes the descriptors; a socket's peer learns that this is no regular end.
  void abort();

  [[nodiscard]] std::uint64_t bytes_in() const { return bytes_in_; }    // read here
  [[nodiscard]] std::uint64_t bytes_out() const { return bytes_out_; }  // written here

 private:
  static constexpr std::size_t kBlock = std::size_t{64} << 10;
  static constexpr int kRounds = 8;  // blocks that one call moves in a direction, so that others have their turn

  [[nodiscard]] std::optional<EndFailure> read_on();
  [[nodiscard]] std::optional<EndFailure> write_on(Instant now);
  [[nodiscard]] bool reads() const { return attached_ && !input_ended_ && pending_.empty(); }
  [[nodiscard]] const ByteEnd& output() const { return socket_ ? input_ : output_; }
  void watch();
  void forget();

  ChannelMux& mux_;
  DescriptorSet& set_;
  ChannelId channel_;
  std::uint64_t token_;
  ByteEnd input_;  // the socket, where it is one
  ByteEnd output_;
  bool socket_ = false;
  bool attached_ = false;
  bool hung_up_ = false;        // a socket that both sides have shut: it would be reported for ever
  bool input_ended_ = false;    // and the channel finished
  bool channel_ended_ = false;  // nothing more comes out of it
  bool output_closed_ = false;
  std::vector<std::uint8_t> pending_;  // read, and not taken by the channel
  ByteQueue to_write_;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

}  // namespace godwit::cli
