// Refusals on demand: stands in for the sending system calls, answers with an errno where a rule says so, and passes
// all else to the kernel. For tests of this folder and of those above it; put into BackendConfig::send_calls.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base/address.h"
#include "udp/send_calls.h"

namespace godwit {

class ScriptedSendCalls final : public SendCalls {
 public:
  static constexpr std::uint64_t kAlways = std::numeric_limits<std::uint64_t>::max();

  enum class Shape : std::uint8_t {
    kAny,
    kCut,     // carries UDP_SEGMENT: the kernel is to cut it
    kSingle,  // one datagram
  };
  struct Rule {
    int error = 0;  // the errno to answer with
    Shape shape = Shape::kAny;
    SocketAddress remote = {};      // unspecified: any, and those without a name
    std::uint64_t pass_first = 0;   // messages that match and go through before the rule strikes
    std::uint64_t times = kAlways;  // and how often it strikes
    bool whole_call = false;        // refuses sendmmsg itself, as a seccomp filter does, and no other call
  };

  // Rules are asked in the order they were added; the first that strikes answers.
  void add(const Rule& rule) { rules_.push_back(rule); }
  void clear() { rules_.clear(); }

  [[nodiscard]] int send_message(int descriptor, const msghdr& message) override;
  // As the kernel, it stops before a refused message and reports the refusal only when that is the first.
  [[nodiscard]] int send_messages(int descriptor, KernelMessage* messages, unsigned count) override;
  [[nodiscard]] int refuse_queued(const msghdr& message) override;

  [[nodiscard]] std::uint64_t refusals() const { return refusals_; }

 private:
  // The rule that strikes this message, if any; `consume` counts it.
  [[nodiscard]] int judge(const msghdr& message, bool consume);

  std::vector<Rule> rules_;
  std::uint64_t refusals_ = 0;
};

}  // namespace godwit
