// Events as qlog: a JSON text sequence (RFC 7464) after draft-ietf-quic-qlog-main-schema, one record an event, with the
// event names of draft-ietf-quic-qlog-quic-events where one fits and names of our own under "godwit:" otherwise, so
// that the tools made for QUIC show a Godwit connection. Writes through a callback; does no I/O of its own.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "trace/events.h"

namespace godwit::trace {

struct QlogOptions {
  std::string title = "godwit";
  // "client", "server", or "unknown": an endpoint is both.
  std::string vantage_point = "unknown";
};

class QlogSink final : public Sink {
 public:
  using Output = std::function<void(std::string_view record)>;

  // Writes the header record at once. `output` gets whole records, each with its separator and line end; the view is
  // valid during the call only.
  explicit QlogSink(Output output, const QlogOptions& options = {});

  void on_event(const Event& event) override;

 private:
  Output output_;
  std::string record_;
};

}  // namespace godwit::trace
