#include <godwit/godwit.h>

#include <cstdio>

int main() {
  const auto key = godwit::v1::SecretKey::generate();
  if (!key) return 1;
  godwit::v1::NodeOptions options;
  options.bind = "127.0.0.1:0";
  const auto node = godwit::v1::Node::open(options, *key);
  if (!node) return 1;
  std::printf("godwit %s on %s\n", godwit::v1::version().data(), (*node)->local_address().c_str());
}
