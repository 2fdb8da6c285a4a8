// A feed that its reader slows down, without any loop: what epoll_loop.cc and asio_loop.cc drive. The source gets a
// piece at each tick of the loop's timer and appends it to a stream whose length nobody knows yet; when the transport
// refuses, the timer rests until kWritable. The sink uses one piece a tick and says so with consume(), so that the
// source can be ahead of it by the window of the stream and no more, on both machines.
#pragma once

#include <godwit/godwit.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace feed {

namespace gw = godwit::v1;

inline constexpr std::chrono::milliseconds kTick{2};
inline constexpr std::size_t kSourcePiece = 256 << 10;
inline constexpr std::size_t kSinkPiece = 64 << 10;
inline constexpr std::uint64_t kWindow = 256 << 10;

inline int fail(const std::string& why) {
  std::fprintf(stderr, "feed: %s\n", why.c_str());
  return 1;
}

// What the feed has at a place: a reader can tell that none is missing.
inline std::uint8_t byte_at(std::uint64_t place) {
  return static_cast<std::uint8_t>(place * 2654435761U >> 24);
}

// Either end. The loop calls on_event() for each event of the Node, and on_tick() every kTick while wants_ticks().
class Side {
 public:
  virtual ~Side() = default;
  virtual void on_event(gw::Node& node, const gw::Event& event) = 0;
  virtual void on_tick(gw::Node& node) = 0;
  [[nodiscard]] virtual bool wants_ticks() const = 0;
  // Prints what happened, and gives the exit code.
  [[nodiscard]] virtual int report() const = 0;
  [[nodiscard]] bool ended() const { return ended_; }

 protected:
  bool ended_ = false;
  std::string problem_;
};

class Source final : public Side {
 public:
  explicit Source(std::uint64_t total) : total_(total) {}

  void on_event(gw::Node& node, const gw::Event& event) override {
    if (event.kind == gw::Event::Kind::kConnected) {
      connection_ = event.connection;
      if (const auto stream = node.open_stream(connection_)) {
        stream_ = *stream;
      } else {
        problem_ = stream.error().message;
        node.close(connection_);
      }
    } else if (event.kind == gw::Event::Kind::kWritable) {
      refused_ = false;
      append(node);  // the piece that was refused
    } else if (event.kind == gw::Event::Kind::kMessage) {
      answered_ = true;  // the sink has used everything
      node.close(connection_, "done");
    } else if (event.kind == gw::Event::Kind::kSuspect) {
      // Nothing was heard for a while, and who waits longer gets kClosed when the idle time-out has passed.
      const gw::Liveness liveness = node.liveness(connection_);
      problem_ = "the reader is silent" + (liveness.problem.empty() ? "" : ": " + liveness.problem);
      node.close(connection_);
    } else if (event.kind == gw::Event::Kind::kClosed) {
      if (!answered_ && problem_.empty()) problem_ = event.text;
      ended_ = true;
    }
  }

  void on_tick(gw::Node& node) override { append(node); }

  [[nodiscard]] bool wants_ticks() const override { return stream_ && !refused_ && sent_ < total_; }

  [[nodiscard]] int report() const override {
    if (!problem_.empty()) return fail(problem_);
    std::printf("sent %llu bytes, refused %llu times\n", static_cast<unsigned long long>(sent_),
                static_cast<unsigned long long>(refusals_));
    return 0;
  }

 private:
  void append(gw::Node& node) {
    if (!stream_ || refused_ || sent_ == total_) return;
    const std::uint64_t bytes = std::min<std::uint64_t>(kSourcePiece, total_ - sent_);
    std::vector<std::uint8_t> piece(bytes);
    for (std::uint64_t i = 0; i < bytes; ++i) piece[i] = byte_at(sent_ + i);
    if (const auto appended = node.append(connection_, *stream_, piece); !appended) {
      if (appended.error().code != gw::ErrorCode::kWouldBlock) {
        problem_ = appended.error().message;
        return node.close(connection_);
      }
      refused_ = true;  // nothing of the piece was taken
      ++refusals_;
      return;
    }
    sent_ += bytes;
    if (sent_ == total_) (void)node.finish(connection_, *stream_);
  }

  std::uint64_t total_;
  std::uint64_t sent_ = 0;
  std::uint64_t refusals_ = 0;
  bool refused_ = false;
  bool answered_ = false;
  gw::ConnectionId connection_ = 0;
  std::optional<gw::MessageId> stream_;
};

class Sink final : public Side {
 public:
  void on_event(gw::Node&, const gw::Event& event) override {
    if (event.kind == gw::Event::Kind::kChunk) {
      connection_ = event.connection;
      stream_ = event.stream;
      total_ = event.total;  // 0 until the source has finished the stream
      waiting_.insert(waiting_.end(), event.bytes.begin(), event.bytes.end());
      most_ = std::max(most_, waiting_.size());
    } else if (event.kind == gw::Event::Kind::kAborted) {
      problem_ = "the stream was given up";
    } else if (event.kind == gw::Event::Kind::kClosed) {
      if (!answered_ && problem_.empty()) problem_ = event.text;
      ended_ = true;
    }
  }

  void on_tick(gw::Node& node) override {
    const std::size_t bytes = std::min(waiting_.size(), kSinkPiece);
    for (std::size_t i = 0; i < bytes; ++i) {
      if (waiting_[i] != byte_at(used_ + i)) problem_ = "other bytes than were sent";
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(bytes));
    used_ += bytes;
    node.consume(connection_, stream_, bytes);
    if (total_ != 0 && used_ == total_ && !answered_) {
      answered_ = true;
      (void)node.send(connection_, std::vector<std::uint8_t>{1});
    }
  }

  [[nodiscard]] bool wants_ticks() const override { return !waiting_.empty() || (total_ != 0 && !answered_); }

  [[nodiscard]] int report() const override {
    if (!problem_.empty()) return fail(problem_);
    std::printf("received %llu bytes, at most %zu waiting\n", static_cast<unsigned long long>(used_), most_);
    return 0;
  }

 private:
  gw::ConnectionId connection_ = 0;
  std::uint32_t stream_ = 0;
  std::vector<std::uint8_t> waiting_;
  std::size_t most_ = 0;
  std::uint64_t used_ = 0;
  std::uint64_t total_ = 0;
  bool answered_ = false;
};

// The Node of either end: `count` and `words` are those of main().
inline gw::Result<std::unique_ptr<gw::Node>> open_node(int count, char** words) {
  const auto key = gw::SecretKey::generate();
  if (!key) return std::unexpected(key.error());
  gw::NodeOptions options;
  options.bind = "127.0.0.1:0";
  options.transport.stream_in_chunks = true;
  options.transport.consume_by_hand = true;
  options.transport.stream_window_bytes = kWindow;
  auto node = gw::Node::open(options, *key);
  if (!node) return node;
  if (count >= 3) {
    const auto connected = (*node)->connect(words[1], words[2]);
    if (!connected) return std::unexpected(connected.error());
  } else {
    std::printf("listening on %s\npublic key %s\n", (*node)->local_address().c_str(), key->public_key().c_str());
    std::fflush(stdout);
  }
  return node;
}

inline std::unique_ptr<Side> make_side(int count, char** words) {
  if (count < 3) return std::make_unique<Sink>();
  return std::make_unique<Source>(count > 3 ? std::strtoull(words[3], nullptr, 10) : 16'000'000);
}

}  // namespace feed
