// A server and a client of real sockets for one case of levels 2 and 3: set up, fed, drained and verified the same way
// in each. Around node_pair.h, which knows nothing of cases.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "benches/node_pair.h"
#include "benches/suite.h"

namespace godwit::bench {

struct ConnectedPair {
  std::unique_ptr<BenchServer> server;
  std::unique_ptr<BenchClient> client;
};

struct PairOptions {
  BackendKind backend = BackendKind::kAuto;
  std::size_t batch = 64;       // datagrams a batch, at most
  std::size_t connections = 1;  // that are up before anything is measured
  BenchServer::Options server{};
};

// Nothing, and the reason in the outcome, when there are no sockets or the connections do not come up.
[[nodiscard]] std::optional<ConnectedPair> connected_pair(Bench& bench, const PairOptions& options = {});

// bench.seconds(), as the clients' loops take it.
[[nodiscard]] Duration run_time(const Bench& bench);

// Streams back to back on the first `connections` until `feeding` is false; two each, so that none pauses between the
// end of one and the start of the next. `feeding` outlives the client's events.
void feed_streams(BenchClient& client, const bool& feeding, std::size_t connections = 1);

// Turns until all that was sent is confirmed; whether it was.
[[nodiscard]] bool drained(BenchClient& client);
// All of it arrived once, compared with what was sent.
[[nodiscard]] bool all_arrived(const ServerTotals& end, const BenchClient& client);

}  // namespace godwit::bench
