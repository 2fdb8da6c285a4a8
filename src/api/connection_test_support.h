// Two nodes on the loopback interface for tests of the public interface.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "godwit/godwit.h"

namespace godwit::testing {

// They are connected; the handlers of both keep every event, with bytes of its own.
class PublicConnection : public ::testing::Test {
 protected:
  using Kind = v1::Event::Kind;
  struct Kept {
    v1::Event event;
    std::vector<std::uint8_t> bytes;
  };

  void SetUp() override { open({}); }
  void open(v1::NodeOptions options) {
    const auto key_a = v1::SecretKey::generate();
    const auto key_b = v1::SecretKey::generate();
    ASSERT_TRUE(key_a && key_b);
    options.bind = "127.0.0.1:0";
    options.transport.stream_in_chunks = true;
    options.transport.trace = [this](std::string_view record) { trace_ += record; };
    options.transport.key_log = [this](std::string_view line) { key_log_ += line; };
    auto a = v1::Node::open(options, *key_a);
    options.transport.key_log = nullptr;
    options.transport.trace = nullptr;
    auto b = v1::Node::open(options, *key_b);
    ASSERT_TRUE(a && b);
    a_ = std::move(*a);
    b_ = std::move(*b);
    const auto connection = a_->connect(b_->local_address(), b_->public_key());
    ASSERT_TRUE(connection);
    connection_ = *connection;
    ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kConnected) && has(at_b_, Kind::kConnected); }));
    other_side_ = find(at_b_, Kind::kConnected)->event.connection;
  }

  template <typename Condition>
  bool turn_until(Condition condition) {
    for (int turn = 0; turn < 20'000; ++turn) {
      if (condition()) return true;
      a_->turn(keep_a_, std::chrono::microseconds(500));
      b_->turn(keep_b_, std::chrono::microseconds(500));
    }
    return condition();
  }

  static const Kept* find(const std::vector<Kept>& events, Kind kind) {
    for (const Kept& kept : events) {
      if (kept.event.kind == kind) return &kept;
    }
    return nullptr;
  }
  static bool has(const std::vector<Kept>& events, Kind kind) { return find(events, kind) != nullptr; }

  std::string trace_;
  std::string key_log_;
  std::unique_ptr<v1::Node> a_;
  std::unique_ptr<v1::Node> b_;
  v1::ConnectionId connection_ = 0;
  v1::ConnectionId other_side_ = 0;
  std::vector<Kept> at_a_;
  std::vector<Kept> at_b_;
  const v1::Node::Handler keep_a_ = keeper(at_a_);
  const v1::Node::Handler keep_b_ = keeper(at_b_);

 private:
  static v1::Node::Handler keeper(std::vector<Kept>& events) {
    return [&events](v1::Node&, const v1::Event& event) {
      events.push_back({event, {event.bytes.begin(), event.bytes.end()}});
      events.back().event.bytes = {};
    };
  }
};

}  // namespace godwit::testing
