#include "udp/scripted_send_calls_test_support.h"

#include <netinet/udp.h>

#include "udp/sockaddr.h"

namespace godwit {
namespace {

bool is_cut(const msghdr& message) {
  msghdr header = message;  // CMSG_NXTHDR wants one that it could change
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_SEGMENT) return true;
  }
  return false;
}

bool matches(const ScriptedSendCalls::Rule& rule, const msghdr& message) {
  if (rule.whole_call) return false;
  if (rule.shape != ScriptedSendCalls::Shape::kAny &&
      is_cut(message) != (rule.shape == ScriptedSendCalls::Shape::kCut)) {
    return false;
  }
  if (!rule.remote.is_specified()) return true;
  return from_kernel(static_cast<const sockaddr*>(message.msg_name), message.msg_namelen) == rule.remote;
}

}  // namespace

int ScriptedSendCalls::judge(const msghdr& message, bool consume) {
  for (Rule& rule : rules_) {
    if (rule.times == 0 || !matches(rule, message)) continue;
    if (rule.pass_first > 0) {
      if (consume) --rule.pass_first;
      continue;
    }
    if (consume) {
      if (rule.times != kAlways) --rule.times;
      ++refusals_;
    }
    return rule.error;
  }
  return 0;
}

int ScriptedSendCalls::send_message(int descriptor, const msghdr& message) {
  const int error = judge(message, true);
  return error != 0 ? -error : SendCalls::send_message(descriptor, message);
}

int ScriptedSendCalls::send_messages(int descriptor, KernelMessage* messages, unsigned count) {
  for (Rule& rule : rules_) {
    if (!rule.whole_call || rule.times == 0) continue;
    if (rule.times != kAlways) --rule.times;
    ++refusals_;
    return -rule.error;
  }
  if (judge(messages[0].msg_hdr, false) != 0) return -judge(messages[0].msg_hdr, true);
  unsigned passing = 0;
  // Counting and looking ahead go together: a message that passes uses up its share of `pass_first` before the next.
  while (passing < count && judge(messages[passing].msg_hdr, false) == 0) {
    static_cast<void>(judge(messages[passing].msg_hdr, true));
    ++passing;
  }
  return SendCalls::send_messages(descriptor, messages, passing);
}

int ScriptedSendCalls::refuse_queued(const msghdr& message) {
  return judge(message, true);
}

}  // namespace godwit
