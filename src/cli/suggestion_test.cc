#include "cli/suggestion.h"

#include <gtest/gtest.h>

namespace godwit::cli {
namespace {

TEST(Suggestion, CountsInsertionsRemovalsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("listen", "listen"), 0U);
  EXPECT_EQ(edit_distance("lsiten", "listen"), 1U);
  EXPECT_EQ(edit_distance("liste", "listen"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
}

TEST(Suggestion, ANearMissIsFoundAndADifferentWordIsNot) {
  const std::vector<std::string> commands = {"keygen", "listen", "send", "ping", "perf"};
  EXPECT_EQ(nearest("lisen", commands), "listen");
  EXPECT_EQ(nearest("snd", commands), "send");
  EXPECT_EQ(nearest("pign", commands), "ping");
  EXPECT_FALSE(nearest("carrier-pigeon", commands));
  EXPECT_FALSE(nearest("x", commands));
  EXPECT_EQ(nearest("--peerkey", {"--peer-key", "--key"}), "--peer-key");
  EXPECT_EQ(nearest("--connect", {"--connect-timeout", "--cost"}), "--connect-timeout");
}

TEST(Suggestion, LooksAtTheCommandThatTheOptionBelongsTo) {
  CLI::App app;
  bool flag = false;
  CLI::App* const listen = app.add_subcommand("listen");
  listen->add_flag("--once", flag);
  app.add_subcommand("send");
  const char* const wrong_option[] = {"godwit", "listen", "--onse"};
  EXPECT_EQ(suggest(app, 3, wrong_option), "there is no '--onse': did you mean '--once'?");
  const char* const wrong_command[] = {"godwit", "lsten", "--once"};
  EXPECT_EQ(suggest(app, 3, wrong_command), "there is no 'lsten': did you mean 'listen'?");
  CLI::App* const client = app.add_subcommand("perf")->add_subcommand("client");
  client->add_flag("--json", flag);
  const char* const of_iperf3[] = {"godwit", "perf", "client", "--json", "-b", "10M"};
  EXPECT_EQ(suggest(app, 6, of_iperf3), "-b of iperf3 is '--rate'");
  const char* const elsewhere[] = {"godwit", "send", "-b"};
  EXPECT_EQ(suggest(app, 3, elsewhere), "");
  const char* const other_fault[] = {"godwit", "listen", "--once=7"};
  EXPECT_EQ(suggest(app, 3, other_fault), "");
}

}  // namespace
}  // namespace godwit::cli
