// The sender's side of "godwit send" (file_send_session.h). on_turn() is the order of the work: start_files() opens
// what there is room for, settle() records what has ended, renew() goes on to a new connection before a key is used up.
#include "transfer/file_send_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/statistics_sum.h"
#include "transfer/file_name.h"
#include "transfer/folder_listing.h"

namespace godwit {
namespace {

// Files under way at a time, and the least that any receiver has places for (docs/file_transfer.md section 4).
constexpr std::size_t kMostFiles = 64;
constexpr std::size_t kPlacesOfUnknownReceiver = 32;
// What small files under way may have in memory besides the first few.
constexpr std::uint64_t kMostSmallBytes = std::uint64_t{4} << 20;
// A receiver whose places others hold is asked again, for as long as it would have to answer an offer.
constexpr Duration kRetryInterval = 500ms;
constexpr Duration kPlaceTimeout = 30s;
// A peer that connects back has to finish within the time of a handshake.
constexpr Duration kReplacementTimeout = 15s;
// A silent peer is connected to again until it answers; each look takes up a handshake that has failed.
constexpr Duration kPursuitInterval = 500ms;
// A peer whose port is said to be closed may be about to restart. Mere silence may be an outage, and lasts until the
// idle time-out.
constexpr Duration kGoneAfter = 10s;
constexpr std::uint32_t kMaxReconnections = 5;

}  // namespace

FileSendSession::FileSendSession(Endpoint& endpoint, RandomSource& random, Options options)
    : endpoint_(endpoint),
      random_(random),
      options_(std::move(options)),
      connector_(endpoint, options_.addresses, options_.peer_key),
      places_(kPlacesOfUnknownReceiver),
      allowed_(kMostFiles) {}

FileSendSession::~FileSendSession() = default;

Status FileSendSession::start(Instant now) {
  for (std::size_t index = 0; index < options_.files.size(); ++index) {
    std::error_code ignored;
    if (std::filesystem::is_directory(options_.files[index], ignored)) {
      add_folder(index);
    } else {
      add_file(index);
    }
  }
  for (std::size_t index = 0; index < options_.messages.size(); ++index) messages_waiting_.push_back(index);
  if (all_settled()) {
    end(std::nullopt);
    return {};
  }
  return initiate(now);
}

void FileSendSession::add_file(std::size_t index) {
  Item item{.path = options_.files[index], .own_name = offered_name(index, options_.files[index].filename().string())};
  auto facts = FileReader::inspect(item.path);
  if (!facts) return record_failure(item, facts.error().message);
  item.own_name = offered_name(index, facts->name);
  item.facts = std::move(*facts);
  add_item(std::move(item));
}

void FileSendSession::add_folder(std::size_t index) {
  const std::filesystem::path& folder = options_.files[index];
  const std::string name = offered_name(index, name_of_folder(folder)) + "/";
  const std::uint64_t group = std::max<std::uint64_t>(random_.next_u64(), 1);
  const auto listing = list_folder(folder);
  if (!listing) return record_failure({.path = folder, .own_name = name, .group = group}, listing.error().message);
  for (const FolderListing::Problem& problem : listing->problems) {
    record_failure({.path = folder / problem.below, .own_name = name + problem.below.string(), .group = group},
                   problem.why);
  }
  for (const FolderListing::File& file : listing->files) {
    add_item({.path = folder / file.below,
              .folder = folder,
              .below = file.below,
              .own_name = name + file.below.string(),
              .facts = {.name = file.below.filename().string(), .size = file.size, .regular = true},
              .group = group});
  }
  for (const FolderListing::Folder& each : listing->folders) {
    add_item({.path = each.below.empty() ? folder : folder / each.below,
              .own_name = each.below.empty() ? name : name + each.below.string() + "/",
              .group = group,
              .folder_attributes = each.attributes});
    if (each.empty) continue;
    closing_.push_back(waiting_.back());
    waiting_.pop_back();
  }
}

void FileSendSession::add_item(Item item) {
  if (item.group != 0 && acceptable_file_path(item.own_name).size() > kMaxFilePath) {
    return record_failure(item, "'" + item.path.string() + "' has too long a path: not sent");
  }
  total_bytes_ += item.facts.size;
  waiting_.push_back(items_.size());
  items_.push_back(std::move(item));
}

std::string FileSendSession::offered_name(std::size_t index, const std::string& own) const {
  return options_.name && index == 0 ? *options_.name : own;
}

Status FileSendSession::initiate(Instant now) {
  connection_ = 0;
  return connector_.start(now);
}

void FileSendSession::on_event(Instant now, ConnectionId connection, Event& event) {
  if (ended_) return;
  if (connector_.on_event(now, connection, event)) {
    if (connector_.failure()) end(connector_.failure()->message);
    return;
  }
  if (const auto* connected = std::get_if<Connected>(&event)) {
    if (!replaced_until_ && connection != connector_.connection()) return;
    connection_ = connection;
    remote_ = connected->remote;
    return begin(now);
  }
  if (connection != connection_) return;
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
    static_cast<void>(endpoint_.stop_receiving(connection, id));
  } else if (const auto* suspect = std::get_if<Suspect>(&event)) {
    on_suspect(now, suspect->silent_for);
  } else if (const auto* moved = std::get_if<PeerMoved>(&event)) {
    remote_ = moved->remote;
  } else if (auto* closed = std::get_if<Closed>(&event)) {
    Closed copy = std::move(*closed);
    on_closed(now, copy);
  }
}

void FileSendSession::on_closed(Instant now, Closed& closed) {
  settle(now);
  // A receiver may leave as soon as it has confirmed.
  if (all_settled()) return end(std::nullopt);
  // A receiver that demands a proof of this side's key connects back; its session takes the place of this one.
  if (closed.reason == CloseReason::kReplaced) return await_replacement(now);
  if (closed.reason == CloseReason::kReset) return begin_anew(now);
  end("the connection has ended: " + closed.text);
}

// What was on its way may or may not have arrived: files that the receiver had begun to take start anew.
void FileSendSession::await_replacement(Instant now) {
  if (std::exchange(suspect_since_, std::nullopt)) {
    if (++reconnections_ > kMaxReconnections) return end("the connection was lost too often");
    notice("connected to " + remote_.to_string() + " again: what was under way is sent from its beginning");
  }
  take_back(now);
  replaced_until_ = now + kReplacementTimeout;
}

// The receiver's process is another one, which has nothing of what was under way.
void FileSendSession::begin_anew(Instant now) {
  suspect_since_.reset();
  if (++reconnections_ > kMaxReconnections) return end("the connection was lost too often");
  notice(remote_.to_string() + " has restarted: what was under way is sent from its beginning");
  take_back(now);
  if (const Status started = initiate(now); !started) end("cannot connect again: " + started.error().message);
}

// What was under way waits for another connection.
void FileSendSession::take_back(Instant now) {
  past_ = statistics();
  latest_ = {};
  connection_ = 0;
  reconnecting_ = true;
  failed_.clear();
  std::erase_if(active_, [this, now](const Active& active) {
    if (active.sender->untouched()) return false;
    superseded_.push_back(active.sender->transfer());
    put_back(now, active);
    return true;
  });
  for (const auto& [message, index] : std::exchange(messages_open_, {})) messages_waiting_.push_front(index);
}

// The peer may have restarted, or a NAT between may have forgotten the connection: a handshake beside the session finds
// out.
void FileSendSession::on_suspect(Instant now, Duration silence) {
  if (suspect_since_) return;
  suspect_since_ = now;
  next_pursuit_ = now;
  notice(
      fmt::format("no sign of life from {} for {:.1f} s: connecting again", remote_.to_string(), to_seconds(silence)));
  pursue(now);
}

void FileSendSession::pursue(Instant now) {
  if (ended_ || !suspect_since_ || now < next_pursuit_) return;
  next_pursuit_ = now + kPursuitInterval;
  const Endpoint::Liveness alive = endpoint_.liveness(connection_);
  if (!alive.suspect) {
    suspect_since_.reset();
    return notice(remote_.to_string() + " answers again");
  }
  if (alive.problem == PathProblem::kPortUnreachable && now - *suspect_since_ >= kGoneAfter) {
    return end("the peer has gone: " + std::string(path_problem_name(alive.problem)));
  }
  static_cast<void>(endpoint_.reconnect(now, connection_));
}

void FileSendSession::notice(const std::string& text) const {
  if (options_.notice) options_.notice(text);
}

void FileSendSession::begin(Instant now) {
  connected_ = true;
  reconnecting_ = false;
  replaced_until_.reset();
  // A receiver that this side seems to come from elsewhere to still keeps what it had, and its name.
  for (const std::uint64_t transfer : std::exchange(superseded_, {})) {
    static_cast<void>(send_control(now, endpoint_, connection_, FileCancel{transfer, "it starts anew"}));
  }
  for (const Active& active : active_) active.sender->attach(now, connection_);
}

void FileSendSession::on_turn(Instant now) {
  connector_.on_turn(now);
  if (connector_.failure() && !ended_) end(connector_.failure()->message);
  pursue(now);
  if (ended_) return;
  if (replaced_until_ && *replaced_until_ <= now)
    return end("the connection has ended: the peer took it over and left");
  if (!connected_ || reconnecting_) return;
  settle_failures(now);
  send_messages(now);
  for (const Active& active : active_) active.sender->on_turn(now);
  settle(now);
  start_files(now);
  renew(now);
  if (ended_ || !all_settled()) return;
  static_cast<void>(statistics());
  end(std::nullopt);
}

bool FileSendSession::all_settled() const {
  return active_.empty() && waiting_.empty() && closing_.empty() && messages_waiting_.empty() && messages_open_.empty();
}

// A connection that ends fails all its messages before it says so: what is still open now has failed by itself.
void FileSendSession::settle_failures(Instant now) {
  for (const MessageFailed& failed : std::exchange(failed_, {})) {
    if (const auto open = messages_open_.find(failed.message); open != messages_open_.end()) {
      // The silent peer is connected to again, and what had been sent to it is void.
      if (!suspect_since_) return end("a message was not delivered: " + failed.why);
      messages_waiting_.push_back(open->second);
      messages_open_.erase(open);
      continue;
    }
    for (const Active& active : active_) active.sender->on_failed(now, failed);
  }
}

// As many as the queue takes; its Writable event brings the turn that goes on.
void FileSendSession::send_messages(Instant now) {
  while (!messages_waiting_.empty()) {
    const std::size_t index = messages_waiting_.front();
    const auto sent = endpoint_.send(now, connection_, Body::owned(options_.messages[index]));
    if (!sent && sent.error().code == ErrorCode::kWouldBlock) return;
    if (!sent) return end("a message could not be sent: " + sent.error().message);
    messages_open_.emplace(*sent, index);
    messages_waiting_.pop_front();
  }
}

// --- Files ---

void FileSendSession::start_files(Instant now) {
  if (!messages_waiting_.empty() || (retry_at_ && now < *retry_at_)) return;
  retry_at_.reset();
  // Whatever comes into a folder changes its time.
  if (waiting_.empty() && active_.empty()) waiting_.swap(closing_);
  while (!ended_ && !waiting_.empty() && may_start(waiting_.front())) {
    const std::size_t index = waiting_.front();
    waiting_.pop_front();
    if (start_file(now, index)) continue;
    waiting_.push_front(index);
    return;
  }
}

bool FileSendSession::may_start(std::size_t index) const {
  if (active_.size() >= std::min(places_, allowed_)) return false;
  const Item& item = items_[index];
  if (!item.is_small()) {
    const auto large = std::ranges::count(active_, false, &Active::small);
    return static_cast<std::size_t>(large) < options_.parallel;
  }
  std::uint64_t bytes = 0;
  for (const Active& active : active_) bytes += active.small ? items_[active.index].facts.size : 0;
  return active_.size() < options_.parallel || bytes + item.facts.size <= kMostSmallBytes;
}

// False where the files under way have every descriptor: one of them will give its own back.
bool FileSendSession::start_file(Instant now, std::size_t index) {
  const Item& item = items_[index];
  auto file = open_item(item);
  if (!file && file.error().code == ErrorCode::kWouldBlock && !active_.empty()) return false;
  if (!file) {
    // It has gone since start().
    total_bytes_ -= item.facts.size;
    record_failure(item, file.error().message);
    return true;
  }
  auto sender = std::make_unique<FileSender>(
      endpoint_, random_.next_u64(), std::move(*file), acceptable_name(item),
      FileSender::Terms{.group = item.group, .resume = options_.resume, .anew = item.anew});
  sender->attach(now, connection_);
  active_.push_back({index, item.is_small(), std::move(sender)});
  return true;
}

Result<std::unique_ptr<FileReader>> FileSendSession::open_item(const Item& item) const {
  if (item.folder_attributes) return FileReader::nothing(item.own_name, *item.folder_attributes);
  if (item.group == 0) return FileReader::open(item.path, options_.wake);
  return FileReader::open_in(item.folder, item.below, options_.wake);
}

std::string FileSendSession::acceptable_name(const Item& item) {
  return item.group == 0 ? acceptable_file_name(item.own_name) : acceptable_file_path(item.own_name);
}

void FileSendSession::settle(Instant now) {
  bool turned_away = false;
  std::erase_if(active_, [this, now, &turned_away](const Active& active) {
    if (const auto places = active.sender->places()) places_ = *places;
    if (!active.sender->ended()) return false;
    if (active.sender->state() == FileSender::State::kTurnedAway &&
        (!turned_away_since_ || now < *turned_away_since_ + kPlaceTimeout)) {
      turned_away = true;
      put_back(now, active);
    } else if (active.sender->state() == FileSender::State::kDiffers) {
      items_[active.index].anew = true;
      waiting_.push_front(active.index);
    } else {
      if (active.sender->state() == FileSender::State::kDone) {
        turned_away_since_.reset();
        allowed_ = std::min(allowed_ + 1, kMostFiles);
      }
      record(active);
    }
    return true;
  });
  if (!turned_away) return;
  // Others share the places: as many as were given are enough, and one more is tried for each that is done.
  allowed_ = std::max<std::size_t>(active_.size(), 1);
  if (!turned_away_since_) turned_away_since_ = now;
  if (active_.empty()) retry_at_ = now + kRetryInterval;
}

// To be sent again from its beginning.
void FileSendSession::put_back(Instant now, const Active& active) {
  active.sender->cancel(now, "it starts anew");
  waiting_.push_front(active.index);
}

void FileSendSession::record(const Active& active) {
  const FileSender& sender = *active.sender;
  const Item& item = items_[active.index];
  SentFile result{.path = item.path,
                  .name = sender.name(),
                  .own_name = item.own_name,
                  .size = sender.file().size(),
                  .held = sender.held()};
  total_bytes_ += result.size - item.facts.size;
  if (sender.state() == FileSender::State::kDone) {
    result.hash = sender.hash();
    result.elapsed = sender.elapsed();
    if (item.folder_attributes) result.failure = folder_change(item.path, *item.folder_attributes);
  } else {
    result.failure = sender.ended() ? sender.failure() : failure_.value_or("not sent");
  }
  finished_bytes_ += result.size;
  results_.push_back(std::move(result));
}

void FileSendSession::record_failure(const Item& item, std::string why) {
  results_.push_back({.path = item.path,
                      .name = acceptable_name(item),
                      .own_name = item.own_name,
                      .size = item.facts.size,
                      .failure = std::move(why)});
}

// A key has protected its share of packets: when no stream is open and nothing awaits an answer, this side connects
// again.
void FileSendSession::renew(Instant now) {
  const bool wanted = std::ranges::any_of(active_, [](const Active& active) { return active.sender->wants_renewal(); });
  if (!wanted || !messages_open_.empty()) return;
  for (const Active& active : active_) active.sender->pause();
  const bool quiet = std::ranges::all_of(active_, [](const Active& active) {
    const FileSender::State state = active.sender->state();
    return state == FileSender::State::kPreparing || (active.sender->drained() && state == FileSender::State::kSending);
  });
  if (!quiet) return;
  past_ = statistics();
  latest_ = {};
  reconnecting_ = true;
  if (const Status started = initiate(now); !started) end("cannot renew the connection: " + started.error().message);
}

// --- The end ---

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
  for (auto* const left : {&waiting_, &closing_}) {
    for (const std::size_t index : std::exchange(*left, {})) {
      record_failure(items_[index], failure_.value_or("not sent"));
    }
  }
}

std::optional<Instant> FileSendSession::next_timeout() const {
  std::optional<Instant> next = replaced_until_;
  next = earliest(next, connector_.next_timeout());
  if (suspect_since_) next = earliest(next, next_pursuit_);
  next = earliest(next, retry_at_);
  for (const Active& active : active_) next = earliest(next, active.sender->next_timeout());
  return next;
}

bool FileSendSession::reading() const {
  return std::ranges::any_of(active_, [](const Active& active) { return active.sender->file().working(); });
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
