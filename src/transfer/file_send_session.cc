#include "transfer/file_send_session.h"

#include <algorithm>
#include <utility>

namespace godwit {

FileSendSession::FileSendSession(Endpoint& endpoint, RandomSource& random, Options options)
    : endpoint_(endpoint), random_(random), options_(std::move(options)) {}

FileSendSession::~FileSendSession() = default;

Status FileSendSession::start(Instant now) {
  for (const auto& path : options_.files) {
    auto facts = FileReader::inspect(path);
    if (!facts) return std::unexpected(facts.error());
    total_bytes_ += facts->size;
    facts_.push_back(std::move(*facts));
  }
  return dial(now);
}

Status FileSendSession::dial(Instant now) {
  const auto dialled = endpoint_.connect(now, options_.peer, options_.peer_key);
  if (!dialled) return std::unexpected(dialled.error());
  connection_ = *dialled;
  return {};
}

void FileSendSession::on_event(Instant now, ConnectionId connection, Event& event) {
  if (connection != connection_ || ended_) return;
  // Copied out: sending below may move the queue that the event lies in.
  if (const auto* message = std::get_if<MessageReceived>(&event)) {
    const auto control = decode_control(message->payload);
    if (!control) return;
    for (const Active& active : active_) active.sender->on_control(now, *control);
  } else if (const auto* confirmed = std::get_if<MessageConfirmed>(&event)) {
    const MessageId id = confirmed->message;
    messages_confirmed_ += messages_open_.erase(id);
    for (const Active& active : active_) active.sender->on_confirmed(now, id);
  } else if (auto* failed = std::get_if<MessageFailed>(&event)) {
    failed_.push_back(std::move(*failed));
  } else if (const auto* chunk = std::get_if<StreamChunk>(&event)) {
    // A receiver has no streams to send.
    const std::uint32_t id = chunk->stream_id;
    static_cast<void>(endpoint_.refuse_stream(connection, id));
  } else if (std::holds_alternative<Connected>(event)) {
    begin(now);
  } else if (auto* closed = std::get_if<Closed>(&event)) {
    const std::string text = std::move(closed->text);
    // A receiver may leave as soon as it has confirmed.
    settle();
    if (connected_ && all_settled()) return end(std::nullopt);
    end(connected_ ? "the connection has ended: " + text
                   : "cannot connect to " + options_.peer.to_string() + ": " + text);
  }
}

void FileSendSession::begin(Instant now) {
  connected_ = true;
  redialling_ = false;
  for (const Active& active : active_) active.sender->attach(now, connection_);
}

void FileSendSession::on_turn(Instant now) {
  if (ended_ || !connected_ || redialling_) return;
  settle_failures(now);
  send_messages(now);
  for (const Active& active : active_) active.sender->on_turn(now);
  settle();
  start_files(now);
  renew(now);
  if (!all_settled()) return;
  static_cast<void>(statistics());
  end(std::nullopt);
}

bool FileSendSession::all_settled() const {
  return active_.empty() && next_ == facts_.size() && next_message_ == options_.messages.size() &&
         messages_open_.empty();
}

// A connection that ends fails all its messages before it says so: what is still open now has failed by itself.
void FileSendSession::settle_failures(Instant now) {
  for (const MessageFailed& failed : std::exchange(failed_, {})) {
    if (messages_open_.erase(failed.message) > 0) return end("a message was not delivered: " + failed.why);
    for (const Active& active : active_) active.sender->on_failed(now, failed);
  }
}

// As many as the queue takes; its Writable event brings the turn that goes on.
void FileSendSession::send_messages(Instant now) {
  for (; next_message_ < options_.messages.size(); ++next_message_) {
    const auto& bytes = options_.messages[next_message_];
    const auto sent = endpoint_.send(now, connection_, Body::owned(bytes));
    if (!sent && sent.error().code == ErrorCode::kWouldBlock) return;
    if (!sent) return end("a message could not be sent: " + sent.error().message);
    messages_open_.insert(*sent);
  }
}

void FileSendSession::start_files(Instant now) {
  if (next_message_ < options_.messages.size()) return;
  while (!ended_ && active_.size() < options_.parallel && next_ < facts_.size()) {
    auto file = FileReader::open(options_.files[next_], options_.wake);
    if (!file) {
      // It has gone since start().
      results_.push_back({.path = options_.files[next_],
                          .name = facts_[next_].name,
                          .size = facts_[next_].size,
                          .failure = file.error().message});
      total_bytes_ -= facts_[next_++].size;
      continue;
    }
    total_bytes_ += (*file)->size() - facts_[next_].size;
    auto sender = std::make_unique<FileSender>(endpoint_, random_.next_u64(), std::move(*file));
    sender->attach(now, connection_);
    active_.push_back({next_++, std::move(sender)});
  }
}

void FileSendSession::settle() {
  std::erase_if(active_, [this](const Active& active) {
    if (!active.sender->ended()) return false;
    record(active);
    return true;
  });
}

void FileSendSession::record(const Active& active) {
  const FileSender& sender = *active.sender;
  SentFile result{.path = options_.files[active.index], .name = sender.file().name(), .size = sender.file().size()};
  if (sender.state() == FileSender::State::kDone) {
    result.hash = sender.hash();
    result.elapsed = sender.elapsed();
  } else {
    result.failure = sender.ended() ? sender.failure() : failure_.value_or("not sent");
  }
  finished_bytes_ += result.size;
  results_.push_back(std::move(result));
}

// A key has protected its share of packets: when no stream is open and nothing awaits an answer, the peer is dialled
// anew.
void FileSendSession::renew(Instant now) {
  const bool wanted = std::ranges::any_of(active_, [](const Active& active) { return active.sender->wants_renewal(); });
  if (!wanted || !messages_open_.empty()) return;
  for (const Active& active : active_) active.sender->pause();
  const bool quiet = std::ranges::all_of(active_, [](const Active& active) {
    return active.sender->drained() && active.sender->state() == FileSender::State::kSending;
  });
  if (!quiet) return;
  past_ = statistics();
  latest_ = {};
  redialling_ = true;
  if (const Status dialled = dial(now); !dialled) end("cannot renew the connection: " + dialled.error().message);
}

void FileSendSession::cancel(Instant now, std::string_view why) {
  for (const Active& active : active_) active.sender->cancel(now, std::string(why));
  end(std::string(why));
}

void FileSendSession::end(std::optional<std::string> failure) {
  if (ended_) return;
  ended_ = true;
  failure_ = std::move(failure);
  for (const Active& active : active_) {
    if (!active.sender->ended()) active.sender->fail(failure_.value_or("not sent"));
    record(active);
  }
  active_.clear();
  for (; next_ < facts_.size(); ++next_) {
    results_.push_back({.path = options_.files[next_],
                        .name = facts_[next_].name,
                        .size = facts_[next_].size,
                        .failure = failure_.value_or("not sent")});
  }
}

std::optional<Instant> FileSendSession::next_timeout() const {
  std::optional<Instant> earliest;
  for (const Active& active : active_) {
    const auto deadline = active.sender->next_timeout();
    if (deadline && (!earliest || *deadline < *earliest)) earliest = deadline;
  }
  return earliest;
}

std::uint64_t FileSendSession::sent_bytes() const {
  std::uint64_t sum = finished_bytes_;
  for (const Active& active : active_) sum += active.sender->sent_bytes();
  return sum;
}

ConnectionStatistics FileSendSession::statistics() const {
  if (const auto current = endpoint_.statistics(connection_)) latest_ = *current;
  ConnectionStatistics sum = past_;
  add_counters(sum, latest_);
  return sum;
}

}  // namespace godwit
