// Who may connect to a Node, as the application decides: in C++ and in C. And programs that were compiled before.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "godwit/godwit.h"
#include "godwit/godwit_c.h"

namespace godwit::admission_api_test {
namespace {

using namespace std::chrono_literals;
namespace gw = godwit::v1;

class AdmissionApi : public ::testing::Test {
 protected:
  static std::unique_ptr<gw::Node> open(gw::NodeOptions options) {
    options.bind = "127.0.0.1:0";
    options.transport.connect_timeout = 300ms;
    auto opened = gw::Node::open(options, *gw::SecretKey::generate());
    EXPECT_TRUE(opened);
    return opened ? std::move(*opened) : nullptr;
  }
  // Until the attempt to connect has ended, in whichever way, and the listener has heard the end of it.
  void connect(gw::Node& client, gw::Node& listener) {
    ASSERT_TRUE(client.connect(listener.local_address(), listener.public_key()));
    for (int turn = 0; turn < 20'000 && !closed_ && heard_ == 0; ++turn) {
      client.turn(
          [&](gw::Node&, const gw::Event& event) {
            if (event.kind != gw::Event::Kind::kClosed) return;
            closed_ = true;
            reason_ = event.reason;
            text_ = event.text;
          },
          200us);
      listener.turn([&](gw::Node&, const gw::Event&) { ++heard_; }, 200us);
    }
  }

  bool closed_ = false;
  gw::CloseReason reason_ = gw::CloseReason::kLocal;
  std::string text_;
  std::size_t heard_ = 0;  // events of the listener
};

TEST_F(AdmissionApi, ARefusedAddressGetsNoAnswer) {
  const auto client = open({});
  gw::NodeOptions options;
  std::vector<gw::Address> asked;
  options.transport.admit_address = [&](const gw::Address& remote) {
    asked.push_back(remote);
    return false;
  };
  const auto listener = open(options);
  connect(*client, *listener);
  EXPECT_TRUE(closed_);
  EXPECT_EQ(reason_, gw::CloseReason::kHandshakeFailed);
  EXPECT_EQ(heard_, 0U);
  ASSERT_FALSE(asked.empty());
  EXPECT_EQ(asked[0].to_string(), client->local_address());
  EXPECT_GE(listener->statistics()->unadmitted_datagrams, 1U);
  EXPECT_EQ(listener->statistics()->handshakes_started, 0U);
  EXPECT_NE(listener->metrics().find("reason=\"refused_address\"} "), std::string::npos);
}

TEST_F(AdmissionApi, ARefusedKeyIsClosedAndTheOthersStay) {
  const auto client = open({});
  gw::NodeOptions options;
  std::string allowed = "nobody";
  options.transport.admit_key = [&](std::string_view key) { return key == allowed; };
  const auto listener = open(options);
  connect(*client, *listener);
  EXPECT_TRUE(closed_);
  EXPECT_EQ(reason_, gw::CloseReason::kRemote);
  EXPECT_EQ(text_, "the peer is not admitted");
  EXPECT_EQ(heard_, 0U);
  EXPECT_EQ(listener->statistics()->unadmitted_peers, 1U);
  EXPECT_EQ(listener->statistics()->connections_opened, 0U);

  allowed = client->public_key();
  closed_ = false;
  connect(*client, *listener);
  EXPECT_FALSE(closed_) << text_;
  EXPECT_GE(heard_, 1U);
  EXPECT_EQ(listener->statistics()->connections_opened, 1U);
}

TEST_F(AdmissionApi, ADeployedPeerIsAskedAboutByAnEmptyKey) {
  gw::NodeOptions deployed;
  deployed.transport.extended = "off";
  const auto client = open(deployed);
  gw::NodeOptions options;
  std::vector<std::string> asked;
  options.transport.admit_key = [&](std::string_view key) {
    asked.emplace_back(key);
    return key.empty();
  };
  const auto listener = open(options);
  connect(*client, *listener);
  EXPECT_FALSE(closed_) << text_;
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0], "");
}

// A structure of an earlier version is shorter: what it does not have is not read.
TEST_F(AdmissionApi, AProgramOfAnEarlierVersionGoesOn) {
  gw::Options options;
  options.admit_key = [](std::string_view) { return false; };
  options.size = static_cast<std::size_t>(reinterpret_cast<const char*>(&options.admit_address) -
                                          reinterpret_cast<const char*>(&options));
  EXPECT_TRUE(gw::Endpoint::make(options, *gw::SecretKey::generate()));
  gw::NodeOptions of_node;
  of_node.transport = options;
  const auto client = open({});
  const auto listener = open(of_node);
  connect(*client, *listener);
  EXPECT_FALSE(closed_) << "the member that the program does not have says nothing";
  options.size = 8;
  EXPECT_EQ(gw::Endpoint::make(options, *gw::SecretKey::generate()).error().code, gw::ErrorCode::kInvalidArgument);
}

struct Asked {
  std::vector<std::string> addresses;
  std::vector<std::string> keys;
};

TEST_F(AdmissionApi, TheInterfaceOfCAsksTheSame) {
  Asked asked;
  godwit_options options;
  godwit_options_init(&options, sizeof options);
  options.bind = "127.0.0.1:0";
  options.admit_address = [](const godwit_address* remote, void* context) {
    char text[64];
    EXPECT_EQ(godwit_address_format(remote, text, sizeof text), GODWIT_OK);
    EXPECT_EQ(godwit_address_format(remote, text, 5), GODWIT_TOO_LARGE);
    static_cast<Asked*>(context)->addresses.emplace_back(text);
    return true;
  };
  options.admit_key = [](const char* key, void* context) {
    static_cast<Asked*>(context)->keys.emplace_back(key);
    return false;
  };
  options.admit_address_context = options.admit_key_context = &asked;
  std::uint8_t secret[32];
  ASSERT_EQ(godwit_generate_key(secret), GODWIT_OK);
  godwit_node* node = nullptr;
  ASSERT_EQ(godwit_node_open(&options, secret, &node), GODWIT_OK) << godwit_last_error();
  const auto client = open({});
  ASSERT_TRUE(client->connect(godwit_node_local_address(node), godwit_node_public_key(node)));
  bool closed = false;
  for (int turn = 0; turn < 20'000 && !closed; ++turn) {
    client->turn([&](gw::Node&, const gw::Event& event) { closed |= event.kind == gw::Event::Kind::kClosed; }, 200us);
    godwit_node_turn(node, [](godwit_node*, const godwit_event*, void*) { ADD_FAILURE(); }, nullptr, 200'000);
  }
  ASSERT_FALSE(asked.addresses.empty());
  EXPECT_EQ(asked.addresses[0], client->local_address());
  EXPECT_EQ(asked.keys, std::vector{client->public_key()});
  godwit_endpoint_statistics counted{};
  counted.size = sizeof counted;
  godwit_node_endpoint_statistics(node, &counted);
  EXPECT_EQ(counted.unadmitted_peers, 1U);
  godwit_node_destroy(node);
}

}  // namespace
}  // namespace godwit::admission_api_test
