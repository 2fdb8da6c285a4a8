#include "sim/application.h"

#include "sim/simulator.h"

namespace godwit::sim {
namespace {

constexpr Duration kTryAgain = 250ms;

}  // namespace

Application::Application(Simulator& simulator)
    : simulator_(simulator), scenario_(simulator.scenario()), progress_(scenario_.flows.size()) {}

void Application::start(Instant now) {
  for (std::uint32_t flow = 0; flow < progress_.size(); ++flow) {
    if (scenario_.flows[flow].count == 0) continue;
    ++unfinished_;
    wait_for(now, flow, scenario_.flows[flow].start);
  }
}

void Application::wait_for(Instant now, std::uint32_t flow, Duration delay) {
  progress_[flow].waiting = true;
  simulator_.schedule(now + delay, EventKind::kFlow, flow);
}

void Application::on_timer(Instant now, std::uint32_t flow) {
  progress_[flow].waiting = false;
  advance(now, flow);
}

bool Application::send_one(Instant now, std::uint32_t flow) {
  const FlowSpec& spec = scenario_.flows[flow];
  FlowProgress& progress = progress_[flow];
  Host& host = simulator_.host(spec.from);
  MessageChecker& messages = simulator_.messages();
  const std::uint64_t number =
      messages.add({.from = spec.from, .to = spec.to, .size = spec.bytes, .flow = flow, .sent_at = now});
  const Host::SendOutcome outcome = host.send(now, number);
  if (outcome != Host::SendOutcome::kAccepted) messages.on_refused(number);
  if (outcome == Host::SendOutcome::kAccepted || outcome == Host::SendOutcome::kRefused) {
    if (progress.sent++ == 0) progress.began = now;
  }
  if (outcome == Host::SendOutcome::kAccepted) {
    ++progress.outstanding;
    return true;
  }
  if (outcome == Host::SendOutcome::kRefused) {
    ++progress.outstanding;
    end_one(now, flow, false, 0);
    return true;
  }
  wait_for(now, flow, kTryAgain);
  return false;
}

void Application::advance(Instant now, std::uint32_t flow) {
  const FlowSpec& spec = scenario_.flows[flow];
  FlowProgress& progress = progress_[flow];
  if (stopped_ || progress.waiting) return;
  const std::uint32_t window = spec.kind == FlowKind::kStreams ? spec.window : 1;
  while (progress.sent < spec.count && !progress.waiting) {
    if (spec.kind != FlowKind::kMessages && progress.outstanding >= window) break;
    if (!send_one(now, flow)) break;
    const bool pauses = spec.pause_every > 0 && progress.sent % spec.pause_every == 0;
    const Duration gap = spec.interval + (pauses ? spec.pause : Duration::zero());
    if (progress.sent < spec.count && gap > Duration::zero()) wait_for(now, flow, gap);
  }
  simulator_.host(spec.from).turn(now);
}

void Application::end_one(Instant now, std::uint32_t flow, bool confirmed, std::uint64_t bytes) {
  FlowProgress& progress = progress_[flow];
  --progress.outstanding;
  ++progress.ended;
  if (confirmed) {
    ++progress.confirmed;
    progress.confirmed_bytes += bytes;
  }
  if (progress.ended == scenario_.flows[flow].count) {
    --unfinished_;
    progress.ended_at = now;
    return;
  }
  // Not from within the event that ends this one: the endpoint may be in the middle of its turn.
  if (!progress.waiting && !stopped_) wait_for(now, flow, Duration::zero());
}

void Application::end_request(Instant now, std::uint64_t request, bool answered, std::uint64_t bytes) {
  MessageRecord& message = simulator_.messages().record(request);
  if (message.answered) return;
  message.answered = true;
  end_one(now, message.flow, answered, bytes);
}

void Application::on_ended(Instant now, std::uint64_t number) {
  const MessageRecord message = simulator_.messages().record(number);
  const bool confirmed = message.state == MessageRecord::State::kConfirmed;
  // The requester learns of a reply when it arrives; of one that does not, here.
  if (message.reply_to != 0) return end_request(now, message.reply_to, false, 0);
  if (scenario_.flows[message.flow].kind != FlowKind::kRequests)
    return end_one(now, message.flow, confirmed, message.size);
  // A reply that is under way ends the request.
  if (!message.reply_made) end_request(now, number, false, 0);
}

void Application::on_host_lost(Instant now, std::uint32_t host) {
  const std::size_t count = simulator_.messages().records().size();
  for (std::uint64_t number = 1; number <= count; ++number) {
    const MessageRecord& message = simulator_.messages().record(number);
    if (message.from != host || message.reply_to != 0 || message.state == MessageRecord::State::kRefused) continue;
    if (scenario_.flows[message.flow].kind == FlowKind::kRequests) end_request(now, number, false, 0);
  }
}

std::uint64_t Application::on_delivered(Instant now, std::uint64_t number) {
  MessageChecker& messages = simulator_.messages();
  const MessageRecord message = messages.record(number);
  const FlowSpec& spec = scenario_.flows[message.flow];
  if (spec.kind != FlowKind::kRequests) return 0;
  if (message.reply_to != 0) {
    end_request(now, message.reply_to, true, message.size);
    return 0;
  }
  messages.record(number).reply_made = true;
  return messages.add({.from = message.to,
                       .to = message.from,
                       .size = spec.reply_bytes,
                       .flow = message.flow,
                       .reply_to = number,
                       .sent_at = now});
}

void Application::on_writable(Instant now, std::uint32_t host) {
  for (std::uint32_t flow = 0; flow < progress_.size(); ++flow) {
    if (scenario_.flows[flow].from != host || !progress_[flow].waiting) continue;
    if (scenario_.flows[flow].interval == Duration::zero()) simulator_.schedule(now, EventKind::kFlow, flow);
  }
}

}  // namespace godwit::sim
