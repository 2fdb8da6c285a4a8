// What an application is promised against others, through the public API with its default options: an impostor who
// answers a connection attempt, and a child by fork() that would go on with its parent's keys.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "godwit/godwit.h"

namespace {

using namespace std::chrono_literals;
namespace gw = godwit::v1;

// An application that connects to a peer and queues a message and a stream for it at once; on the path sits an
// impostor, who knows the public keys of both and holds the secret key of neither. Everything that the application
// sends reaches the impostor alone, who answers from the address of the peer: with a handshake of its own, and by
// sending back what it was sent.
class Impostor {
 public:
  explicit Impostor(const gw::Options& options) {
    application_ = *gw::Endpoint::make(options, own_);
    gw::Options accepts_anybody;
    accepts_anybody.require_authenticated_peer = false;
    impostor_ = *gw::Endpoint::make(accepts_anybody, other_);
    connection_ = *application_->connect(now_, peer_address_, peer_.public_key());
    queued_ = {*application_->send(now_, connection_, {'s', 'e', 'c', 'r', 'e', 't'}),
               *application_->send(now_, connection_, std::vector<std::uint8_t>(100'000, 's'))};
    static_cast<void>(*impostor_->connect(now_, own_address_, own_.public_key()));
  }

  // Until the application has been told how its attempt ended, and for as long as the impostor would need to make use
  // of it.
  void run() {
    const gw::Duration end = now_ + 60s;
    while (now_ < end) {
      now_ += 10ms;
      application_->handle_timeout(now_);
      impostor_->handle_timeout(now_);
      carry();
    }
  }

  bool connected = false;
  bool authenticated = false;
  bool closed = false;
  std::vector<gw::Event> failed;  // of the two messages
  std::size_t received = 0;       // messages that the impostor could read
  std::size_t datagrams = 0;      // that it was sent
  [[nodiscard]] std::size_t queued() const { return queued_.size(); }

 private:
  void carry() {
    while (const gw::Transmit* transmit = impostor_->poll_transmit(now_)) give(*transmit);
    while (const gw::Transmit* transmit = application_->poll_transmit(now_)) {
      datagrams += (transmit->bytes.size() + transmit->segment_size - 1) / transmit->segment_size;
      std::vector<std::uint8_t> bytes(transmit->bytes.begin(), transmit->bytes.end());
      reflected_.push_back({bytes, transmit->segment_size});
      impostor_->receive(now_, own_address_, bytes, transmit->segment_size);
      while (const gw::Event* event = impostor_->poll_event()) {
        received += event->kind == gw::Event::Kind::kMessage ? 1 : 0;
      }
    }
    for (auto& [bytes, segment_size] : reflected_) {
      application_->receive(now_, peer_address_, bytes, segment_size);
      collect();
    }
    reflected_.clear();
    collect();
  }
  void give(const gw::Transmit& transmit) {
    std::vector<std::uint8_t> bytes(transmit.bytes.begin(), transmit.bytes.end());
    application_->receive(now_, peer_address_, bytes, transmit.segment_size);
    collect();
  }
  void collect() {
    while (const gw::Event* event = application_->poll_event()) {
      if (event->kind == gw::Event::Kind::kConnected) connected = true;
      if (event->kind == gw::Event::Kind::kConnected) authenticated = event->authenticated;
      if (event->kind == gw::Event::Kind::kClosed) closed = true;
      if (event->kind == gw::Event::Kind::kFailed) failed.push_back(*event);
    }
  }

  const gw::SecretKey own_ = *gw::SecretKey::generate();
  const gw::SecretKey peer_ = *gw::SecretKey::generate();   // whom the application means
  const gw::SecretKey other_ = *gw::SecretKey::generate();  // the impostor's
  const gw::Address own_address_ = *gw::Address::parse("192.0.2.1:1");
  const gw::Address peer_address_ = *gw::Address::parse("192.0.2.2:2");
  gw::Duration now_ = 1h;
  std::unique_ptr<gw::Endpoint> application_;
  std::unique_ptr<gw::Endpoint> impostor_;
  gw::ConnectionId connection_ = 0;
  std::vector<gw::MessageId> queued_;
  std::vector<std::pair<std::vector<std::uint8_t>, std::size_t>> reflected_;
};

TEST(PublicEndpoint, SendsAnImpostorNothingThatWasQueuedBeforeTheConnection) {
  Impostor impostor({});
  impostor.run();
  EXPECT_GT(impostor.datagrams, 0U) << "the impostor sees the handshake";
  EXPECT_FALSE(impostor.connected);
  EXPECT_TRUE(impostor.closed);
  EXPECT_EQ(impostor.received, 0U);
  ASSERT_EQ(impostor.failed.size(), impostor.queued());
  for (const gw::Event& event : impostor.failed) EXPECT_FALSE(event.may_have_arrived);
}

// The same impostor gets everything where the application has said that it does not care who answers: what the test
// above sees is the default, not an impostor that cannot speak.
TEST(PublicEndpoint, SendsAnImpostorWhatIsQueuedWhereTheApplicationAsksForNoProof) {
  gw::Options options;
  options.require_authenticated_peer = false;
  Impostor impostor(options);
  impostor.run();
  EXPECT_TRUE(impostor.connected);
  EXPECT_FALSE(impostor.authenticated);
  EXPECT_EQ(impostor.received, impostor.queued());
}

// The exit status of a child that does `work`.
int status_of_child(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
    work();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(PublicEndpoint, EndsAChildThatWouldSendUnderItsParentsKeys) {
  const auto key = gw::SecretKey::generate();
  const auto peer = gw::SecretKey::generate();
  const auto endpoint = gw::Endpoint::make({}, *key);
  ASSERT_TRUE(endpoint);
  ASSERT_TRUE((*endpoint)->connect(1h, *gw::Address::parse("192.0.2.1:1"), peer->public_key()));
  const int status = status_of_child([&] { static_cast<void>((*endpoint)->poll_transmit(1h)); });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGABRT);
  const int preparing = status_of_child([&] { (*endpoint)->prepare_handshakes(); });
  ASSERT_TRUE(WIFSIGNALED(preparing)) << preparing;
  EXPECT_EQ(WTERMSIG(preparing), SIGABRT);
  // Its parent goes on, and a child may send with an endpoint of its own.
  EXPECT_TRUE((*endpoint)->poll_transmit(1h));
  EXPECT_EQ(status_of_child([&] {
              const auto own = gw::Endpoint::make({}, *key);
              if (!own || !(*own)->connect(1h, *gw::Address::parse("192.0.2.1:1"), peer->public_key())) _exit(1);
              if (!(*own)->poll_transmit(1h)) _exit(1);
            }),
            0);
}

}  // namespace
