#include "cli/connection_log.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace godwit::connection_log_test {
namespace {

using cli::ConnectionLog;
using trace::ConnectionClosed;
using trace::ConnectionStateChanged;
using Lines = std::vector<std::string>;

constexpr Instant kStart{1h};
const SocketAddress kPeer = SocketAddress::ipv4({192, 0, 2, 7}, 4242);
const SocketAddress kElsewhere = SocketAddress::ipv4({192, 0, 2, 8}, 4242);

class ConnectionLogTest : public testing::Test {
 protected:
  void tell(trace::EventData data, Duration after = {}, std::uint64_t connection = 5) {
    log_->on_event({.at = kStart + after, .connection = connection, .data = std::move(data)});
  }
  void make(ConnectionLog::Level level) {
    log_.emplace(level, [this](std::string_view line) { lines_.emplace_back(line); });
  }
  void establish() {
    tell(ConnectionStateChanged{.state = "established", .remote = kPeer, .form = "extended", .fallback = ""});
  }

  Lines lines_;
  std::optional<ConnectionLog> log_;
};

TEST_F(ConnectionLogTest, TellsHowAConnectionLives) {
  make(ConnectionLog::Level::kConnections);
  establish();
  tell(ConnectionStateChanged{.state = "moved", .remote = kElsewhere});
  tell(ConnectionStateChanged{.state = "new session at the peer", .remote = kElsewhere});
  tell(ConnectionClosed{"remote", kElsewhere, "bye\x1b[2J"});
  tell(ConnectionClosed{"idle timeout", kPeer, "idle timeout"}, {}, 6);
  EXPECT_EQ(lines_, (Lines{"192.0.2.7:4242 connected, extended form", "192.0.2.8:4242 moved here from 192.0.2.7:4242",
                           "192.0.2.8:4242 new session at the peer", "192.0.2.8:4242 ended, remote: bye?[2J",
                           "192.0.2.7:4242 ended, idle timeout"}));
}

TEST_F(ConnectionLogTest, KeepsTheStepsForTheSecondLevel) {
  const trace::HandshakePacket intro{trace::PacketKind::kIntro, true, 92, kPeer};
  const trace::PacketDropped refused{trace::DropReason::kIncompatibleVersion, 92};
  make(ConnectionLog::Level::kConnections);
  tell(intro);
  tell(refused, {}, 0);
  EXPECT_EQ(lines_, Lines{});
  make(ConnectionLog::Level::kSteps);
  tell(intro);
  tell(trace::HandshakePacket{trace::PacketKind::kAcknowledgeConnection, false, 110, kPeer});
  tell(refused, {}, 0);
  tell(trace::PacketDropped{trace::DropReason::kDuplicate, 92}, {}, 0);
  EXPECT_EQ(lines_, (Lines{"192.0.2.7:4242 sent an intro of 92 bytes",
                           "192.0.2.7:4242 received a handshake acknowledgement of 110 bytes",
                           "refused a handshake: incompatible_version"}));
}

TEST_F(ConnectionLogTest, GathersLossesIntoEpisodes) {
  make(ConnectionLog::Level::kSteps);
  establish();
  lines_.clear();
  const trace::PacketLost lost{.packet_id = 1, .bytes = 1024, .timeout = false};
  const trace::PacketLost timed_out{.packet_id = 2, .bytes = 1024, .timeout = true};
  tell(lost, 0ms);
  tell(lost, 20ms);
  tell(timed_out, 60ms);
  EXPECT_EQ(lines_, Lines{});
  tell(lost, 200ms);
  EXPECT_EQ(lines_, Lines{"192.0.2.7:4242 lost 3 packets of 3.00 KiB within 60.000 ms, 1 by time-out"});
  // A long round trip joins what comes with it.
  tell(trace::MetricsUpdated{.smoothed_round_trip = 1s}, 210ms);
  tell(lost, 1s);
  tell(ConnectionClosed{"local", kPeer, "local"}, 1500ms);
  ASSERT_EQ(lines_.size(), 3U);
  EXPECT_EQ(lines_[1], "192.0.2.7:4242 lost 2 packets of 2.00 KiB within 800.000 ms, 0 by time-out");
  EXPECT_EQ(lines_[2], "192.0.2.7:4242 ended, local");
}

TEST_F(ConnectionLogTest, TakesFewLinesAboutAStrangerWhoWritesOften) {
  make(ConnectionLog::Level::kSteps);
  for (int i = 0; i < 10'000; ++i) tell(trace::HandshakePacket{trace::PacketKind::kIntro, false, 92, kPeer});
  EXPECT_LT(lines_.size(), 1000U);
  const std::size_t written = lines_.size();
  log_.reset();
  ASSERT_EQ(lines_.size(), written + 1);
  EXPECT_NE(lines_.back().find("were left out"), std::string::npos) << lines_.back();
}

}  // namespace
}  // namespace godwit::connection_log_test
