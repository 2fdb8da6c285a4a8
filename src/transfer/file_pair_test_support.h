// A FileReceiver at one end of an EndpointPair, and at the other a FileSendSession or a test's own hostile sender.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "transfer/file_receiver.h"
#include "transfer/file_send_session.h"
#include "transfer/file_test_support.h"
#include "transport/endpoint_pair_test_support.h"

namespace godwit {

class FileObserver : public FileReceiver::Observer {
 public:
  struct Message {
    std::uint64_t bytes;
    std::array<std::uint8_t, kSha256Size> hash;
    bool stream;
    std::vector<std::uint8_t> text;
  };
  void on_file_received(ConnectionId, const ReceivedFile& file) override { received.push_back(file); }
  void on_file_failed(ConnectionId, const std::string& name, const std::string& why) override {
    failed.emplace_back(name, why);
  }
  void on_file_refused(ConnectionId, std::string_view name, std::string_view why) override {
    refused.emplace_back(name, why);
  }
  void on_message(ConnectionId, std::uint64_t bytes, const std::array<std::uint8_t, kSha256Size>& hash, bool stream,
                  ByteView text) override {
    messages.push_back({bytes, hash, stream, {text.begin(), text.end()}});
  }
  void on_message_dropped(ConnectionId, std::uint64_t bytes) override { dropped.push_back(bytes); }
  std::vector<ReceivedFile> received;
  std::vector<std::pair<std::string, std::string>> failed;
  std::vector<std::pair<std::string, std::string>> refused;
  std::vector<Message> messages;
  std::vector<std::uint64_t> dropped;
};

class FilePair : public ::testing::Test {
 protected:
  explicit FilePair(const Config& config = EndpointPair::chunk_config()) : pair_(config, config) {
    auto store = FileStore::open({.folder = output_.path(), .wake = [] {}});
    EXPECT_TRUE(store.has_value());
    store_ = std::move(*store);
    pair_.server.on_event = [this](Instant now, ConnectionId id, Event& event) {
      if (std::holds_alternative<Connected>(event)) accepted_ = id;
      if (receiver_) receiver_->on_event(now, id, event);
    };
    pair_.server.on_turn = [this](Instant now) {
      if (receiver_) receiver_->on_turn(now);
    };
    pair_.server.next_timeout = [this] { return receiver_ ? receiver_->next_timeout() : std::nullopt; };
    pair_.threads_work = [this] { return store_->pending() > 0 || reading(); };
    make_receiver({});
  }

  void make_receiver(FileReceiverLimits limits, std::function<bool(ConnectionId)> may_send = nullptr) {
    receiver_ = std::make_unique<FileReceiver>(*pair_.server.endpoint, *store_,
                                               FileReceiver::Options{.limits = limits, .may_send = std::move(may_send)},
                                               observer_);
  }

  // --- The sender of this folder ---
  std::filesystem::path add_file(const std::string& name, ByteView bytes) {
    write_file(input_ / name, bytes);
    return input_ / name;
  }
  void start_session(FileSendSession::Options options) {
    options.addresses = {pair_.server.address};
    options.peer_key = pair_.server.endpoint->public_key();
    options.wake = [] {};
    session_ = std::make_unique<FileSendSession>(*pair_.client.endpoint, pair_.random, std::move(options));
    pair_.client.on_event = [this](Instant now, ConnectionId id, Event& event) { session_->on_event(now, id, event); };
    pair_.client.on_turn = [this](Instant now) { session_->on_turn(now); };
    pair_.client.next_timeout = [this] { return session_->next_timeout(); };
    const Status started = session_->start(pair_.now);
    EXPECT_TRUE(started.has_value()) << (started ? "" : started.error().message);
  }
  [[nodiscard]] bool run_session(FileSendSession::Options options, Duration limit = 600s) {
    start_session(std::move(options));
    return pair_.run_until([this] { return session_->ended(); }, limit);
  }
  [[nodiscard]] bool reading() const { return session_ && !session_->ended() && session_->reading(); }

  // --- A sender of the test's own ---
  // Connects; what the receiver answers gathers in answers_.
  void connect_raw() {
    raw_ = *pair_.client.endpoint->connect(pair_.now, pair_.server.address, pair_.server.endpoint->public_key());
    pair_.client.on_event = [this](Instant, ConnectionId, Event& event) {
      if (std::holds_alternative<Connected>(event)) raw_connected_ = true;
      if (const auto* confirmed = std::get_if<MessageConfirmed>(&event)) confirmed_.push_back(confirmed->message);
      const auto* message = std::get_if<MessageReceived>(&event);
      if (message == nullptr) return;
      answers_.emplace_back(message->payload.begin(), message->payload.end());
    };
    ASSERT_TRUE(pair_.run_until([this] { return raw_connected_ && accepted_ != 0; }));
  }
  void say(const ControlMessage& message) {
    ASSERT_TRUE(send_control(pair_.now, *pair_.client.endpoint, raw_, message).has_value());
  }
  void say_bytes(std::vector<std::uint8_t> bytes) {
    ASSERT_TRUE(pair_.client.endpoint->send(pair_.now, raw_, Body::owned(std::move(bytes))).has_value());
  }
  MessageId send_piece(const StreamHeader& header, ByteView payload, std::uint64_t limit = kUnlimited) {
    std::vector<std::uint8_t> bytes(kStreamHeaderSize + payload.size());
    write_stream_header(header, std::span<std::uint8_t, kStreamHeaderSize>(bytes.data(), kStreamHeaderSize));
    std::ranges::copy(payload, bytes.begin() + kStreamHeaderSize);
    const auto sent = pair_.client.endpoint->send(pair_.now, raw_, Body::owned(std::move(bytes)),
                                                  {.as = SendAs::kStream, .send_limit = limit});
    EXPECT_TRUE(sent.has_value());
    return sent.value_or(0);
  }
  // The latest answer of a kind.
  template <typename Message>
  [[nodiscard]] std::optional<Message> answer() const {
    for (auto bytes = answers_.rbegin(); bytes != answers_.rend(); ++bytes) {
      const auto control = decode_control(*bytes);
      if (!control) continue;
      if (const auto* found = std::get_if<Message>(&*control)) return *found;
    }
    return std::nullopt;
  }
  template <typename Message>
  [[nodiscard]] bool answered(Duration limit = 30s) {
    return pair_.run_until([this] { return answer<Message>().has_value(); }, limit);
  }
  void offer(std::uint64_t transfer, std::uint64_t size, std::string_view name) {
    answers_.clear();
    say(FileOffer{.transfer = transfer, .size = size, .name = name});
  }

  TemporaryFolder input_;
  TemporaryFolder output_;
  EndpointPair pair_;
  FileObserver observer_;
  std::unique_ptr<FileStore> store_;
  std::unique_ptr<FileReceiver> receiver_;
  std::unique_ptr<FileSendSession> session_;
  ConnectionId accepted_ = 0;

  ConnectionId raw_ = 0;
  bool raw_connected_ = false;
  std::vector<std::vector<std::uint8_t>> answers_;
  std::vector<MessageId> confirmed_;
};

}  // namespace godwit
