// What -v says of connections: a line each when one is established (in which form, and why not the extended one), moves
// to another address, and ends (why). With -vv also the datagrams of handshakes, and one line for each episode of
// losses. Strangers cause some of them, so that the lines are limited (log_limit.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/time.h"
#include "cli/log_limit.h"
#include "trace/events.h"

namespace godwit::cli {

class ConnectionLog final : public trace::Sink {
 public:
  enum class Level : std::uint8_t { kConnections = 1, kSteps = 2 };
  // Gets each line, without its end and safe to print.
  using Output = std::function<void(std::string_view line)>;
  ConnectionLog(Level level, Output output);
  // Says how many lines were left out.
  ~ConnectionLog() override;
  ConnectionLog(const ConnectionLog&) = delete;
  ConnectionLog& operator=(const ConnectionLog&) = delete;

  void on_event(const trace::Event& event) override;

 private:
  struct Losses {
    Instant first;
    Instant last;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t timeouts = 0;
  };
  struct Peer {
    SocketAddress remote;
    Duration round_trip{};
    Losses losses;
  };

  void on_data(const trace::Event& event, const trace::HandshakePacket& packet);
  void on_data(const trace::Event& event, const trace::ConnectionStateChanged& changed);
  void on_data(const trace::Event& event, const trace::ConnectionClosed& closed);
  void on_data(const trace::Event& event, const trace::PacketLost& lost);
  void on_data(const trace::Event& event, const trace::MetricsUpdated& metrics);
  void on_data(const trace::Event& event, const trace::PacketDropped& dropped);
  template <typename T>
  void on_data(const trace::Event&, const T&) {}

  // Tells of the losses that came together, once a pause has followed them, or `at_end`.
  void end_losses(Instant now, Peer& peer, bool at_end);
  void write(Instant now, const SocketAddress& remote, std::string_view text);
  void say_left_out(Instant now, bool at_end);

  Level level_;
  Output output_;
  LogLimit limit_;
  std::map<std::uint64_t, Peer> peers_;  // established connections
  Instant now_{};                        // of the latest event
};

}  // namespace godwit::cli
