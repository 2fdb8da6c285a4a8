// Two endpoints in memory with any number of connections between them, datagrams handed over at once: the whole core
// without kernel and clock. Time is virtual, so that counts are exact. Used by level 1 and by the cases of level 3 that
// watch idle connections.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "transport/endpoint.h"

namespace godwit::bench {

// Cases come in both forms of a session; those of the extended one have this behind their names and titles.
[[nodiscard]] constexpr std::string_view form_suffix(ExtendedPolicy extended) {
  return extended == ExtendedPolicy::kOff ? "" : "-extended";
}
[[nodiscard]] constexpr std::string_view form_title(ExtendedPolicy extended) {
  return extended == ExtendedPolicy::kOff ? "" : ", extended session";
}

class EndpointNet {
 public:
  explicit EndpointNet(const Config& config, std::size_t connections = 1, trace::Sink* sink = nullptr);

  // Opens every connection and runs until all are established. False when one is not.
  [[nodiscard]] bool connect();
  // Connects to one more address, by its number; not awaited.
  [[nodiscard]] std::optional<ConnectionId> initiate(std::size_t index);
  // Time goes on by `step`; due timers run, and datagrams move both ways until none is left. True when any did.
  bool exchange(Duration step = std::chrono::microseconds(100));
  // Goes straight to the next timer of either side, as an idle loop sleeps; false when there is none before `end`.
  bool sleep_until_next_timer(Instant end);

  [[nodiscard]] Endpoint& server() { return *server_; }
  [[nodiscard]] Endpoint& client() { return *client_; }
  // What one side's connections hold goes with it.
  void destroy_server() { server_.reset(); }
  [[nodiscard]] ConnectionId connection(std::size_t index) const { return connections_[index]; }
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  [[nodiscard]] Instant now() const { return now_; }
  // Whether every session on either side so far has had the form that this policy leads to between two Godwits.
  [[nodiscard]] bool forms_are(ExtendedPolicy policy) const {
    return extended_ == (policy == ExtendedPolicy::kOff ? 0 : connected);
  }

  // From now on what is delivered is compared with this, byte for byte: a stream from its start, a message as a whole.
  void expect(ByteView content) { expected_ = content; }

  // What came out at either side.
  std::uint64_t delivered_bytes = 0;
  std::uint64_t delivered_messages = 0;
  std::uint64_t compared_bytes = 0;
  std::uint64_t differences = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t failed = 0;
  std::uint64_t closed = 0;
  std::uint64_t connected = 0;
  std::uint64_t datagrams = 0;
  std::uint64_t wire_bytes = 0;
  std::uint64_t timers = 0;  // times that either side was woken by a timer

 private:
  bool flush(Endpoint& from, Endpoint& to, std::uint16_t from_port);
  void run_timers(Endpoint& endpoint);
  void collect(Endpoint& endpoint);
  void compare(ByteView bytes, std::uint64_t offset);

  DeterministicRandom random_{11};
  KeyPair server_keys_;
  std::unique_ptr<Endpoint> server_;
  std::unique_ptr<Endpoint> client_;
  std::size_t wanted_;
  std::vector<ConnectionId> connections_;
  TransmitBuffer buffer_{128 * 1024};
  Instant now_{std::chrono::seconds(1000)};
  std::uint64_t extended_ = 0;  // of those in `connected`
  ByteView expected_;
};

}  // namespace godwit::bench
