#include "channel/channel_mux.h"

#include <algorithm>

#include "wire/printable.h"

namespace godwit {
namespace {

constexpr std::uint64_t value_of(ChannelCode code) {
  return static_cast<std::uint64_t>(code);
}

}  // namespace

// --- What the application does ---

Result<ChannelId> ChannelMux::open(Instant now, ConnectionId connection, ChannelKind kind, std::string_view text) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return failure(ErrorCode::kNotFound, "there is no such connection");
  if (channels_.size() >= max_channels_) return failure(ErrorCode::kTooLarge, "too many channels are open");
  const auto stream = endpoint_.open_stream(now, connection);
  if (!stream) return std::unexpected(stream.error());
  const std::uint32_t number = found->second.next_number;
  const Status begun =
      endpoint_.append(connection, *stream, encode_channel_header({.channel = number, .kind = kind, .text = text}));
  if (!begun) {
    endpoint_.cancel(now, connection, *stream, value_of(ChannelCode::kNone));
    return std::unexpected(begun.error());
  }
  found->second.next_number += 2;
  const ChannelId id = ++last_id_;
  channels_[id] = {.connection = connection,
                   .number = number,
                   .opened_here = true,
                   .out = *stream,
                   .answer_by = now + kAnswerPatience};
  unanswered_.emplace(now + kAnswerPatience, id);
  by_number_[{connection, number}] = id;
  by_message_[{connection, *stream}] = id;
  ++statistics_.opened;
  return id;
}

bool ChannelMux::accept(Instant now, ChannelId id) {
  Channel* const channel = find(id);
  if (channel == nullptr) return false;
  const auto stream = endpoint_.open_stream(now, channel->connection);
  const Status begun =
      stream ? endpoint_.append(
                   channel->connection, *stream,
                   encode_channel_header({.channel = channel->number, .kind = ChannelKind::kAnswer, .text = {}}))
             : Status(std::unexpected(stream.error()));
  if (!begun) {
    fail(now, id, ChannelCode::kTooMany, begun.error().message);
    return false;
  }
  channel->out = *stream;
  channel->accepted = true;
  by_message_[{channel->connection, *stream}] = id;
  ++statistics_.accepted;
  return true;
}

void ChannelMux::refuse(Instant now, ChannelId id, ChannelCode code, std::string_view text) {
  const Channel* const channel = find(id);
  if (channel == nullptr) return;
  const Channel refused = *channel;
  erase(id);
  // What of it nobody will pass on is read now, or the connection's credit would be less for ever.
  endpoint_.consume(refused.connection, refused.in, refused.received - refused.consumed);
  send_refusal(now, {refused.connection, refused.in},
               ChannelRefused{.channel = refused.number, .code = code, .text = text});
}

Status ChannelMux::append(ChannelId id, ByteView bytes) {
  Channel* const channel = find(id);
  if (channel == nullptr || channel->out == 0) return failure(ErrorCode::kNotFound, "the channel has ended");
  Status appended = endpoint_.append(channel->connection, channel->out, bytes);
  if (appended) channel->sent += bytes.size();
  return appended;
}

void ChannelMux::finish(ChannelId id) {
  Channel* const channel = find(id);
  if (channel == nullptr || channel->finished) return;
  channel->finished = true;
  endpoint_.finish(channel->connection, channel->out);
}

void ChannelMux::consume(ChannelId id, std::uint64_t bytes) {
  Channel* const channel = find(id);
  if (channel == nullptr) return;
  channel->consumed += bytes;
  endpoint_.consume(channel->connection, channel->in, bytes);
}

void ChannelMux::delivered(Instant now, ChannelId id) {
  Channel* const channel = find(id);
  if (channel == nullptr || !channel->in_ended || channel->delivered_due || channel->delivered_message != 0) return;
  channel->delivered_due = true;
  send_delivered(now, id, *channel);
}

void ChannelMux::reset(Instant now, ChannelId id, ChannelCode code) {
  const Channel* const channel = find(id);
  if (channel == nullptr) return;
  end_streams(now, *channel, code);
  erase(id);
  ++statistics_.failed;
}

void ChannelMux::send_listen_request(Instant now, ConnectionId connection, const ListenRequest& request) {
  send_message(now, connection, request);
}

void ChannelMux::send_listen_answer(Instant now, ConnectionId connection, const ListenAnswer& answer) {
  send_message(now, connection, answer);
}

// --- What the endpoint tells ---

bool ChannelMux::on_event(Instant now, ConnectionId connection, const Event& event) {
  if (const auto* chunk = std::get_if<StreamChunk>(&event)) {
    on_chunk(now, connection, *chunk);
    return true;
  }
  if (const auto* message = std::get_if<MessageReceived>(&event)) return on_message(now, connection, message->payload);
  if (const auto* confirmed = std::get_if<MessageConfirmed>(&event)) {
    on_confirmed(now, connection, confirmed->message);
    return true;
  }
  if (const auto* failed = std::get_if<MessageFailed>(&event)) {
    on_failed(now, connection, *failed);
    return true;
  }
  if (const auto* aborted = std::get_if<StreamAborted>(&event)) {
    on_aborted(now, connection, *aborted);
    return true;
  }
  if (std::holds_alternative<Writable>(event)) {
    observer_.on_writable(now, connection);
    return true;
  }
  if (const auto* connected = std::get_if<Connected>(&event)) on_connected(connection, *connected);
  if (const auto* closed = std::get_if<Closed>(&event)) on_closed(now, connection, *closed);
  return false;
}

void ChannelMux::on_turn(Instant now) {
  while (!unanswered_.empty() && unanswered_.begin()->first <= now) {
    fail(now, unanswered_.begin()->second, ChannelCode::kTimeout,
         "the other side does not answer: it may serve something else");
  }
  for (const ChannelId id : std::exchange(due_, {})) {
    Channel* const channel = find(id);
    if (channel == nullptr) continue;
    if (channel->broken) {
      fail(now, id, ChannelCode::kNone, "the other side has given it up");
    } else if (channel->delivered_due) {
      send_delivered(now, id, *channel);
    }
  }
}

void ChannelMux::on_connected(ConnectionId connection, const Connected& connected) {
  // Both sides count by twos, so that their numbers differ. Keys tell the sides apart where both have begun the
  // connection (simultaneous open).
  const PublicKey& own = endpoint_.public_key();
  const bool differ = connected.peer->key && *connected.peer->key != own;
  const bool odd = differ ? own < *connected.peer->key : connected.initiator;
  connections_[connection] = {.odd = odd, .next_number = odd ? 1U : 2U};
}

void ChannelMux::on_closed(Instant now, ConnectionId connection, const Closed& closed) {
  connections_.erase(connection);
  std::vector<ChannelId> ended;
  for (const auto& [id, channel] : channels_) {
    if (channel.connection == connection) ended.push_back(id);
  }
  for (const ChannelId id : ended) {
    const Channel* const channel = find(id);
    if (channel == nullptr) continue;
    // Both sides have everything: that the other one's last acknowledgement is missing means nothing.
    const bool complete = channel->finished && channel->peer_has_all && channel->delivered_message != 0;
    erase(id);
    ++(complete ? statistics_.completed : statistics_.failed);
    observer_.on_channel_closed(now, id,
                                {.complete = complete,
                                 .code = channel_code(closed.code),
                                 .text = "the connection has ended: " + printable(closed.text)});
  }
  const auto of_this = [connection](const auto& entry) { return entry.first.first == connection; };
  std::erase_if(inbound_, of_this);
  std::erase_if(refusals_, of_this);
}

void ChannelMux::on_chunk(Instant now, ConnectionId connection, const StreamChunk& chunk) {
  const StreamKey key{connection, chunk.stream_id};
  auto found = inbound_.find(key);
  if (found == inbound_.end()) {
    // Of one that has been given up, or does not begin here.
    if (chunk.offset != 0) return endpoint_.consume(connection, chunk.stream_id, chunk.bytes.size());
    found = inbound_.emplace(key, Inbound{}).first;
  }
  const bool last = chunk.total != 0 && chunk.finished();
  ByteView bytes = chunk.bytes;
  ChannelId id = found->second.channel;
  if (id == 0) {
    std::vector<std::uint8_t>& header = found->second.header;
    const std::size_t had = header.size();
    header.insert(header.end(), bytes.begin(), bytes.end());
    const std::vector<std::uint8_t> all = header;  // survives what happens to the entry
    const DecodedChannelHeader decoded = decode_channel_header(all);
    if (decoded.state == HeaderState::kIncomplete && !last) return;
    endpoint_.consume(connection, chunk.stream_id, std::min(decoded.bytes, all.size()));
    id = on_header(now, key, decoded);
    if (decoded.state == HeaderState::kComplete) bytes = bytes.subspan(decoded.bytes - had);
    // What follows the header of a channel that is refused is read, as what comes later will be.
    if (id == 0) return endpoint_.consume(connection, chunk.stream_id, bytes.size());
  }
  on_payload(now, id, bytes, last);
}

ChannelId ChannelMux::on_header(Instant now, const StreamKey& key, const DecodedChannelHeader& decoded) {
  const auto nobodys = [&](ChannelCode code) -> ChannelId {
    inbound_.erase(key);
    endpoint_.stop_receiving(key.first, key.second, value_of(code));
    return 0;
  };
  if (decoded.state != HeaderState::kComplete) {
    ++statistics_.foreign_streams;
    return nobodys(ChannelCode::kProtocol);
  }
  if (decoded.header.kind != ChannelKind::kAnswer) return begin_inbound(now, key, decoded.header);
  const auto known = by_number_.find({key.first, decoded.header.channel});
  // Of a channel that this side has given up meanwhile.
  if (known == by_number_.end()) return nobodys(ChannelCode::kReset);
  Channel& channel = channels_[known->second];
  if (!channel.opened_here || channel.in != 0) return nobodys(ChannelCode::kProtocol);
  const ChannelId id = known->second;
  channel.in = key.second;
  channel.accepted = true;
  unanswered_.erase({channel.answer_by, id});
  inbound_[key] = {.header = {}, .channel = id};
  observer_.on_accepted(now, id);
  return find(id) == nullptr ? 0 : id;
}

ChannelId ChannelMux::begin_inbound(Instant now, const StreamKey& key, const ChannelHeader& header) {
  const auto connection = connections_.find(key.first);
  const bool odd = header.channel % 2 == 1;
  const bool theirs = connection != connections_.end() && odd != connection->second.odd;
  const bool full = channels_.size() >= max_channels_;
  if (!theirs || full || by_number_.contains({key.first, header.channel})) {
    const ChannelCode code = theirs && full ? ChannelCode::kTooMany : ChannelCode::kProtocol;
    inbound_.erase(key);
    send_refusal(now, key, ChannelRefused{.channel = header.channel, .code = code, .text = {}});
    return 0;
  }
  const ChannelId id = ++last_id_;
  channels_[id] = {.connection = key.first, .number = header.channel, .in = key.second};
  by_number_[{key.first, header.channel}] = id;
  inbound_[key] = {.header = {}, .channel = id};
  observer_.on_channel(now, {.channel = id, .connection = key.first, .kind = header.kind, .text = header.text});
  return find(id) == nullptr ? 0 : id;
}

void ChannelMux::on_payload(Instant now, ChannelId id, ByteView bytes, bool last) {
  Channel* channel = find(id);
  if (channel == nullptr) return;
  channel->received += bytes.size();
  if (!bytes.empty()) observer_.on_bytes(now, id, bytes);
  if (!last) return;
  channel = find(id);
  if (channel == nullptr) return;
  channel->in_ended = true;
  inbound_.erase({channel->connection, channel->in});
  observer_.on_end(now, id);
}

bool ChannelMux::on_message(Instant now, ConnectionId connection, ByteView bytes) {
  if (!is_channel_message(bytes)) return false;
  const auto message = decode_channel_message(bytes);
  if (!message) {
    ++statistics_.ignored_messages;
  } else if (const auto* refused = std::get_if<ChannelRefused>(&*message)) {
    on_refused(now, connection, *refused);
  } else if (const auto* delivered = std::get_if<ChannelDelivered>(&*message)) {
    on_delivered(now, connection, *delivered);
  } else if (const auto* request = std::get_if<ListenRequest>(&*message)) {
    observer_.on_listen_request(now, connection, *request);
  } else if (const auto* answer = std::get_if<ListenAnswer>(&*message)) {
    observer_.on_listen_answer(now, connection, *answer);
  }
  return true;
}

void ChannelMux::on_refused(Instant now, ConnectionId connection, const ChannelRefused& refused) {
  const auto known = by_number_.find({connection, refused.channel});
  if (known == by_number_.end() || !channels_[known->second].opened_here || channels_[known->second].accepted) {
    ++statistics_.ignored_messages;
    return;
  }
  std::string text(channel_code_text(refused.code));
  if (!refused.text.empty()) text += ": " + printable(refused.text);
  fail(now, known->second, refused.code, std::move(text));
}

void ChannelMux::on_delivered(Instant now, ConnectionId connection, const ChannelDelivered& delivered) {
  const auto known = by_number_.find({connection, delivered.channel});
  if (known == by_number_.end()) {
    ++statistics_.ignored_messages;
    return;
  }
  const ChannelId id = known->second;
  Channel& channel = channels_[id];
  if (!channel.finished || delivered.bytes != channel.sent) {
    return fail(now, id, ChannelCode::kProtocol, "the other side has received other bytes than were sent");
  }
  channel.peer_has_all = true;
  complete_if_done(now, id);
}

void ChannelMux::on_confirmed(Instant now, ConnectionId connection, MessageId message) {
  if (const auto refusal = refusals_.find({connection, message}); refusal != refusals_.end()) {
    endpoint_.stop_receiving(connection, refusal->second.first, value_of(refusal->second.second));
    refusals_.erase(refusal);
    return;
  }
  const auto known = by_message_.find({connection, message});
  if (known == by_message_.end()) return;
  const ChannelId id = known->second;
  by_message_.erase(known);
  Channel& channel = channels_[id];
  if (channel.delivered_message != message) return;
  channel.delivered_confirmed = true;
  complete_if_done(now, id);
}

void ChannelMux::on_failed(Instant now, ConnectionId connection, const MessageFailed& failed) {
  const auto known = by_message_.find({connection, failed.message});
  if (known == by_message_.end()) return;
  const ChannelId id = known->second;
  const ChannelCode code = channel_code(failed.code);
  if (code != ChannelCode::kNone) return fail(now, id, code, std::string(channel_code_text(code)));
  channels_[id].broken = true;
  due_.push_back(id);
}

void ChannelMux::on_aborted(Instant now, ConnectionId connection, const StreamAborted& aborted) {
  const auto known = inbound_.find({connection, aborted.stream_id});
  if (known == inbound_.end()) return;
  const ChannelId id = known->second.channel;
  inbound_.erase(known);
  if (id == 0) return;
  channels_[id].in = 0;
  const ChannelCode code = channel_code(aborted.code);
  if (code != ChannelCode::kNone) return fail(now, id, code, std::string(channel_code_text(code)));
  channels_[id].broken = true;
  due_.push_back(id);
}

// --- Ends ---

void ChannelMux::send_message(Instant now, ConnectionId connection, const ChannelMessage& message) {
  // A connection that takes no message has so many waiting that its peer does not listen, or has ended.
  static_cast<void>(endpoint_.send(now, connection, Body::owned(encode_channel_message(message))));
}

// The stream is stopped when the other side has the message: the stop alone would not say why.
void ChannelMux::send_refusal(Instant now, const StreamKey& stream, const ChannelRefused& refused) {
  ++statistics_.refused;
  const auto message = endpoint_.send(now, stream.first, Body::owned(encode_channel_message(refused)));
  if (message) {
    refusals_[{stream.first, *message}] = {stream.second, refused.code};
  } else {
    endpoint_.stop_receiving(stream.first, stream.second, value_of(refused.code));
  }
}

void ChannelMux::send_delivered(Instant now, ChannelId id, Channel& channel) {
  const auto message = endpoint_.send(
      now, channel.connection,
      Body::owned(encode_channel_message(ChannelDelivered{.channel = channel.number, .bytes = channel.received})));
  if (!message) return due_.push_back(id);
  channel.delivered_due = false;
  channel.delivered_message = *message;
  by_message_[{channel.connection, *message}] = id;
}

void ChannelMux::complete_if_done(Instant now, ChannelId id) {
  const Channel* const channel = find(id);
  if (!channel->finished || !channel->peer_has_all || !channel->delivered_confirmed) return;
  erase(id);
  ++statistics_.completed;
  observer_.on_channel_closed(now, id, {.complete = true, .code = ChannelCode::kNone, .text = {}});
}

void ChannelMux::fail(Instant now, ChannelId id, ChannelCode code, std::string text) {
  end_streams(now, *find(id), code);
  erase(id);
  ++statistics_.failed;
  observer_.on_channel_closed(now, id, {.complete = false, .code = code, .text = std::move(text)});
}

void ChannelMux::end_streams(Instant now, const Channel& channel, ChannelCode code) {
  if (channel.out != 0) endpoint_.cancel(now, channel.connection, channel.out, value_of(code));
  if (channel.in == 0 || endpoint_.stop_receiving(channel.connection, channel.in, value_of(code))) return;
  // It has come whole: what of it nobody will pass on is read now, or the connection's credit would be less for ever.
  endpoint_.consume(channel.connection, channel.in, channel.received - channel.consumed);
}

void ChannelMux::erase(ChannelId id) {
  const auto found = channels_.find(id);
  if (found == channels_.end()) return;
  const Channel& channel = found->second;
  by_number_.erase({channel.connection, channel.number});
  by_message_.erase({channel.connection, channel.out});
  by_message_.erase({channel.connection, channel.delivered_message});
  unanswered_.erase({channel.answer_by, id});
  inbound_.erase({channel.connection, channel.in});
  channels_.erase(found);
}

ChannelMux::Channel* ChannelMux::find(ChannelId id) {
  const auto found = channels_.find(id);
  return found == channels_.end() ? nullptr : &found->second;
}

}  // namespace godwit
