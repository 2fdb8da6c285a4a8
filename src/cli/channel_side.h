// What `pipe` and `forward` have in common: either side of a connection with channels (docs/channels.md), one that
// connects to a peer or one that waits for peers and asks who they are.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "cli/admission_options.h"
#include "cli/descriptor_set.h"
#include "cli/loop.h"
#include "cli/open_node.h"
#include "cli/via.h"
#include "runtime/connector.h"

namespace godwit::cli {

struct ChannelSideOptions {
  NetworkOptions network;
  PeerOptions peer;
  AdmissionOptions admission;
  TicketOptions ticket;
  OutputOptions output;
  bool listen = false;
};

// All but those of the output; `window` is the text of --window. To be followed by finish_side_options() when the
// command line has been read.
void add_side_options(CLI::App& app, ChannelSideOptions& options, const char* window);
void finish_side_options(ChannelSideOptions& options);
// Errors: kInvalidArgument where the options do not say whom to connect to or whom to let in, or say both.
[[nodiscard]] Status check_side(const ChannelSideOptions& options);

struct OpenedSide {
  OpenedNode opened;
  std::unique_ptr<DescriptorSet> descriptors;  // of the node
  TicketOptions ticket;                        // with what the router has answered
  std::unique_ptr<PortMapper> mapper;          // of the node; or null
};
// For at most `channels` with `window` bytes each. Nothing where that fails: it has been said, and `exit_code` is what
// the command ends with.
[[nodiscard]] std::optional<OpenedSide> open_side(const ChannelSideOptions& options, std::uint64_t window,
                                                  std::size_t channels, int& exit_code);

// The connections of a command. Fed with the endpoint's events, before the command's channels are, and turns.
class ChannelSide {
 public:
  // `name` of the command, for peers that take it for another. All outlive it.
  ChannelSide(const ChannelSideOptions& options, OpenedNode& opened, const char* name);

  [[nodiscard]] Status start();
  // True when the event is nobody else's business.
  [[nodiscard]] bool on_event(Instant now, ConnectionId connection, const Event& event) {
    return connector_ && connector_->on_event(now, connection, event);
  }
  // A peer that sends files or measures has taken this for something else.
  void refuse_message(Instant now, ConnectionId connection);
  // Whether the peer may have channels: it is told so if not. Those that this side has connected to may.
  [[nodiscard]] bool admits(Instant now, ConnectionId connection, const Connected& connected);
  void admit(const PublicKey& key) { admitted_ = key; }

  // Null for the side that listens.
  [[nodiscard]] Connector* connector() { return connector_ ? &*connector_ : nullptr; }
  [[nodiscard]] const Connector* connector() const { return connector_ ? &*connector_ : nullptr; }

 private:
  const ChannelSideOptions& options_;
  Endpoint& endpoint_;
  const char* name_;
  std::optional<Connector> connector_;
  std::optional<PublicKey> admitted_;  // by a one-time code
};

// Starts a side and makes its command findable; as open_side() where that fails.
[[nodiscard]] std::unique_ptr<FindableCommand> start_side(ChannelSide& side, LoopCommand& command,
                                                          const OpenedSide& opened, int& exit_code);

}  // namespace godwit::cli
