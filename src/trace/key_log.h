// The symmetric keys of an endpoint's sessions, for whoever looks into its own traffic: told to a KeyLog, and to nobody
// where there is none. Trace events name keys by number alone (decisions 10), so that a trace never gives a session
// away.
#pragma once

#include <functional>
#include <string_view>

#include "base/bytes.h"

namespace godwit::trace {

// Runs inside the core: it must not block, throw or call back into the endpoint. The views are valid during the call
// only. Shards call one KeyLog from several threads.
class KeyLog {
 public:
  virtual ~KeyLog() = default;
  // A key of the deployed form, 16 bytes: of one direction. The same key may be told several times.
  virtual void on_key(ByteView key) = 0;
  // The first secret of one direction of an extended session, 32 bytes. The keys of all later generations follow from
  // it, so that a key update tells nothing new.
  virtual void on_secret(ByteView secret) = 0;
};

// Passes on lines in the format of contrib/wireshark, each with its end.
class KeyLogWriter final : public KeyLog {
 public:
  using Output = std::function<void(std::string_view line)>;
  explicit KeyLogWriter(Output output);

  void on_key(ByteView key) override;
  void on_secret(ByteView secret) override;

 private:
  void write(std::string_view kind, ByteView bytes) const;

  Output output_;
};

}  // namespace godwit::trace
