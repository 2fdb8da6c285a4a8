#include <godwit/godwit.h>

#include <cstdio>

int main() {
  const auto key = godwit::v1::SecretKey::generate();
  if (!key) return 1;
  // As the documents write it: without a warning, whatever the compiler is asked to warn of (run.sh).
  const auto node = godwit::v1::Node::open({.bind = "127.0.0.1:0", .transport = {.congestion = "cubic"}}, *key);
  if (!node) return 1;
  const auto group = godwit::v1::NodeGroup::open({.shards = 1, .node = {.bind = "127.0.0.1:0"}}, *key);
  if (!group) return 1;
  if ((*node)->send(1, godwit::v1::ByteView{}, {.urgency = 1})) return 1;  // there is no such connection
  std::printf("godwit %s on %s\n", godwit::v1::version().data(), (*node)->local_address().c_str());
}
